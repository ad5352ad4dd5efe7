"""The JSON side door for tests and demos: what was accepted, how to misbehave, what time it is, and
starting afresh.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.clock import ManualClock, in_utc
from core.errors import InputError
from sandbox.account import Account
from sandbox.behaviour import changed
from sandbox.feedback.inbound import MailFromSomebody, TextFromSomebody, mail_document, text_document
from sandbox.feedback.publisher import Publication, timestamp
from sandbox.message import Message

T = TypeVar("T")

DEFAULT_LIMIT = 100
LARGEST_LIMIT = 1000
LARGEST_SEQ = 2**62  # SQLite's integers end a little above


async def list_messages(request: Request) -> Response:
    """Messages after a `seq`, the oldest first; `next` is the cursor for the following call."""
    query, store = request.query_params, _account(request).store
    try:
        after, limit = min(int(query.get("after", 0)), LARGEST_SEQ), int(query.get("limit", DEFAULT_LIMIT))
    except ValueError:
        return _problem("`after` and `limit` must be whole numbers.")
    limit = max(1, min(limit, LARGEST_LIMIT))
    found = await run_in_threadpool(store.after, after, limit, query.get("kind", ""), query.get("to", "").lower())
    return _answer({"messages": [document_of(one) for one in found], "next": found[-1].seq if found else after})


async def get_message(request: Request) -> Response:
    seq, store = min(int(request.path_params["seq"]), LARGEST_SEQ), _account(request).store
    found = await run_in_threadpool(store.find, seq)
    if found is None:
        return _problem(f"There is no message {seq}.", 404)
    happened = (await run_in_threadpool(store.happenings, [seq]))[seq]
    events = [
        {
            "kind": one.kind,
            "recipient": one.recipient,
            "occurred_at": timestamp(one.occurred_at),
            "note": one.note,
        }
        for one in happened
    ]
    return _answer(document_of(found) | {"events": events})


async def get_stats(request: Request) -> Response:
    """Counts since the start or the last reset; `recipients=no` leaves the long list out."""
    account = _account(request)
    notifications = account.publisher.counts()
    document: dict[str, Any] = {
        "accepted": {"email": account.accepted["email"], "sms": account.accepted["sms"]},
        "recipient_count": len(account.recipients),
        "events": {
            "published": account.published.total(),
            "by_kind": dict(account.published),
            **notifications,
        },
        "subscriptions": {
            state: sum(one.confirmed is confirmed for one in account.topics.subscriptions())
            for state, confirmed in (("confirmed", True), ("pending", False))
        },
    }
    if request.query_params.get("recipients") != "no":
        document["recipients"] = dict(account.recipients)
    return _answer(document)


async def get_behaviour(request: Request) -> Response:
    return _answer(msgspec.structs.asdict(_account(request).behaviour))


async def put_behaviour(request: Request) -> Response:
    """Changes the named fields and leaves the others as they are."""
    account = _account(request)
    try:
        account.behaviour = changed(account.behaviour, await _object(request))
    except InputError as error:
        return _problem(str(error))
    return await get_behaviour(request)


async def get_clock(request: Request) -> Response:
    clock = _account(request).clock
    return _answer({"now": timestamp(clock.now()), "manual": isinstance(clock, ManualClock)})


async def put_clock(request: Request) -> Response:
    """`{"now": "<ISO 8601 with a zone>"}` stops the clock there, `{"now": null}` lets the system's run
    again.
    """
    account = _account(request)
    try:
        wanted = (await _object(request)).get("now")
        if wanted is None:
            account.run_on()
        else:
            account.stand_still_at(in_utc(datetime.fromisoformat(str(wanted))))
    except (InputError, ValueError) as error:
        return _problem(f'The clock wants {{"now": "2026-01-31T09:00:00Z"}} or null: {error}')
    return await get_clock(request)


async def reset(request: Request) -> Response:
    await run_in_threadpool(_account(request).reset)
    return _answer({})


async def take_text(request: Request) -> Response:
    """Somebody writes a text message to one of our numbers: `{"origin", "destination", "text", "reply_to"?}`."""
    return await _take(request, TextFromSomebody, lambda text, _now: text_document(text))


async def take_mail(request: Request) -> Response:
    """Somebody writes a mail to us: `{"sender", "recipients", "subject"?}`."""
    return await _take(request, MailFromSomebody, mail_document)


async def _take(request: Request, kind: type[T], as_document: Callable[[T, datetime], dict[str, Any]]) -> Response:
    """Publish what came in on the topic of the feedback."""
    account = _account(request)
    if account.topics.find(account.options.topic_arn) is None:
        return _problem("the sandbox has no topic for feedback: start it with --feedback.", 409)
    try:
        document = as_document(msgspec.json.decode(await request.body(), type=kind), account.now())
    except msgspec.DecodeError as error:
        return _problem(f"This is nothing that somebody sends: {error}")
    text = msgspec.json.encode(document).decode()
    account.publisher.publish(Publication(account.options.topic_arn, lambda: text, "inbound"))
    return _answer(document)


def document_of(message: Message) -> dict[str, Any]:
    return {
        "seq": message.seq,
        "kind": message.kind.value,
        "message_id": message.message_id,
        "from": message.sender,
        "to": list(message.recipients),
        "subject": message.subject,
        "html": message.html,
        "text": message.text,
        "headers": [{"name": name, "value": value} for name, value in message.headers],
        "tags": message.tags,
        "configuration_set": message.configuration_set,
        "message_type": message.message_type,
        "received_at": timestamp(message.received_at),
    }


def _account(request: Request) -> Account:
    account: Account = request.app.state.account
    return account


async def _object(request: Request) -> dict[str, Any]:
    try:
        return msgspec.json.decode(await request.body(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InputError(f"The body is no JSON object: {error}") from error


def _answer(document: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(document), status, media_type="application/json")


def _problem(sentence: str, status: int = 400) -> Response:
    return _answer({"error": sentence}, status)


ROUTES = [
    Route("/sandbox/messages", list_messages, methods=["GET"]),
    Route("/sandbox/messages/{seq:int}", get_message, methods=["GET"]),
    Route("/sandbox/stats", get_stats, methods=["GET"]),
    Route("/sandbox/behaviour", get_behaviour, methods=["GET"]),
    Route("/sandbox/behaviour", put_behaviour, methods=["PUT"]),
    Route("/sandbox/clock", get_clock, methods=["GET"]),
    Route("/sandbox/clock", put_clock, methods=["PUT"]),
    Route("/sandbox/texts", take_text, methods=["POST"]),
    Route("/sandbox/mails", take_mail, methods=["POST"]),
    Route("/sandbox/reset", reset, methods=["POST"]),
]
