"""`/x/<token>`: the page behind a link that serves once, and the file behind its button.

GET only shows, because mail scanners fetch every link; POST uses the link up. Whoever comes too late gets 410.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from console.rights.export import LINK
from console.rights.export_files import find_file
from console.rights.links import find_link, use_link
from core.runtime import Runtime
from customers.rights import get_request
from customers.workspace import Workspace, get_workspace
from tracking.pages import Page, handover_page, notice_page

_LONGEST_TOKEN = 64
_GONE = (
    "A link like this one works once and for half an hour. Ask again, and you get a new one.",
    410,
)


def routes(runtime: Runtime) -> list[BaseRoute]:
    return [
        Route(f"{LINK}{{token}}", _answering(runtime, _show), methods=["GET"]),
        Route(f"{LINK}{{token}}", _answering(runtime, _hand_over), methods=["POST"]),
    ]


def _answering(runtime: Runtime, answer: Callable[[Runtime, str], Response]) -> Callable[[Request], object]:
    async def handle(request: Request) -> Response:
        return await run_in_threadpool(answer, runtime, request.path_params["token"][:_LONGEST_TOKEN])

    return handle


def _show(runtime: Runtime, token: str) -> Response:
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
        link = find_link(connection, runtime.vault, token, runtime.clock.now())
    return _gone(workspace) if link is None else _html(handover_page(workspace))


def _hand_over(runtime: Runtime, token: str) -> Response:
    with runtime.database.transaction() as connection:
        workspace = get_workspace(connection)
        link = use_link(connection, runtime.vault, token, runtime.clock.now())
        request = get_request(connection, link.request_id) if link and link.request_id else None
    file = find_file(runtime.settings, str(request.proof.get("file", ""))) if request is not None else None
    return _gone(workspace) if file is None else _download(file, workspace)


def _download(file: Path, workspace: Workspace) -> Response:
    return FileResponse(
        file,
        media_type="application/zip",
        filename=f"{workspace.slug}-your-data.zip",
        headers={
            "Cache-Control": "no-store, private",
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _gone(workspace: Workspace) -> Response:
    text, status = _GONE
    return _html(notice_page(workspace, "This link has been used, or is too old", text), status)


def _html(page: Page, status: int = 200) -> Response:
    return HTMLResponse(page.html, status, dict(page.headers))
