"""Pixel, links and offers before the router: millions ask for them, and a router asks every route in turn."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

_MAIL_ROUTES = ("/o/{token}", "/c/{token}")
_OFFERS = "/r/v1/recommendations"


def mail_first(app: Starlette) -> ASGIApp:
    """`app`, whose routes for pixel, links and offers are called directly; everything else goes its way through it."""
    found = {
        route.path: route.app
        for route in app.routes
        if isinstance(route, Route) and route.path in (*_MAIL_ROUTES, _OFFERS)
    }
    if not found.keys() >= {*_MAIL_ROUTES}:
        return app
    pixel, redirect = (found[path] for path in _MAIL_ROUTES)
    offers = found.get(_OFFERS, app)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"] if scope["type"] == "http" else ""
        token = path[3:]
        if path == _OFFERS:
            target = offers
        elif not token or "/" in token:
            target = app
        elif path.startswith("/o/"):
            target = pixel
        else:
            target = redirect if path.startswith("/c/") else app
        if target is pixel or target is redirect:
            scope["path_params"] = {"token": token}
        await target(scope, receive, send)

    return dispatch
