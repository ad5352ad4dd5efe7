"""Calls that ask to let somebody into a journey: read, checked and written into the customer log, each of them once.

The next tick reads the log entry like any other event and decides who enters, so a call is answered before it is known
whether its person does. What was asked twice under one key is the same request; without a key, so is the same body
within 24 hours.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sqlalchemy import Connection, select

from campaigns.transactional.request import Recipient
from core.errors import InputError
from core.ids import derived_id
from core.runtime import Runtime
from core.value_schema import find_value_fault
from customers.addresses import normalise
from customers.identities import resolve_each
from customers.log import NewEvent, append_events
from customers.ownership import survivors_of
from customers.tables import IdentityKind, ProfileStatus, event_key, profile
from customers.workspace import Workspace
from journeys.catalogue import Catalogue, get_catalogue
from journeys.entries.kinds import REQUESTED, ApiEntry
from journeys.model import JourneyStatus

MAX_BODY: Final = 100_000
SAME_BODY: Final = timedelta(hours=24)
_MAX_KEY: Final = 200
_PURPOSE: Final = "idempotency"
_SOURCE: Final = "api"
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")

_Key = Annotated[str, Meta(min_length=1, max_length=_MAX_KEY)]


class EntryRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who shall enter; the journey reads `properties` as `entry.*`."""

    to: Recipient
    properties: dict[str, Any] = {}
    key: _Key | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    journey: str
    request: EntryRequest
    key: str | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request is durable; the same id whenever it is repeated."""

    id: str
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Declined:
    """Nothing was stored, and asking again in the same words does not help."""

    status: HTTPStatus
    message: str


Answer = Accepted | Declined

_decoder: msgspec.json.Decoder[EntryRequest] = msgspec.json.Decoder(EntryRequest)


def read_request(journey: str, body: bytes, header_key: str | None, received_at: datetime) -> Submission:
    """`POST /v1/journeys/{journey}/entries`. Raises InputError; its text never holds a value."""
    try:
        request = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InputError(f"this is no entry: {error}.") from None
    except (msgspec.DecodeError, RecursionError):
        raise InputError('write a JSON object such as {"to": {"external_id": "…"}, "properties": {}}.') from None
    if header_key and request.key and header_key != request.key:
        raise InputError("the header Idempotency-Key and `key` differ: leave one of them out.")
    to, key = request.to, request.key or header_key
    if key is not None and len(key) > _MAX_KEY:
        raise InputError(f"an idempotency key has at most {_MAX_KEY} characters.")
    has_names = bool(to.external_id or to.email or to.phone)
    if (to.profile_id is None) is not has_names:
        raise InputError("`to` names one person: write external_id, email or phone, or else profile_id.")
    return Submission(journey, request, key, received_at)


def accept_entries(runtime: Runtime) -> Callable[[Connection, Sequence[Submission]], list[Answer]]:
    """The writer that stores requests in a transaction of its caller's; an answer for each, in their order."""

    def store(connection: Connection, submissions: Sequence[Submission]) -> list[Answer]:
        catalogue = get_catalogue(connection)
        people = _find_people(connection, runtime, catalogue.world.workspace, submissions)
        answers: list[Answer] = []
        for one, found in zip(submissions, people, strict=True):
            declined = _decline(catalogue, one) or (found if isinstance(found, Declined) else None)
            if declined is not None:
                answers.append(declined)
            elif isinstance(found, int):
                answers.append(_write(connection, runtime, catalogue.world.workspace, one, found))
        return answers

    return store


def _decline(catalogue: Catalogue, one: Submission) -> Declined | None:
    journey = catalogue.newest.get(one.journey)
    if journey is None:
        return Declined(HTTPStatus.NOT_FOUND, f"there is no journey {one.journey!r}.")
    entry = next((entry for entry in journey.entries if isinstance(entry, ApiEntry)), None)
    if entry is None:
        return Declined(HTTPStatus.CONFLICT, f"the journey {one.journey!r} has no trigger `api: true`.")
    if journey.status is not JourneyStatus.LIVE:
        return Declined(HTTPStatus.CONFLICT, f"the journey {one.journey!r} is {journey.status}: nobody enters it now.")
    fault = find_value_fault(entry.schema, one.request.properties) if entry.schema else None
    if fault is not None:
        message = f"`properties` do not fit what the journey asks for: {fault}."
        return Declined(HTTPStatus.UNPROCESSABLE_ENTITY, message)
    return None


