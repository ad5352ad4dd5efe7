"""`send:` from YAML to a schedule, with the faults of meaning at their places. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any

from campaigns.schedule import Every, Misfire, NoTimezone, Schedule
from segments.language.matcher_parser import Report

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DATE_LENGTH = len("2027-03-20")


def parse_send(data: Any, report: Report) -> Schedule | None:
    """The schedule that `data` means; None for `manual`."""
    if data == "manual":
        return None
    every = Every(data["every"]) if "every" in data else None
    is_local = data.get("local", False)
    _report_contradictions(data, every, report, is_local=is_local)
    return Schedule(
        at=_moment(data, report, is_local=is_local) if every is None else None,
        every=every,
        clock=time.fromisoformat(data["at"]) if every and "at" in data else Schedule().clock,
        weekdays=_weekdays(data.get("weekday")),
        day=data.get("day", Schedule().day),
        start=_bound(data, "from", report, is_local=is_local),
        end=_bound(data, "to", report, is_local=is_local),
        is_local=is_local,
        no_timezone=NoTimezone(data.get("no_timezone", NoTimezone.USE_DEFAULT)),
        misfire=Misfire(data.get("misfire", Misfire.LATEST)),
    )


def _report_contradictions(data: Mapping[str, Any], every: Every | None, report: Report, *, is_local: bool) -> None:
    if every is None:
        for key in ("weekday", "day", "from", "to"):
            if key in data:
                report("E103", ("send", key), f"'{key}' needs a rhythm", "add 'every: week', say", at_key=True)
        return
    if every is Every.WEEK and "weekday" not in data:
        report("E101", ("send",), "nothing says on which day of the week", "add 'weekday: wed'")
    if every is Every.MONTH and "day" not in data:
        report("E101", ("send",), "nothing says on which day of the month", "add 'day: 1'")
    if every is not Every.MONTH and "day" in data:
        report("E103", ("send", "day"), f"'day' has no meaning beside 'every: {every}'", "write 'every: month'")
    if every is Every.MONTH and "weekday" in data:
        report("E103", ("send", "weekday"), "'weekday' has no meaning beside 'every: month'", "keep 'day' alone")
    if every is Every.HOUR and is_local:
        report("E103", ("send", "local"), "every hour comes for everybody alike", "leave 'local' out")


def _moment(data: Mapping[str, Any], report: Report, *, is_local: bool) -> datetime | None:
    written = data.get("at", "")
    if len(written) <= _DATE_LENGTH:
        report("E103", ("send", "at"), f"'{written}' says no time of day", f"write {written}T09:00")
        return None
    at = datetime.fromisoformat(written)
    if is_local and at.tzinfo is not None:
        message = "a moment with an offset is the same for everybody, and 'local' asks for each person's clock"
        report("E103", ("send", "at"), message, f"write {at.replace(tzinfo=None).isoformat(timespec='minutes')}")
        return None
    return at


def _bound(data: Mapping[str, Any], key: str, report: Report, *, is_local: bool) -> datetime | None:
    """The beginning of a date, or the moment that is written."""
    if key not in data:
        return None
    bound = datetime.fromisoformat(data[key])
    if is_local and bound.tzinfo is not None:
        report("E103", ("send", key), "a local send is bounded by dates without an offset", "leave the offset out")
        return None
    return bound


def _weekdays(value: str | list[str] | None) -> frozenset[int]:
    if value is None:
        return Schedule().weekdays
    return frozenset(_WEEKDAYS.index(day) for day in ([value] if isinstance(value, str) else value))
