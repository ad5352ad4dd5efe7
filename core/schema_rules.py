"""What a JSON Schema cannot say: dates that exist, zones that are known, units that descend, shares that add
up.

Schemas name these rules by the keyword `x-check`. Each rule is a pure function of the value that it is
written beside; of a value of the wrong type it says nothing, because the schema does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from jsonschema import ValidationError

from core.durations import DurationOrderError, InvalidDurationError, parse_offset
from core.schema_choice import Finding
from core.suggest import did_you_mean
from core.zones import find_zone, known_zones

Rule = Callable[[Any], Iterator[Finding]]

_PERCENT = re.compile(r"\d+(\.\d+)?%", re.ASCII)
_DATE_LIKE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?)?", re.ASCII)
_CLOCK_LIKE = re.compile(r"\d{2}:\d{2}", re.ASCII)


def check(_of: Any, rule: str, value: object, _schema: Mapping[str, Any]) -> Iterator[ValidationError]:
    """The keyword `x-check`, with the signature that jsonschema asks of a keyword."""
    for finding in RULES[rule](value):
        yield finding.as_error()


def _duration(value: object) -> Iterator[Finding]:
    if not isinstance(value, str):
        return
    try:
        parse_offset(value)
    except DurationOrderError as error:
        hint = f"write {error.ordered}" if error.ordered else "write each unit once: y mo w d h m s"
        yield Finding("E135", f"the units of '{value}' are not in descending order", hint)
    except InvalidDurationError as error:
        if "hundred years" in str(error):
            yield Finding("E103", f"'{value}' is longer than a hundred years", "write a shorter duration")


def _percent(value: object) -> Iterator[Finding]:
    share = as_percent(value)
    if share is None:
        return
    if not 0 <= share <= 100:
        yield Finding("E130", f"{value} is not between 0 % and 100 %", "write 10 or 10%")
    elif share != round(share, 2):
        yield Finding("E130", f"{value} has more than two decimals", f"write {round(share, 2)}%")


def _holdout(value: object) -> Iterator[Finding]:
    share = as_percent(value)
    if share is not None and share >= 100:
        yield Finding("E130", f"a holdout of {value} leaves nobody", "write less than 100%, such as 10%")
    else:
        yield from _percent(value)


def as_percent(value: object) -> Decimal | None:
    """10 and '10%' as 10, exactly; None for what is no percentage."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return Decimal(str(value))
    return Decimal(value[:-1]) if isinstance(value, str) and _PERCENT.fullmatch(value) else None


def _weights(value: object) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        return
    total = Decimal(0)
    for arm, content in value.items():
        weight = content.get("weight", 1) if isinstance(content, Mapping) else 1
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            return
        if weight < 0:
            yield Finding("E130", f"the weight {weight} is negative", "write 0 or more", (arm, "weight"))
        total += max(Decimal(str(weight)), Decimal(0))
    if total <= 0:
        yield Finding("E130", "the weights add up to 0, so nobody could be drawn", "give one arm a weight above 0")


def _bandit_floor(value: object) -> Iterator[Finding]:
    arms = value.get("bandit") if isinstance(value, Mapping) else None
    floor = as_percent(value.get("floor")) if isinstance(value, Mapping) else None
    if isinstance(arms, Mapping) and floor is not None and floor * len(arms) > 100:
        most = round(Decimal(100) / len(arms) - Decimal("0.005"), 2)
        message = f"{len(arms)} arms with a floor of {floor:f}% need more than 100%"
        yield Finding("E130", message, f"write {most:f}% at most", ("floor",))


def _quiet_hours(value: object) -> Iterator[Finding]:
    if isinstance(value, Mapping) and isinstance(value.get("from"), str) and value["from"] == value.get("to"):
        message = f"from and to are both {value['from']}"
        yield Finding("E131", message, "write two different times, or leave the entry out", ("to",))


def _zone(value: object) -> Iterator[Finding]:
    if isinstance(value, str) and find_zone(value) is None:
        hint = did_you_mean(value, known_zones()) or "write an IANA name such as Europe/Berlin"
        yield Finding("E132", f"'{value}' is not a time zone", hint)


def _date(value: object) -> Iterator[Finding]:
    if not isinstance(value, str) or not _DATE_LIKE.fullmatch(value):
        return
    try:
        datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
    except ValueError:
        yield Finding("E133", f"there is no {value}", "look at the calendar and the clock")


def _month_day(value: object) -> Iterator[Finding]:
    if isinstance(value, int) and 28 < value <= 31:
        yield Finding("W133", f"not every month has a day {value}", "write 28 or less to be sure of every month")


def _send(value: object) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        return
    at = value.get("at")
    if "every" not in value and "at" not in value:
        yield Finding("E101", "nothing says when it is sent", "add 'at:' with a date and time, or 'every:'")
    elif isinstance(at, str) and "every" in value and _DATE_LIKE.fullmatch(at):
        yield Finding("E103", f"'{at}' is a single moment beside 'every'", "write a time such as 09:30", ("at",))
    elif isinstance(at, str) and "every" not in value and _CLOCK_LIKE.fullmatch(at):
        hint = f"write 2027-03-20T{at}, or add 'every: day'"
        yield Finding("E103", f"'{at}' says no date", hint, ("at",))


def _regex(value: object) -> Iterator[Finding]:
    if not isinstance(value, str):
        return
    try:
        re.compile(value)
    except re.error as error:
        yield Finding("E103", f"'{value}' is not a regular expression: {error}", "correct it, or leave it out")


def _one_of(*keys: str) -> Rule:
    def rule(value: object) -> Iterator[Finding]:
        if not isinstance(value, Mapping):
            return
        present = [key for key in value if key in keys]
        if not present:
            yield Finding("E101", f"one of {', '.join(keys)} is missing", "add one of them")
        for extra in present[1:]:
            message = f"'{present[0]}' and '{extra}' exclude each other"
            yield Finding("E103", message, "keep one of them", (extra,), at_key=True)

    return rule


RULES: Mapping[str, Rule] = {
    "bandit_floor": _bandit_floor,
    "date": _date,
    "duration": _duration,
    "holdout": _holdout,
    "month_day": _month_day,
    "offset": _duration,
    "owns": _one_of("product", "category"),
    "percent": _percent,
    "quiet_hours": _quiet_hours,
    "rank": _one_of("top", "bottom", "quintile"),
    "rank_by": _one_of("count", "sum", "avg", "min", "max", "first", "last", "distinct"),
    "regex": _regex,
    "send": _send,
    "weights": _weights,
    "zone": _zone,
}
