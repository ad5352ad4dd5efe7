"""`/x/<token>`: the page behind a link that serves once, and what its button does: hand out the copy, or erase.

GET only shows, because mail scanners fetch every link; POST uses the link up. Whoever comes too late gets 410.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from console.rights.erasure import erase_profile
from console.rights.export import write_export
from console.rights.export_files import find_file
from core.errors import ConflictError
from core.runtime import Runtime
from customers.rights import get_request
from customers.single_use_links import PATH, Link, LinkKind, find_link, use_link
from customers.workspace import Workspace, get_workspace
from tracking.pages.answers import languages_of, page_answer
from tracking.pages.choosing import locale_of
from tracking.pages.language import Texts, texts_for
from tracking.pages.layout import erase_page, handover_page, notice_page

_LONGEST_TOKEN: Final = 64
_REQUESTED_BY: Final = "single_use_link"


def routes(runtime: Runtime) -> list[BaseRoute]:
    return [
        Route(f"{PATH}{{token}}", _answering(runtime, _show), methods=["GET"]),
        Route(f"{PATH}{{token}}", _answering(runtime, _do), methods=["POST"]),
    ]


def _answering(runtime: Runtime, answer: Callable[[Runtime, str, list[str]], Response]) -> Callable[[Request], object]:
    async def handle(request: Request) -> Response:
        token = request.path_params["token"][:_LONGEST_TOKEN]
        return await run_in_threadpool(answer, runtime, token, languages_of(request))

    return handle


def _show(runtime: Runtime, token: str, languages: list[str]) -> Response:
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
        link = find_link(connection, runtime.vault, token, runtime.clock.now())
        texts = texts_for(workspace, locale_of(connection, link.profile_id) if link else None, *languages)
    if link is None:
        return _gone(workspace, texts)
    return page_answer((erase_page if link.kind is LinkKind.ERASE else handover_page)(workspace, texts))


def _do(runtime: Runtime, token: str, languages: list[str]) -> Response:
    with runtime.database.transaction() as connection:
        workspace = get_workspace(connection)
        link = use_link(connection, runtime.vault, token, runtime.clock.now())
        texts = texts_for(workspace, locale_of(connection, link.profile_id) if link else None, *languages)
        request = get_request(connection, link.request_id) if link and link.request_id else None
    if link is None:
        return _gone(workspace, texts)
    if link.kind is LinkKind.ERASE:
        return _erase(runtime, workspace, texts, link)
    file = find_file(runtime.settings, str(request.proof.get("file", ""))) if request else None
    if request is None:
        file = _write(runtime, workspace, link)
    return _gone(workspace, texts) if file is None else _download(file, workspace)


def _write(runtime: Runtime, workspace: Workspace, link: Link) -> Path | None:
    """The copy as it is at this moment; None for somebody who was erased meanwhile."""
    now = runtime.clock.now()
    try:
        return write_export(runtime, workspace, link.profile_id, requested_by=_REQUESTED_BY, now=now)[1]
    except ConflictError:
        return None


def _erase(runtime: Runtime, workspace: Workspace, texts: Texts, link: Link) -> Response:
    try:
        erase_profile(runtime, link.profile_id, requested_by=_REQUESTED_BY, now=runtime.clock.now())
    except ConflictError:
        return _gone(workspace, texts)
    return page_answer(notice_page(workspace, texts, "erase", title="done_title", text="done"))


def _download(file: Path, workspace: Workspace) -> Response:
    # Read whole, because the link is used up by now: a copy has a few megabytes, and must not break off in the middle.
    return Response(
        file.read_bytes(),
        media_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{workspace.slug}-your-data.zip"',
            "Cache-Control": "no-store, private",
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex, nofollow",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _gone(workspace: Workspace, texts: Texts) -> Response:
    return page_answer(notice_page(workspace, texts, "gone"), 410)
