"""All journeys with their versions: what each does now, and who is inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from core.definitions import definition
from delivery.tables import MessageStatus, OriginKind, message
from journeys.lateness import read_lateness
from journeys.model import JourneyStatus
from journeys.standing import count_entered, count_standing
from journeys.tables import enrolment

FINISHING = "finishing"


@dataclass(frozen=True, slots=True)
class Line:
    """One version that is in force, or that somebody is still inside of; `waiting` leaves the held out aside.

    `held` counts messages that are due and held back, `late` timers that should have acted a minute ago or earlier.
    """

    journey: str
    version: int
    status: str
    waiting: int
    held_out: int
    entered: int
    published_at: datetime
    held: int = 0
    late: int = 0


def read_overview(connection: Connection, since: datetime, now: datetime) -> list[Line]:
    """Every journey by name, its newest version first; `entered` counts from `since`.

    `status` is draft, live, paused or archived as the file says, `withdrawn` for one that has no file any more or was
    stopped, and `finishing` for an older version whose people are not through.
    """
    one = definition.c
    query = select(one.slug, one.version, one.document, one.published_at, one.withdrawn_at).where(one.kind == "journey")
    rows = list(connection.execute(query.order_by(one.slug, one.version.desc())))
    newest: dict[str, int] = {}
    for row in rows:
        newest.setdefault(row.slug, row.version)
    held, late = _held(connection), read_lateness(connection, now).timers
    lines: list[Line] = []
    for slug, last in newest.items():
        counts = dict(_counts(connection, slug, since))
        for row in rows:
            if row.slug != slug:
                continue
            waiting, held_out, entered = counts.get(row.version, (0, 0, 0))
            is_newest = row.version == last
            if is_newest or waiting or held_out:
                status = _status(row.document.get("status", JourneyStatus.DRAFT), row.withdrawn_at)
                status = status if is_newest else FINISHING
                place = (slug, row.version)
                counted = (waiting, held_out, entered, row.published_at, held.get(place, 0), late.get(place, 0))
                lines.append(Line(slug, row.version, status, *counted))
    return lines


def _counts(connection: Connection, slug: str, since: datetime) -> Iterator[tuple[int, tuple[int, int, int]]]:
    entered = count_entered(connection, slug, since)
    inside: dict[int, list[int]] = {version: [0, 0] for version in entered}
    for one in count_standing(connection, slug):
        inside.setdefault(one.version, [0, 0])[one.is_held_out] += one.count
    for version, (waiting, held_out) in inside.items():
        yield version, (waiting, held_out, entered.get(version, 0))


def _held(connection: Connection) -> dict[tuple[str, int], int]:
    """Messages that wait for quiet hours, a limit or a rate, by journey and version."""
    query = (
        select(enrolment.c.journey, enrolment.c.version, func.count())
        .join(message, message.c.origin_id == enrolment.c.uid)
        .where(
            message.c.status == MessageStatus.DUE.value,
            message.c.origin_kind == OriginKind.JOURNEY.value,
            message.c.reason.is_not(None),
        )
        .group_by(enrolment.c.journey, enrolment.c.version)
    )
    return {(journey, version): count for journey, version, count in connection.execute(query)}


def _status(written: str, withdrawn_at: datetime | None) -> str:
    return written if withdrawn_at is None else "withdrawn"
