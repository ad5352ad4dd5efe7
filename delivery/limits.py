"""Who counts under the limits of a batch of messages: one query for all of them, through the index of their people.

A message that is claimed, being sent, sent, or whose outcome is unknown occupies its place; transactional ones never
do. Among those that are only claimed, whoever was claimed first is ahead, and of one claim the order is priority, then
what was due first, then the id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from core.clock import from_micros, to_micros
from delivery.envelope import MessageRow
from delivery.policy import Cap, Then
from delivery.tables import MessageKind, MessageStatus, OriginKind

_OCCUPYING = (MessageStatus.CLAIMED, MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.UNKNOWN)
_FIRM = (MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.UNKNOWN)
_LOCKS = 1 << 42  # beside the numbers that other locks have
_LOCK_PEOPLE = "SELECT pg_advisory_xact_lock(id + %s) FROM unnest(%s::bigint[]) AS id"
_COLUMNS = "id, profile_id, channel, topic, origin_kind, origin, origin_id, step, status, priority, due_at"

_Rank = tuple[datetime, int, datetime, str]


@dataclass(frozen=True, slots=True)
class Occupant:
    """A message that may count; `rank` is its place in the queue while it is only claimed."""

    id: str
    channel: str
    topic: str
    origin_kind: str
    origin: str
    origin_id: str
    step: str | None
    at: datetime
    rank: _Rank | None

    @property
    def label(self) -> str:
        """Whose message it is: `journey:welcome/hello`, `campaign:spring`."""
        step = f"/{self.step}" if self.step else ""
        return f"{self.origin_kind}:{self.origin}{step}"


def find_occupants(
    connection: Connection,
    rows: Sequence[MessageRow],
    now: datetime,
    *,
    statuses: Sequence[MessageStatus] = _OCCUPYING,
) -> dict[int, list[Occupant]]:
    """What occupies places by profile, as far back as any limit of these rows looks."""
    limited = _limited(rows)
    found: dict[int, list[Occupant]] = defaultdict(list)
    if not limited:
        return found
    people = sorted({row.profile_id for row in limited})
    since = to_micros(_reach([limit for row in limited for limit in row.policy["limits"]], now))
    question = _question(connection.dialect.name, len(people), tuple(statuses))
    for row in connection.exec_driver_sql(question, (*people, since, since)):
        at = from_micros(row.claimed_at if row.sent_at is None else row.sent_at)
        rank = None
        if row.status == MessageStatus.CLAIMED:
            rank = (from_micros(row.claimed_at), -row.priority, from_micros(row.due_at), row.id)
        origin = (row.origin_kind, row.origin, row.origin_id, row.step)
        found[row.profile_id].append(Occupant(row.id, row.channel, row.topic, *origin, at, rank))
    return found


def recount(connection: Connection, rows: Sequence[MessageRow], now: datetime) -> dict[str, list[Cap]]:
    """The limits of those `rows` that have any, as they stand when this very transaction marks them `sending`.

    Until it ends nobody else marks messages to the same people. Of what is only claimed just `rows` count: whoever is
    marked first has the place, however the workers' clocks go.
    """
    limited = _limited(rows)
    if not limited:
        return {}
    people = sorted({row.profile_id for row in limited})
    if connection.dialect.name == "postgresql":  # on SQLite whoever writes is alone
        connection.exec_driver_sql(_LOCK_PEOPLE, (_LOCKS, people))
    occupants = find_occupants(connection, limited, now, statuses=_FIRM)
    for row in limited:
        origin = (row.origin_kind, row.origin, row.origin_id, row.step)
        one = Occupant(row.id, row.channel, row.topic, *origin, row.claimed_at, _rank(row))
        occupants[row.profile_id].append(one)
    return {row.id: caps_of(row, occupants[row.profile_id]) for row in limited}


def caps_of(row: MessageRow, occupants: Sequence[Occupant]) -> list[Cap]:
    """The limits that hold for `row`, with what is ahead of it under each."""
    if row.kind != MessageKind.MARKETING:
        return []
    ahead = [one for one in occupants if one.id != row.id and _is_ahead(one, row)]
    return [_cap(limit, row, ahead) for limit in row.policy.get("limits", ()) if _is_about(limit, row)]


def _limited(rows: Sequence[MessageRow]) -> list[MessageRow]:
    return [row for row in rows if row.kind == MessageKind.MARKETING and row.policy.get("limits")]


def _cap(limit: Mapping[str, Any], row: MessageRow, ahead: Sequence[Occupant]) -> Cap:
    counting = [one for one in ahead if _counts(one, limit, row)]
    last = max(counting, key=lambda one: (one.at, one.id), default=None)
    return Cap(
        messages=limit["messages"],
        per=None if limit["per_s"] is None else timedelta(seconds=limit["per_s"]),
        then=Then(limit.get("then", Then.SKIP)),
        occupied_at=[one.at for one in counting],
        taken_by=last.label if last else "",
    )


def _reach(limits: Sequence[Mapping[str, Any]], now: datetime) -> datetime:
    """How far back any of these limits looks; a limit of a whole run looks back for ever."""
    if any(limit["per_s"] is None for limit in limits):
        return from_micros(0)
    return now - timedelta(seconds=max(limit["per_s"] for limit in limits))


@lru_cache(maxsize=1024)
def _question(dialect: str, people: int, statuses: tuple[MessageStatus, ...]) -> str:
    """Plain SQL, because it is asked before every few calls and composing it would cost more than asking."""
    mark = "?" if dialect == "sqlite" else "%s"
    among = ", ".join(f"'{one}'" for one in statuses)
    return (
        f"SELECT {_COLUMNS}, claimed_at, sent_at FROM message WHERE profile_id IN ({', '.join([mark] * people)}) "
        f"AND kind = '{MessageKind.MARKETING}' AND status IN ({among}) "
        f"AND (sent_at > {mark} OR (sent_at IS NULL AND claimed_at > {mark}))"
    )


def _rank(row: Any) -> _Rank:
    return (row.claimed_at, -row.priority, row.due_at, row.id)


def _is_ahead(one: Occupant, row: MessageRow) -> bool:
    """Whatever was called is ahead of what is claimed, and that of what nobody has claimed yet."""
    return one.rank is None or row.claimed_at is None or one.rank < _rank(row)


def _is_about(limit: Mapping[str, Any], row: MessageRow) -> bool:
    """A limit of a channel or a topic holds back the messages of that channel or topic alone."""
    return bool(limit.get("channel", row.channel) == row.channel and limit.get("topic", row.topic) == row.topic)


def _counts(one: Occupant, limit: Mapping[str, Any], row: MessageRow) -> bool:
    """Does `one` count under `limit` of `row`? A limit of the whole run counts one enrolment's messages."""
    if limit.get("channel", one.channel) != one.channel or limit.get("topic", one.topic) != one.topic:
        return False
    if limit["per_s"] is None:
        return bool(one.origin_id == row.origin_id)
    match limit.get("scope", "workspace"):
        case "workspace":
            return True
        case "journeys":
            return one.origin_kind == OriginKind.JOURNEY
        case "topic":
            return bool(one.topic == row.topic)
        case _:
            return bool((one.origin_kind, one.origin) == (row.origin_kind, row.origin))
