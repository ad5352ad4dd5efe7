"""The one way in which a few people enter and leave segments: the membership, its events and its count, together.

What the table says decides who moved, so that a repetition, or somebody else who was faster, writes nothing twice. The
whole population moves by `refresh`, inside the database, with the same keys and events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from core.bulk import among, insert_few
from core.clock import to_micros
from core.database import batches
from customers.log import NewEvent, append_own_events
from customers.tables import event_key
from segments.language.timing import Timing
from segments.tables import membership, segment_refresh

ENTERED, LEFT = "segment_entered", "segment_left"
SOURCE = "segments"

_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Moves:
    """Who shall be in a segment, and who shall not."""

    entering: Collection[int] = ()
    leaving: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Moved:
    """How many did."""

    entered: int = 0
    left: int = 0

    def __add__(self, other: Moved) -> Moved:
        return Moved(self.entered + other.entered, self.left + other.left)


def asks_for_moves(timing: Timing) -> bool:
    """Whether somebody's answer may change because they entered or left a segment."""
    return any({ENTERED, LEFT} & set(window.names) for window in timing.windows)


def move_members(connection: Connection, moves: Mapping[str, Moves], now: datetime) -> Moved:
    """Bring these people into and out of these segments (by slug) as of `now`; answers how many really moved."""
    events: list[NewEvent] = []
    entered_count = left_count = 0
    for slug, wanted in sorted(moves.items()):
        entered, left = _admit(connection, slug, wanted.entering, now), _dismiss(connection, slug, wanted.leaving)
        events += _events(ENTERED, slug, entered, now) + _events(LEFT, slug, left, now)
        entered_count, left_count = entered_count + len(entered), left_count + len(left)
        if len(entered) != len(left):
            count = segment_refresh.c.member_count
            more = update(segment_refresh).where(segment_refresh.c.segment == slug)
            connection.execute(more.values(member_count=count + len(entered) - len(left)))
    append_own_events(connection, _with_new_keys(connection, events), now)
    return Moved(entered_count, left_count)


def forget_members(connection: Connection, profile_ids: Collection[int]) -> int:
    """Delete the memberships of people who were erased; answers how many there were. The log learns nothing more."""
    gone = delete(membership).where(membership.c.profile_id.in_(profile_ids)).returning(membership.c.segment)
    counts = Counter(connection.scalars(gone))
    for slug, count in sorted(counts.items()):
        fewer = update(segment_refresh).where(segment_refresh.c.segment == slug)
        connection.execute(fewer.values(member_count=segment_refresh.c.member_count - count))
    return counts.total()


def _admit(connection: Connection, slug: str, profile_ids: Iterable[int], now: datetime) -> list[int]:
    at = to_micros(now)
    rows = [(slug, number, at) for number in sorted(profile_ids)]
    columns = ("segment", "profile_id", "entered_at")
    return sorted(insert_few(connection, membership, columns, rows, returning="profile_id"))


def _dismiss(connection: Connection, slug: str, profile_ids: Collection[int]) -> list[int]:
    gone: list[int] = []
    member = membership.c
    for some in batches(sorted(profile_ids), _BATCH):
        those = delete(membership).where(member.segment == slug, among(connection, member.profile_id, some))
        gone += connection.scalars(those.returning(member.profile_id))
    return sorted(gone)


def _events(name: str, slug: str, profile_ids: Iterable[int], now: datetime) -> list[NewEvent]:
    at = to_micros(now)
    return [
        NewEvent(name, now, SOURCE, f"{name}:{slug}:{number}:{at}", number, {"segment": slug}) for number in profile_ids
    ]


def _with_new_keys(connection: Connection, events: Sequence[NewEvent]) -> list[NewEvent]:
    """A clock that was set back can show the instant of an earlier move once more: that one was another."""
    keyed: list[NewEvent] = []
    waiting = list(events)
    turn = 1
    while waiting:
        taken: set[str] = set()
        for some in batches([event.key for event in waiting], _BATCH):
            taken.update(connection.scalars(select(event_key.c.key).where(among(connection, event_key.c.key, some))))
        keyed += [event for event in waiting if event.key not in taken]
        turn += 1
        waiting = [_again(event, turn) for event in waiting if event.key in taken]
    return keyed


def _again(event: NewEvent, turn: int) -> NewEvent:
    first = event.key if turn == 2 else event.key.rpartition("#")[0]
    return NewEvent(event.name, event.occurred_at, event.source, f"{first}#{turn}", event.profile_id, event.properties)
