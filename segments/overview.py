"""Every published segment on one line: its size, who came and went in a day, and how fresh that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, literal, select

from core.columns import Instant
from customers.tables import customer_event
from segments.compiling.dialects import text_in, truth_in
from segments.definition import load_segments
from segments.tables import segment_follow, segment_refresh

ENTERED, LEFT = "segment_entered", "segment_left"

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """`fresh_at` is the instant that the membership is right for (None: never built); the counts are of 24 hours and
    leave out who was there when it was first built.
    """

    segment: str
    name: str
    version: int
    members: int
    entered: int
    left: int
    fresh_at: datetime | None
    refreshed_at: datetime | None


def read_overview(connection: Connection, now: datetime) -> list[Line]:
    """The published segments, by name."""
    refreshed = {row.segment: row for row in connection.execute(select(segment_refresh))}
    followed_to = connection.scalar(select(func.max(segment_follow.c.followed_to)))
    moves = _moves(connection, now - _DAY)
    lines = []
    for slug, segment in load_segments(connection).items():
        row = refreshed.get(slug)
        built = row if row is not None and row.version else None
        instants = [at for at in (built.refreshed_at, followed_to) if at is not None] if built is not None else []
        lines.append(
            Line(
                slug,
                segment.name,
                segment.version,
                built.member_count if built is not None else 0,
                moves[ENTERED].get(slug, 0),
                moves[LEFT].get(slug, 0),
                max(instants, default=None),
                built.refreshed_at if built is not None else None,
            )
        )
    return lines


def _moves(connection: Connection, since: datetime) -> Mapping[str, Mapping[str, int]]:
    """How many entered and left each segment since, by the log."""
    event = customer_event.c
    segment = text_in(event.properties, "segment")
    was_there = func.coalesce(truth_in(event.properties, "initial"), False)
    query = (
        select(event.name, segment, func.count())
        .where(event.name.in_([ENTERED, LEFT]), event.occurred_at >= literal(since, Instant()), ~was_there)
        .group_by(event.name, segment)
    )
    moves: dict[str, dict[str, int]] = defaultdict(dict)
    for name, slug, count in connection.execute(query):
        moves[name][slug] = count
    return moves
