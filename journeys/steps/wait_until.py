"""`wait_until: {time: 10:00, weekday: [tue, wed]}`: stand still until the profile's own clock shows it.

Whoever arrives at that very instant passes at once. When the profile's zone changes meanwhile, the instant is reckoned
anew from the moment of the change. `{date: renewal, offset: -3d}` waits for a day that an attribute names; where that
is missing or no date the step fails, and when it is past already, `if_past` decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.durations import at_local, parse_offset
from journeys.questions import ProfileValues
from journeys.steps.contract import PROFILE_CHANGE, Decision, Done, End, Fail, Stay, Step, StepSpec, Verb
from journeys.steps.run import Run
from journeys.steps.wait_date import DateWait, check_date, instant_of, looks_like_date, parse_moment
from journeys.transition import EndReason, JournalKind

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """`clock` None means any time of these weekdays (Monday is 0)."""

    clock: time | None
    weekdays: frozenset[int] = frozenset(range(7))


def parse(spec: StepSpec) -> WaitUntil | DateWait:
    data: Any = spec.data["wait_until"]
    if isinstance(data, str):
        if looks_like_date(data):
            check_date(spec, data, "wait_until")
            return DateWait(data, is_attribute=False)
        if not _CLOCK.fullmatch(data):
            hint = 'write a clock ("10:00"), a date (2026-12-24), or `{date: attribute}`'
            spec.report("E103", "wait_until", message=f"'{data}' is neither a clock nor a date", hint=hint)
            return WaitUntil(time())
        return WaitUntil(time.fromisoformat(data))
    days = data.get("weekday", WEEKDAYS)
    weekdays = frozenset(map(WEEKDAYS.index, [days] if isinstance(days, str) else days))
    clock = time.fromisoformat(data["time"]) if data.get("time") else None
    if "date" not in data:
        for word in ("offset", "if_past"):
            if word in data:
                spec.report("E103", "wait_until", word, message=f"`{word}` belongs to a `date`", hint="add `date:`")
        return WaitUntil(clock, weekdays)
    if looks_like_date(data["date"]):
        check_date(spec, data["date"], "wait_until", "date")
    return DateWait(
        source=data["date"],
        is_attribute=not looks_like_date(data["date"]),
        offset=parse_offset(data.get("offset", "0s")),
        clock=clock,
        weekdays=weekdays,
        exits_when_past=data.get("if_past") == "exit",
    )


def advance(step: Step, run: Run) -> Decision:
    zone = run.zone
    if run.memo is not None and run.memo["zone"] == zone.key:
        until = datetime.fromisoformat(run.memo["until"])
        return Done() if run.now >= until else Stay(run.memo, until, [(1, PROFILE_CHANGE)])
    if isinstance(step.action, DateWait):
        found = _date_instant(step.action, run, zone)
        if isinstance(found, Fail):
            return found
        until = found
        if run.memo is None and until < run.now and step.action.exits_when_past:
            return End(EndReason.DATE_PAST)
    else:
        until = next_local(run.now, step.action, zone)
    if run.memo is not None:
        run.note(JournalKind.RESCHEDULED, step=step.id, until=until.isoformat())
    if run.now >= until:
        return Done()
    return Stay({"until": until.isoformat(), "zone": zone.key}, until, [(1, PROFILE_CHANGE)])


def _date_instant(wanted: DateWait, run: Run, zone: ZoneInfo) -> datetime | Fail:
    stated = run.ask(ProfileValues()).get(wanted.source) if wanted.is_attribute else wanted.source
    moment = parse_moment(stated)
    if moment is None:
        what = "is missing" if stated in (None, "") else "is no date"
        return Fail(f"the attribute {wanted.source} {what}", is_final=True)
    try:
        return instant_of(moment, wanted, zone)
    except (OverflowError, ValueError):
        return Fail(f"the attribute {wanted.source} lies outside the calendar", is_final=True)


def next_local(now: datetime, wanted: WaitUntil, zone: ZoneInfo) -> datetime:
    """The earliest instant from `now` (UTC) on at which the clock in `zone` shows what is wanted."""
    today = now.astimezone(zone).date()
    if wanted.clock is None:
        if today.weekday() in wanted.weekdays:
            return now
        wanted = WaitUntil(time(), wanted.weekdays)
    clock = wanted.clock or time()
    # A day that the calendar of a zone leaves out puts its clock on the next one, hence the day before today too.
    # They never fall: no gap is longer than the day that lies between two.
    candidates = (
        at_local(day, clock, zone)
        for day in (today + timedelta(days=offset) for offset in range(-1, 9))
        if day.weekday() in wanted.weekdays
    )
    return next(candidate for candidate in candidates if candidate >= now)


VERB = Verb("wait_until", parse, advance, waits=True)
