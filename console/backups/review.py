"""What waits after a restore, because it fell between the backup and the restore: per campaign and journey, in numbers.

Nobody knows what of it happened before the database was lost. A person decides: `skip_missed` leaves it out, lifting
the pause lets it go.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from campaigns.missed import find_broken_off, find_missed, leave_out_missed, stop_broken_off
from console.backups.mark import Restoration, find_restoration
from core.errors import ConflictError
from core.runtime import Runtime
from customers.workspace import get_workspace
from delivery import pauses
from delivery.gap import count_due_in_gap, skip_due_in_gap
from delivery.tables import OriginKind, message
from journeys.gap import Progress, count_timers_in_gap, run_through

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """Of one campaign or journey: messages that were due, timers that ran out, occurrences that were not launched, and
    launches that had not yet frozen their whole audience.
    """

    kind: str
    name: str
    messages: int = 0
    timers: int = 0
    occurrences: int = 0
    broken_off: int = 0


@dataclass(frozen=True, slots=True)
class Review:
    restoration: Restoration
    waiting: tuple[Waiting, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """What `skip_missed` left out, and the timers that acted without a message."""

    messages: int
    timers: int
    occurrences: int
    broken_off: int


def review(connection: Connection, now: datetime) -> Review | None:
    """What waits since the last restore; None for a database that was never restored."""
    restoration = find_restoration(connection, now)
    if restoration is None:
        return None
    since, until = restoration.made_at, restoration.restored_at
    messages = count_due_in_gap(connection, since, until)
    timers = count_timers_in_gap(connection, until)
    missed = find_missed(connection, since, until)
    broken_off = find_broken_off(connection, until)
    campaigns = {name for kind, name in messages if kind == OriginKind.CAMPAIGN} | {*missed, *broken_off}
    journeys = {name for kind, name in messages if kind == OriginKind.JOURNEY} | {*timers}
    waiting = [
        Waiting(
            OriginKind.CAMPAIGN.value,
            name,
            messages=messages[OriginKind.CAMPAIGN, name],
            occurrences=len(missed.get(name, ())),
            broken_off=len(broken_off.get(name, ())),
        )
        for name in sorted(campaigns)
    ]
    waiting += [
        Waiting(OriginKind.JOURNEY.value, name, messages[OriginKind.JOURNEY, name], timers[name])
        for name in sorted(journeys)
    ]
    return Review(restoration, tuple(waiting))


def skip_missed(runtime: Runtime, now: datetime, progress: Progress) -> Skipped:
    """Leave out what `review` shows, then lift the pause. Raises ConflictError when no restore holds anything back.

    Journeys pass through the time that is missing: their timers act, and the messages that fall due on the way are
    skipped. Killed, it goes on when it is called again: the pause is lifted last.
    """
    with runtime.database.transaction() as connection:
        restoration = find_restoration(connection, now)
        if restoration is None or not restoration.is_held:
            raise ConflictError("no restore holds anything back: see `postilion pauses`.")
        since, until = restoration.made_at, restoration.restored_at
        occurrences = leave_out_missed(connection, since, until, now)
        broken_off = stop_broken_off(connection, until, now)
    of_campaigns = _skip_of_campaigns(runtime, restoration, now, progress)
    timers, of_journeys = run_through(runtime, since, until, lambda done: progress(of_campaigns + done))
    with runtime.database.transaction() as connection:
        pauses.resume(connection, pauses.EVERYTHING)
    return Skipped(of_campaigns + of_journeys, timers, occurrences, broken_off)


def _skip_of_campaigns(runtime: Runtime, restoration: Restoration, now: datetime, progress: Progress) -> int:
    total = 0
    while True:
        with runtime.database.transaction() as connection:
            skipped = skip_due_in_gap(
                connection,
                runtime.vault,
                get_workspace(connection),
                restoration.made_at,
                restoration.restored_at,
                now,
                limit=_BATCH,
                where=message.c.origin_kind == OriginKind.CAMPAIGN,
            )
        if not skipped:
            break
        total += len(skipped)
        progress(total)
    return total
