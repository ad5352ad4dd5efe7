"""Requests under the law (GDPR articles 15 to 21): what somebody asked for, until when, and the proof of what was done.

A request is received, and then done or refused with a reason. What doing it means spans every package and stands in
`console/rights/`; here is only the register. A proof holds counts, hashes and instants, nothing about the person.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, insert, select, update

from core.durations import Duration, add_calendar
from core.errors import ConflictError, NotFoundError
from customers.rights_tables import rights_request

_ANSWER_WITHIN = Duration(months=1)


class Right(StrEnum):
    """What can be asked for."""

    EXPORT = "export"
    RECTIFY = "rectify"
    RESTRICT = "restrict"
    UNRESTRICT = "unrestrict"
    OBJECT = "object"
    UNOBJECT = "unobject"
    ERASE = "erase"


class RequestStatus(StrEnum):
    OPEN = "open"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `due_at` is the law's deadline; `done_at` is when it was done or refused."""

    id: int
    profile_id: int
    kind: Right
    status: RequestStatus
    requested_at: datetime
    due_at: datetime
    done_at: datetime | None
    requested_by: str
    proof: Mapping[str, Any]

    def is_overdue(self, now: datetime) -> bool:
        return self.status is RequestStatus.OPEN and now >= self.due_at


def due_for(requested_at: datetime, zone: ZoneInfo) -> datetime:
    """One calendar month after the request (GDPR article 12(3)): the same day of the next month, or its last."""
    return add_calendar(requested_at, _ANSWER_WITHIN, zone)


def receive(
    connection: Connection, profile_id: int, kind: Right, *, requested_by: str, at: datetime, zone: ZoneInfo
) -> Request:
    """Open a request that arrived at `at`, to be done later. Raises ConflictError where the same one is open."""
    standing = find_open(connection, [profile_id], kind)
    if standing is not None:
        raise ConflictError(
            f"request {standing.id} asks for the same already, since {standing.requested_at:%Y-%m-%d}: "
            "do that one, or refuse it first."
        )
    return _insert(connection, profile_id, kind, requested_by, at, due_for(at, zone))


def complete(
    connection: Connection,
    profile_ids: Collection[int],
    kind: Right,
    *,
    requested_by: str,
    proof: Mapping[str, Any],
    now: datetime,
    zone: ZoneInfo,
) -> Request:
    """Write down that it was done: closes the open request of `kind`, or makes one that is done at once.

    `profile_ids` are all profiles of the person, the one that a new request is about first. What stood in an open
    request's proof stays beside `proof`.
    """
    standing = find_open(connection, profile_ids, kind)
    if standing is None:
        standing = _insert(connection, next(iter(profile_ids)), kind, requested_by, now, due_for(now, zone))
    _close(connection, standing.id, RequestStatus.DONE, {**standing.proof, **proof}, now)
    return get_request(connection, standing.id)


def note_proof(connection: Connection, request_id: int, proof: Mapping[str, Any]) -> None:
    """Replace the proof so far of an open request."""
    connection.execute(update(rights_request).where(rights_request.c.id == request_id).values(proof=dict(proof)))


def refuse(connection: Connection, request_id: int, *, because: str, refused_by: str, now: datetime) -> Request:
    """Close an open request without doing it; the reason has to be told to the person (GDPR article 12(4))."""
    request = get_request(connection, request_id)
    if request.status is not RequestStatus.OPEN:
        raise ConflictError(f"request {request_id} is {request.status} already: see `postilion privacy requests`.")
    proof = {**request.proof, "because": because, "refused_by": refused_by}
    _close(connection, request_id, RequestStatus.REFUSED, proof, now)
    return get_request(connection, request_id)


def get_request(connection: Connection, request_id: int) -> Request:
    row = connection.execute(select(rights_request).where(rights_request.c.id == request_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no request {request_id}: see `postilion privacy requests`.")
    return _request(row)


def find_open(connection: Connection, profile_ids: Collection[int], kind: Right) -> Request | None:
    """The oldest open request of `kind` of a person."""
    asked = rights_request.c
    query = (
        select(rights_request)
        .where(asked.profile_id.in_(profile_ids), asked.kind == kind.value, asked.status == RequestStatus.OPEN.value)
        .order_by(asked.requested_at, asked.id)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return _request(row) if row is not None else None


def find_latest_done(connection: Connection, profile_ids: Collection[int], kind: Right) -> Request | None:
    """The last time that `kind` was done for a person."""
    asked = rights_request.c
    query = (
        select(rights_request)
        .where(asked.profile_id.in_(profile_ids), asked.kind == kind.value, asked.status == RequestStatus.DONE.value)
        .order_by(asked.done_at.desc(), asked.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return _request(row) if row is not None else None


def list_requests(connection: Connection, *, status: RequestStatus | None = None) -> list[Request]:
    """The requests, the most pressing first."""
    query = select(rights_request).order_by(rights_request.c.due_at, rights_request.c.id)
    if status is not None:
        query = query.where(rights_request.c.status == status.value)
    return [_request(row) for row in connection.execute(query)]


def _insert(
    connection: Connection, profile_id: int, kind: Right, requested_by: str, at: datetime, due_at: datetime
) -> Request:
    values = {
        "profile_id": profile_id,
        "kind": kind.value,
        "status": RequestStatus.OPEN.value,
        "requested_at": at,
        "due_at": due_at,
        "requested_by": requested_by[:100],
    }
    statement = insert(rights_request).values(**values).returning(rights_request.c.id)
    return get_request(connection, connection.execute(statement).scalar_one())


def _close(
    connection: Connection, request_id: int, status: RequestStatus, proof: Mapping[str, Any], now: datetime
) -> None:
    values = {"status": status.value, "done_at": now, "proof": dict(proof)}
    connection.execute(update(rights_request).where(rights_request.c.id == request_id).values(**values))


def _request(row: Row[Any]) -> Request:
    return Request(
        row.id,
        row.profile_id,
        Right(row.kind),
        RequestStatus(row.status),
        row.requested_at,
        row.due_at,
        row.done_at,
        row.requested_by,
        row.proof,
    )
