"""The web's entrance for the widget: `/w.js`, and `/w.<hash>.js` for pages that name exactly this one."""

from __future__ import annotations

from starlette.routing import BaseRoute

from recommender.widget.script import widget
from tracking.snippet.web import script_routes


def routes() -> list[BaseRoute]:
    return script_routes("w", widget())
