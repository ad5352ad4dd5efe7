"""Dates and instants in rules and in data, and the stretches of time that the date matchers mean.

A value counts as a date when it is text of the form 2026-03-01, and as an instant when it is 2026-03-01T10:00:00 with
an optional fraction (ignored) and `Z` or an offset (without one it is UTC). SQL tests the same forms, see `dialects`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.durations import at_local
from segments.language.rules import Comparison, Operator

# Understood alike by Python, PostgreSQL and RE2; only days that the calendar has, from the year 1000 to 2999.
DATE_FORM = (
    "([12][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    "|02-(0[1-9]|1[0-9]|2[0-8]))|([12][0-9](0[48]|[2468][048]|[13579][26])|1200|1600|2000|2400|2800)-02-29)"
)
INSTANT_FORM = DATE_FORM + "[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])?"

_DATE = re.compile(DATE_FORM)
_INSTANT = re.compile(INSTANT_FORM)
_WITHOUT_SECONDS = re.compile(r"(.{10}[T ]\d\d:\d\d)(Z|[+-]\d\d:\d\d)?", re.ASCII)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Bound:
    """One end of a stretch of time: the instant, and the first day whose midnight is not before it."""

    instant: datetime
    day: date


@dataclass(frozen=True, slots=True)
class Stretch:
    """[start, end); None is open."""

    start: Bound | None = None
    end: Bound | None = None


def parse_moment(text: str) -> date | datetime | None:
    """A date or an instant as it is written in a rule; seconds may be left out. None for any other text."""
    if _DATE.fullmatch(text):
        return date.fromisoformat(text)
    shorter = _WITHOUT_SECONDS.fullmatch(text)
    written = f"{shorter[1]}:00{shorter[2] or ''}" if shorter else text
    return datetime.fromisoformat(written) if _INSTANT.fullmatch(written) else None


def day_of(value: object) -> date | None:
    """The day that a stored value is."""
    return date.fromisoformat(value) if isinstance(value, str) and _DATE.fullmatch(value) else None


def instant_of(value: object) -> datetime | None:
    """The instant that a stored value is, to the second."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    moment = datetime.fromisoformat(value).replace(microsecond=0)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def stretch_of(test: Comparison, now: datetime | None, zone: ZoneInfo) -> Stretch | None:
    """The time that a date matcher means, or None when `test` is no date matcher.

    Raises ValueError for `within` and `older_than` without `now`.
    """
    operand = test.operand
    if isinstance(operand, timedelta):
        if now is None:
            raise ValueError(f"`{test.operator}` needs to know what time it is")
        ago = _bound(now - operand, zone)
        return Stretch(ago, _bound(now, zone)) if test.operator is Operator.WITHIN else Stretch(None, ago)
    if isinstance(operand, tuple):
        ends = [_span(item, zone)[0] for item in operand if isinstance(item, date)]
        return Stretch(*ends) if test.operator is Operator.BETWEEN and len(ends) == len(operand) else None
    if not isinstance(operand, date):
        return None
    start, end = _span(operand, zone)
    return {
        Operator.BEFORE: Stretch(None, start),
        Operator.LT: Stretch(None, start),
        Operator.LTE: Stretch(None, end),
        Operator.ON: Stretch(start, end),
        Operator.GTE: Stretch(start, None),
        Operator.GT: Stretch(end, None),
        Operator.AFTER: Stretch(end, None),
    }[test.operator]


def _span(moment: date | datetime, zone: ZoneInfo) -> tuple[Bound, Bound]:
    """A whole day from midnight to midnight in `zone`, or one instant."""
    if isinstance(moment, datetime):
        naive = moment.tzinfo is None
        instant = at_local(moment.date(), moment.time(), zone) if naive else moment.astimezone(UTC)
        return _bound(instant, zone), _bound(instant + _MICROSECOND, zone)
    following = moment + timedelta(days=1)
    return Bound(_midnight(moment, zone), moment), Bound(_midnight(following, zone), following)


def _bound(instant: datetime, zone: ZoneInfo) -> Bound:
    day = instant.astimezone(zone).date()
    return Bound(instant, day if _midnight(day, zone) >= instant else day + timedelta(days=1))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return at_local(day, time(), zone)
