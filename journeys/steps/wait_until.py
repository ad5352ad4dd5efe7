"""`wait_until: {time: 10:00, weekday: [tue, wed]}`: stand still until the profile's own clock shows it.

Whoever arrives at that very instant passes at once. When the profile's zone changes meanwhile, the instant is reckoned
anew from the moment of the change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.durations import at_local
from journeys.steps.contract import PROFILE_CHANGE, Decision, Done, Stay, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.transition import JournalKind

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """`clock` None means any time of these weekdays (Monday is 0)."""

    clock: time | None
    weekdays: frozenset[int] = frozenset(range(7))


def parse(spec: StepSpec) -> WaitUntil:
    data: Any = spec.data["wait_until"]
    if isinstance(data, str):
        if not _CLOCK.fullmatch(data):
            spec.not_yet("wait_until", what=f"waiting until '{data}'")
            return WaitUntil(time())
        return WaitUntil(time.fromisoformat(data))
    for word in ("date", "offset", "if_past"):
        if word in data:
            spec.not_yet("wait_until", word)
    days = data.get("weekday", WEEKDAYS)
    chosen = [days] if isinstance(days, str) else days
    clock = data.get("time")
    return WaitUntil(time.fromisoformat(clock) if clock else None, frozenset(map(WEEKDAYS.index, chosen)))


def advance(step: Step, run: Run) -> Decision:
    zone = run.zone
    if run.memo is None:
        until = next_local(run.now, step.action, zone)
    else:
        until = datetime.fromisoformat(run.memo["until"])
        if run.memo["zone"] != zone.key:
            until = next_local(run.now, step.action, zone)
            run.note(JournalKind.RESCHEDULED, step=step.id, until=until.isoformat())
    if run.now >= until:
        return Done()
    return Stay({"until": until.isoformat(), "zone": zone.key}, until, [(1, PROFILE_CHANGE)])


def next_local(now: datetime, wanted: WaitUntil, zone: ZoneInfo) -> datetime:
    """The earliest instant from `now` (UTC) on at which the clock in `zone` shows what is wanted."""
    today = now.astimezone(zone).date()
    if wanted.clock is None:
        if today.weekday() in wanted.weekdays:
            return now
        wanted = WaitUntil(time(), wanted.weekdays)
    clock = wanted.clock or time()
    # A day that the calendar of a zone leaves out puts its clock on the next one, hence the day before today too.
    candidates = (
        at_local(day, clock, zone)
        for day in (today + timedelta(days=offset) for offset in range(-1, 9))
        if day.weekday() in wanted.weekdays
    )
    return min(candidate for candidate in candidates if candidate >= now).astimezone(UTC)


VERB = Verb("wait_until", parse, advance, waits=True)
