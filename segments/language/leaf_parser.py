"""The longer leaves from YAML data: sequences, ownership, places, anniversaries, local hours and accounts.

As in `parser`, the data has passed its schema; here come the faults of meaning.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any

from core.durations import InvalidDurationError, parse_duration
from core.located import KeyPath
from customers.accounts import Role
from segments.language.case_words import parse_word
from segments.language.matcher_parser import Report, parse_matcher, parse_where
from segments.language.rules import (
    AccountRule,
    AnniversaryRule,
    Constant,
    Leaf,
    LocalTimeRule,
    Matcher,
    NearRule,
    OwnedBy,
    OwnsRule,
    SequencePart,
    SequenceRule,
    Since,
)

Data = Mapping[str, Any]

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = timedelta(days=1)
_MOST_DAYS = 366  # every date returns in so many


def parse_sequence(data: Data, report: Report, path: KeyPath) -> Leaf:
    parts = tuple(_part(part, report, (*path, "sequence", place)) for place, part in enumerate(data["sequence"]))
    within = _length(data.get("within"), report, (*path, "within"))
    return SequenceRule(parts, within, Since(data.get("since", Since.EVER)), path=path)


def _part(data: str | Data, report: Report, path: KeyPath) -> SequencePart:
    if isinstance(data, str):
        return SequencePart((data,))
    return SequencePart(_names(data["event"]), parse_where(data.get("where", {}), report, (*path, "where")))


def parse_owns(data: Data, report: Report, path: KeyPath) -> Leaf:
    asked = data["owns"]
    by = next(kind for kind in OwnedBy if kind in asked)
    within = _length(asked.get("within"), report, (*path, "owns", "within"))
    return OwnsRule(by, _names(asked[by]), within, path=path)


def parse_near(data: Data, _report: Report, path: KeyPath) -> Leaf:
    asked = data["near"]
    return NearRule(float(asked["lat"]), float(asked["lon"]), float(asked["km"]), path=path)


def parse_anniversary(data: Data, report: Report, path: KeyPath) -> Leaf:
    asked = data["anniversary"]
    place = (*path, "anniversary", "in_next")
    length = _length(asked["in_next"], report, place)
    if length is None:
        return Constant(False, path=path)
    if length % _DAY or length > _MOST_DAYS * _DAY:
        message = f"'{asked['in_next']}' is not 1 to {_MOST_DAYS} whole days"
        report("E103", place, message, "write days, such as 7d: a date returns once a year")
        return Constant(False, path=path)
    return AnniversaryRule(asked["attribute"], length // _DAY, path=path)


def parse_local_time(data: Data, report: Report, path: KeyPath) -> Leaf:
    asked = data["local_time"]
    start = time.fromisoformat(asked.get("from", "00:00"))
    end = time.fromisoformat(asked["to"]) if "to" in asked else None
    if start == end:
        report("E131", (*path, "local_time", "to"), "no time lies between equal hours", "write another hour")
        return Constant(False, path=path)
    if end == time.min:
        end = None
    days = asked.get("weekday", _WEEKDAYS)
    weekdays = frozenset(_WEEKDAYS.index(day) for day in ([days] if isinstance(days, str) else days))
    return LocalTimeRule(start, end, weekdays, path=path)


def parse_account(data: Data, report: Report, path: KeyPath) -> Leaf:
    asked, place = data["account"], (*path, "account")
    columns: dict[str, Matcher] = {
        word: parse_matcher(asked[word], report, (*place, word)) for word in ("key", "name", "country") if word in asked
    }
    if "role" in asked:
        columns["role"] = parse_word("role", "a member", list(Role), asked["role"], report, (*place, "role"))
    where = parse_where(asked.get("where", {}), report, (*place, "where"))
    return AccountRule(**columns, where=where, path=path)


def _names(data: str | list[str]) -> tuple[str, ...]:
    names = [data] if isinstance(data, str) else data
    return tuple(dict.fromkeys(unicodedata.normalize("NFC", name) for name in names))


def _length(text: str | None, report: Report, path: KeyPath) -> timedelta | None:
    """Elapsed time; reports one that nothing fits in."""
    if text is None:
        return None
    try:
        length = parse_duration(text).as_elapsed()
    except InvalidDurationError as error:
        report("E103", path, *error.told)
        return None
    if not length:
        report("E103", path, "nothing happens in no time", "write a length such as 7d")
        return None
    return length