def _write(connection: Connection, runtime: Runtime, workspace: Workspace, one: Submission, profile_id: int) -> Answer:
    request_id, is_repeated = _identify(connection, runtime, one)
    if not is_repeated:
        said = {"journey": one.journey, "request": request_id, "properties": one.request.properties}
        event = NewEvent(REQUESTED, one.received_at, _SOURCE, _key_of(request_id), profile_id, said)
        append_events(connection, runtime.vault, workspace, [event], one.received_at)
    return Accepted(request_id, is_repeated)


def _identify(connection: Connection, runtime: Runtime, one: Submission) -> tuple[str, bool]:
    """The id of the request, and whether it came before."""
    if one.key is not None:
        request_id = derived_id("entry", one.journey, one.key)
        return request_id, _received_at(connection, request_id) is not None
    # Keyed, because a body with an address could be guessed. A body is told from the same one of another day by the
    # day, and the day before is asked too.
    secret = runtime.vault.signing_key(_PURPOSE, runtime.vault.key_version)
    body = hmac.new(secret, msgspec.json.encode(one.request, order="deterministic"), hashlib.sha256).hexdigest()
    day = (one.received_at - _EPOCH).days
    for number in (day, day - 1):
        request_id = derived_id("entry", one.journey, "body", body, number)
        before = _received_at(connection, request_id)
        if before is not None and one.received_at - before < SAME_BODY:
            return request_id, True
    return derived_id("entry", one.journey, "body", body, day), False


def _received_at(connection: Connection, request_id: str) -> datetime | None:
    query = select(event_key.c.received_at).where(event_key.c.key == _key_of(request_id))
    found: datetime | None = connection.execute(query).scalar()
    return found


def _key_of(request_id: str) -> str:
    return f"{REQUESTED}:{request_id}"


def _find_people(
    connection: Connection, runtime: Runtime, workspace: Workspace, submissions: Sequence[Submission]
) -> list[int | Declined]:
    """The profile that each request means; nobody is made."""
    nobody = Declined(HTTPStatus.UNPROCESSABLE_ENTITY, "nobody is known by that: identify the person first.")
    found: dict[int, int | Declined] = {}
    named: dict[int, dict[IdentityKind, str]] = {}
    numbers: dict[int, int] = {}
    for place, one in enumerate(submissions):
        to = one.request.to
        given = {IdentityKind.EXTERNAL_ID: to.external_id, IdentityKind.EMAIL: to.email, IdentityKind.PHONE: to.phone}
        if to.profile_id is not None:
            numbers[place] = to.profile_id
            continue
        try:
            named[place] = {kind: normalise(kind, value, workspace.country) for kind, value in given.items() if value}
        except InputError as error:
            found[place] = Declined(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
    if named:
        resolved = resolve_each(connection, runtime.vault, list(named.values()), runtime.clock.now(), create=False)
        numbers |= {place: one.profile_id for place, one in zip(named, resolved, strict=True) if one.profile_id}
    survivors = survivors_of(connection, set(numbers.values()))
    living = _living(connection, set(survivors.values()))
    for place, number in numbers.items():
        survivor = survivors.get(number)
        found[place] = survivor if survivor is not None and survivor in living else nobody
    return [found.get(place, nobody) for place in range(len(submissions))]


def _living(connection: Connection, profile_ids: set[int]) -> set[int]:
    query = select(profile.c.id).where(
        profile.c.id.in_(sorted(profile_ids)), profile.c.status != ProfileStatus.ERASED.value
    )
    return set(connection.scalars(query))
