"""`/f/<form>` and `/f/<form>/embed`, where people sign up, and `/y/<token>`, where they confirm it.

A form is taken from its own page and from the sites that it names; nothing is known of whoever posts, so there is no
cookie and nothing to forge. GET only shows: link scanners press nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from core.errors import TransientError
from core.runtime import Runtime
from customers.workspace import Workspace, get_workspace
from tracking.client_address import ClientAddress
from tracking.pages.answers import Fields, busy, languages_of, notice, page_answer, read_fields
from tracking.pages.language import Texts, texts_for
from tracking.pages.layout import Page, notice_page
from tracking.pages.signing_up.confirming import confirm_sign_up, find_sign_up
from tracking.pages.signing_up.definition import Form, find_form
from tracking.pages.signing_up.entry import STAMP, Filled, is_timely, read_entry, trap_of, write_stamp
from tracking.pages.signing_up.pages import confirm_page, form_page, thanks_page
from tracking.pages.signing_up.taking import PATH, Entry, Outcome, network_hash, take_sign_up
from tracking.tokens import KeyRing, TokenKind, verify

_LONGEST_SLUG: Final = 100
_RETRY_AFTER_S: Final = "3600"


def routes(runtime: Runtime, key_ring: KeyRing) -> list[BaseRoute]:
    forms = _Forms(runtime, key_ring)
    return [
        Route("/f/{form}", forms.show, methods=["GET"]),
        Route("/f/{form}", forms.take, methods=["POST"]),
        Route("/f/{form}/embed", forms.show_framed, methods=["GET"]),
        Route("/f/{form}/embed", forms.take_framed, methods=["POST"]),
        Route(f"{PATH}{{token}}", forms.ask, methods=["GET"]),
        Route(f"{PATH}{{token}}", forms.confirm, methods=["POST"]),
    ]


class _Forms:
    def __init__(self, runtime: Runtime, key_ring: KeyRing) -> None:
        self._runtime = runtime
        self._key_ring = key_ring
        self._addresses = ClientAddress(runtime.settings.trusted_proxies)

    async def show(self, request: Request) -> Response:
        return await self._with_form(request, lambda *found: self._empty(*found, is_framed=False))

    async def show_framed(self, request: Request) -> Response:
        return await self._with_form(request, lambda *found: self._empty(*found, is_framed=True))

    async def take(self, request: Request) -> Response:
        return await self._take(request, is_framed=False)

    async def take_framed(self, request: Request) -> Response:
        return await self._take(request, is_framed=True)

    async def ask(self, request: Request) -> Response:
        """Shows the question; nothing happens yet."""
        return await self._with_link(request, confirms=False)

    async def confirm(self, request: Request) -> Response:
        return await self._with_link(request, confirms=True)

    async def _take(self, request: Request, *, is_framed: bool) -> Response:
        fields = await read_fields(request)
        network = network_hash(self._runtime.vault, self._addresses.of(request.scope))

        def work(workspace: Workspace, texts: Texts, form: Form) -> Response:
            if not _comes_from_a_friend(request, form):
                return page_answer(notice_page(workspace, texts, "form", title="foreign_title", text="foreign"), 403)
            return self._judge(workspace, texts, form, fields, network, is_framed=is_framed)

        return await self._with_form(request, work)

    def _judge(
        self, workspace: Workspace, texts: Texts, form: Form, fields: Fields, network: str, *, is_framed: bool
    ) -> Response:
        """A program that filled in what nobody sees reads the same thanks, and nothing is kept."""
        if any(fields.get(trap_of(form), ())):
            return _thank(workspace, texts, form, is_framed=is_framed)
        vault, now = self._runtime.vault, self._runtime.clock.now()
        filled = read_entry(form, workspace, texts, fields)
        stamp = write_stamp(vault, form, now)
        if filled.errors:
            page = form_page(workspace, texts, form, stamp, filled, is_framed=is_framed)
            return page_answer(page, 422)
        if not is_timely(vault, form, next(iter(fields.get(STAMP, ())), ""), now):
            note = texts("form.again")
            return page_answer(form_page(workspace, texts, form, stamp, filled, is_framed=is_framed, note=note))
        entry = Entry(form, filled.address, filled.values, filled.topics, network)
        with self._runtime.database.transaction() as connection:
            outcome = take_sign_up(connection, self._runtime, self._key_ring, workspace, texts, entry)
        if outcome is Outcome.TOO_MANY:
            page = notice_page(workspace, texts, "form", title="too_many_title", text="too_many")
            answer = page_answer(page, 429)
            answer.headers["Retry-After"] = _RETRY_AFTER_S
            return answer
        return _thank(workspace, texts, form, is_framed=is_framed)

    def _empty(self, workspace: Workspace, texts: Texts, form: Form, *, is_framed: bool) -> Response:
        stamp = write_stamp(self._runtime.vault, form, self._runtime.clock.now())
        return page_answer(form_page(workspace, texts, form, stamp, Filled(), is_framed=is_framed))

    async def _with_form(self, request: Request, work: Callable[[Workspace, Texts, Form], Response]) -> Response:
        slug = request.path_params["form"][:_LONGEST_SLUG]

        def run() -> Response | None:
            with self._runtime.database.read() as connection:
                workspace = get_workspace(connection)
                form = find_form(connection, workspace, slug)
            return None if form is None else work(workspace, texts_for(workspace, form.language), form)

        return await self._answer(request, run, "form", title="unknown_title", text="unknown")

    async def _with_link(self, request: Request, *, confirms: bool) -> Response:
        token = verify(self._key_ring, TokenKind.CONFIRM, request.path_params["token"])
        network = network_hash(self._runtime.vault, self._addresses.of(request.scope))
        database = self._runtime.database

        def run() -> Response | None:
            if token is None:
                return None
            with database.transaction() if confirms else database.read() as connection:
                workspace, now = get_workspace(connection), self._runtime.clock.now()
                found = (
                    confirm_sign_up(connection, self._runtime, workspace, token.token_id, network)
                    if confirms
                    else find_sign_up(connection, token.token_id, now)
                )
            if found is None:
                return None
            texts = texts_for(workspace, found.language, *languages_of(request))
            return page_answer(confirm_page(workspace, texts, found), 410 if found.is_too_old else 200)

        return await self._answer(request, run, "invalid")

    async def _answer(
        self, request: Request, run: Callable[[], Response | None], name: str, **otherwise: str
    ) -> Response:
        try:
            answer = await run_in_threadpool(run)
        except (TransientError, SQLAlchemyError):
            return await busy(self._runtime, request)
        return answer or await notice(self._runtime, request, 404, name, **otherwise)


def _comes_from_a_friend(request: Request, form: Form) -> bool:
    """Whether the page that posts is our own or one that the form names; a browser that does not say is let in."""
    origin = request.headers.get("origin")
    if origin is None or origin in form.embed:
        return True
    if origin == "null":
        return request.headers.get("sec-fetch-site") in ("same-origin", "none")
    return urlsplit(origin).netloc == request.headers.get("host")


def _thank(workspace: Workspace, texts: Texts, form: Form, *, is_framed: bool) -> Response:
    if form.redirect:
        return RedirectResponse(form.redirect, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    page: Page = thanks_page(workspace, texts, form, is_framed=is_framed)
    return page_answer(page)
