"""What the pages' routes share: forms read, pages answered, and a busy database told so in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from core.errors import PermanentError, TransientError
from core.runtime import Runtime
from customers.workspace import get_workspace
from tracking.pages.language import accepted, texts_for
from tracking.pages.layout import Page, notice_page
from tracking.request_body import read_body

MAX_FORM: Final = 20_000
_MAX_FIELDS: Final = 200
_RETRY_AFTER_S: Final = "5"

Fields = Mapping[str, list[str]]


async def read_fields(request: Request) -> Fields:
    """The fields of a posted form; of one that is too long, none."""
    return fields_of(await read_body(request, MAX_FORM) or b"")


def fields_of(body: bytes) -> Fields:
    """`application/x-www-form-urlencoded`; what is no such form has no fields."""
    try:
        return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        return {}


def languages_of(request: Request) -> list[str]:
    return accepted(request.headers.get("accept-language"))


def page_answer(page: Page, status: int = 200) -> Response:
    return HTMLResponse(page.html, status, dict(page.headers))


async def notice(
    runtime: Runtime, request: Request, status: int, name: str, *, text: str = "text", title: str = "title"
) -> Response:
    """The texts `<name>.<title>` and `<name>.<text>` as a page, in the browser's language."""

    def render() -> Page:
        with runtime.database.read() as connection:
            workspace = get_workspace(connection)
        return notice_page(workspace, texts_for(workspace, *languages_of(request)), name, text=text, title=title)

    return page_answer(await run_in_threadpool(render), status)


async def busy(runtime: Runtime, request: Request) -> Response:
    """Asks to try again: nothing that somebody decided is lost in silence."""
    try:
        answer = await notice(runtime, request, 503, "busy")
    except (TransientError, PermanentError, SQLAlchemyError):
        answer = HTMLResponse("Nothing could be saved at the moment. Please try again in a minute.", 503)
    answer.headers["Retry-After"] = _RETRY_AFTER_S
    return answer
