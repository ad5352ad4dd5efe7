"""The pages on which a person looks at the mail and the SMS, and tells the sandbox to misbehave. No script is
needed.

A mail's HTML is somebody else's: it is shown in a sandboxed frame and served under a policy that runs
nothing.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from core.errors import InputError
from sandbox.account import Account
from sandbox.behaviour import PROBABILITIES, Behaviour, changed
from sandbox.control import LARGEST_SEQ
from sandbox.feedback.sms_events import encoding_and_parts
from sandbox.message import Happening, bare_address
from sandbox.wire.router import SERVICES, answer_aws, answer_service

PAGE_SIZE = 40
TEMPLATES = Path(__file__).parent / "templates"
_UNSIGNED_ACTIONS = ("ConfirmSubscription", "Unsubscribe")  # the links in a notification carry no signature
_FRAME_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src * data:; font-src * data:; "
    "style-src * 'unsafe-inline'"
)
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'"


async def index(request: Request) -> Response:
    """The inbox. The same address confirms subscriptions, as that of SNS does."""
    query = request.query_params
    if "authorization" in request.headers:
        return await answer_aws(request)
    if query.get("Action") in _UNSIGNED_ACTIONS:
        return await answer_service(request, SERVICES["sns"])
    account, address = _account(request), query.get("to", "").strip().lower()
    before = min(int(query["before"]), LARGEST_SEQ) if query.get("before", "").isdigit() else LARGEST_SEQ
    found = await run_in_threadpool(account.store.before, before, PAGE_SIZE + 1, "email", address)
    shown = found[:PAGE_SIZE]
    happened = await run_in_threadpool(account.store.happenings, [message.seq for message in shown])
    return _page(
        request,
        "index.html",
        messages=[(message, _state(happened[message.seq])) for message in shown],
        address=address,
        older=shown[-1].seq if len(found) > PAGE_SIZE else None,
        newer=before != LARGEST_SEQ,
    )


async def mail(request: Request) -> Response:
    account, seq = _account(request), min(int(request.path_params["seq"]), LARGEST_SEQ)
    message = await run_in_threadpool(account.store.find, seq)
    if message is None:
        return _page(request, "missing.html", status=404, seq=seq)
    happened = await run_in_threadpool(account.store.happenings, [seq])
    return _page(request, "mail.html", message=message, happenings=happened[seq], state=_state(happened[seq]))


async def mail_html(request: Request) -> Response:
    message = await run_in_threadpool(_account(request).store.find, min(int(request.path_params["seq"]), LARGEST_SEQ))
    return HTMLResponse(
        message.html if message else "",
        headers={"content-security-policy": _FRAME_POLICY, "referrer-policy": "no-referrer"},
    )


async def phones(request: Request) -> Response:
    numbers = await run_in_threadpool(_account(request).store.numbers)
    return _page(request, "phones.html", numbers=numbers)


async def phone(request: Request) -> Response:
    store, number = _account(request).store, str(request.path_params["number"])
    messages = (await run_in_threadpool(store.before, LARGEST_SEQ, PAGE_SIZE, "sms", number))[::-1]
    happened = await run_in_threadpool(store.happenings, [message.seq for message in messages])
    shown = [(one, _state(happened[one.seq]), encoding_and_parts(one.text)) for one in messages]
    return _page(request, "phone.html", number=number, messages=shown)


async def behaviour(request: Request) -> Response:
    account, fault = _account(request), ""
    if request.method == "POST":
        form = parse_qs((await request.body()).decode())
        try:
            account.behaviour = changed(Behaviour(), _read_form({name: values[-1] for name, values in form.items()}))
            return RedirectResponse("/behaviour", 303)
        except (InputError, ValueError) as error:
            fault = str(error)
    return _page(
        request,
        "behaviour.html",
        status=400 if fault else 200,
        behaviour=msgspec.structs.asdict(account.behaviour),
        explanations=_EXPLANATIONS,
        fault=fault,
    )


_EXPLANATIONS = {
    "throttle": "refuse with TooManyRequests",
    "reject": "refuse with MessageRejected",
    "error_before": "answer 500, accept nothing",
    "error_after": "accept, then answer 500",
    "drop_reply": "accept, then close the connection without a reply",
    "duplicate": "deliver a notification twice",
    "reorder": "let later notifications overtake",
}


def _read_form(form: dict[str, str]) -> dict[str, Any]:
    changes: dict[str, Any] = {name: float(form.get(name) or 0) / 100 for name in PROBABILITIES}
    return changes | {
        "latency_ms": int(form.get("latency_ms") or 0),
        "paused": "paused" in form,
        "suspended": "suspended" in form,
        "unverified": [word for word in form.get("unverified", "").replace(",", " ").lower().split() if word],
    }


def _state(happenings: list[Happening]) -> str:
    """The worst that is known of a message, as a word for a coloured chip."""
    text = " ".join(one.kind for one in happenings)
    for sign, state in (
        ("Complaint", "complained"),
        ("Transient", "out of office"),
        ("SuppressionList", "suppressed"),
        ("Bounce", "bounced"),
        ("Rendering", "not rendered"),
        ("UNREACHABLE", "unreachable"),
        ("Delivery", "delivered"),
        ("DELIVERED", "delivered"),
    ):
        if sign in text:
            return state
    return "accepted"


def _page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    account = _account(request)
    html = (
        _environment()
        .get_template(template)
        .render(
            accepted=account.accepted,
            events=account.publisher.counts(),
            troubled=account.behaviour != Behaviour(),
            path=request.url.path,
            **values,
        )
    )
    return HTMLResponse(html, status, headers={"content-security-policy": _PAGE_POLICY})


@lru_cache(maxsize=1)
def _environment() -> Any:
    import jinja2  # late, so that a command line that only names the sandbox does not pay for it

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bare"] = bare_address
    environment.filters["hue"] = lambda text: sum(map(ord, text)) * 47 % 360
    return environment


def _account(request: Request) -> Account:
    account: Account = request.app.state.account
    return account


ROUTES = [
    Route("/", index, methods=["GET"]),
    Route("/mail/{seq:int}", mail, methods=["GET"]),
    Route("/mail/{seq:int}/html", mail_html, methods=["GET"]),
    Route("/phone", phones, methods=["GET"]),
    Route("/phone/{number}", phone, methods=["GET"]),
    Route("/behaviour", behaviour, methods=["GET", "POST"]),
]
