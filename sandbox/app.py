"""Puts the sandbox together as one ASGI application: AWS at its own paths, JSON under `/sandbox`, pages
for the rest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import control, pages
from sandbox.account import Account
from sandbox.options import SandboxOptions
from sandbox.wire.router import answer_aws


async def certificate(request: Request) -> Response:
    signer = request.app.state.account.signer
    if request.url.path != f"/{signer.file_name}":
        return Response("There is no such certificate.", 404, media_type="text/plain")
    return Response(signer.certificate_pem, media_type="application/x-pem-file")


def create_app(options: SandboxOptions) -> Starlette:
    """The application. Its account (`app.state.account`) opens now and closes with the application's
    lifespan.
    """
    account = Account(options)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        account.wire_feedback()
        try:
            yield
        finally:
            account.close()

    app = Starlette(
        routes=[
            # First, because every mail comes this way.
            Route("/v2/email/{rest:path}", answer_aws, methods=["GET", "POST", "PUT", "DELETE"]),
            *control.ROUTES,
            *pages.ROUTES,
            Route("/SimpleNotificationService-{name}.pem", certificate, methods=["GET"]),
            Route("/{rest:path}", answer_aws, methods=["GET", "POST", "PUT", "DELETE"]),
        ],
        lifespan=lifespan,
    )
    app.state.account = account
    return app
