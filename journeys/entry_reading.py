"""`enter:` and `schedule:` of a journey, from YAML to values: who comes in by which door, and when doors are open.

Pure. The data fits its schema; what is wrong beyond that is reported at its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any

from campaigns.schedule import NoTimezone
from campaigns.send_words import parse_send
from core.durations import Duration, InvalidDurationError, parse_offset
from core.located import KeyPath
from core.value_schema import find_schema_fault
from journeys.entries.kinds import Admissions, ApiEntry, DateEntry, LeapDay, Repeat, ScheduleEntry
from journeys.model import DEFAULT_MAX_AGE, SHORTEST_RHYTHM, Edge, Entry, EventEntry, SegmentEntry
from journeys.steps.contract import NameKind, StepSpec
from segments.language.matcher_parser import parse_where
from segments.language.rules import Rule

_AROUND = ("local", "no_timezone", "misfire")  # beside the rhythm, not inside it


def read_entries(top: StepSpec, data: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> tuple[Entry, ...]:
    """The triggers, in the order of the file."""
    if isinstance(data, Mapping):
        return (_entry(top, data, ("enter",), 1),)
    entries: list[Entry] = []
    for place, item in enumerate(data):
        number = 1 + sum(isinstance(entry, ScheduleEntry) for entry in entries)
        entries.append(_entry(top, item, ("enter", place), number))
    return tuple(entries)


def read_admissions(top: StepSpec, data: Mapping[str, Any]) -> Admissions:
    """The journey's own `schedule`."""
    is_local = data.get("local", False)
    bounds: dict[str, datetime] = {}
    for word in ("from", "to"):
        if word not in data:
            continue
        bounds[word] = datetime.fromisoformat(data[word])
        if is_local and bounds[word].tzinfo is not None:
            message = "a moment with an offset is the same for everybody, and 'local' asks for each person's clock"
            top.report("E103", "schedule", word, message=message, hint="leave the offset out")
            del bounds[word]
    start, end = bounds.get("from"), bounds.get("to")
    is_comparable = start is not None and end is not None and (start.tzinfo is None) == (end.tzinfo is None)
    if start is not None and end is not None and is_comparable and end <= start:
        top.report("E103", "schedule", "to", message="the end is not after the beginning", hint="write a later 'to'")
    return Admissions(start, end, is_local, NoTimezone(data.get("no_timezone", NoTimezone.USE_DEFAULT)))


def _entry(top: StepSpec, data: Mapping[str, Any], path: tuple[str | int, ...], number: int) -> Entry:
    condition = top.conditions(data["if"], *path, "if") if "if" in data else None
    if "schedule" in data:
        return _scheduled(top, {**data["schedule"], **_around(data)}, data["segment"], path, number)
    if "at" in data:
        return _scheduled(top, {"at": data["at"], **_around(data)}, data["segment"], path, number)
    if "date" in data:
        return _date(top, data, path, condition)
    if "api" in data:
        return _api(top, data, path)
    if "segment" in data:
        return _segment(top, data, path, condition)
    return _event(top, data, path, condition)


def _event(top: StepSpec, data: Mapping[str, Any], path: tuple[str | int, ...], condition: Rule | None) -> EventEntry:
    if "settle" in data and condition is None:
        message = "there is nothing to settle without an `if`"
        top.report("E103", *path, "settle", message=message, hint="add an `if`, or leave `settle` out", at_key=True)
    names = data["event"]
    return EventEntry(
        names=(names,) if isinstance(names, str) else tuple(dict.fromkeys(names)),
        where=parse_where(data.get("where", {}), top.report_at, (*path, "where")),
        condition=condition,
        key=data.get("key"),
        max_age=top.duration(data["max_age"], *path, "max_age") if "max_age" in data else DEFAULT_MAX_AGE,
        settle=top.duration(data["settle"], *path, "settle") if "settle" in data else None,
    )


def _segment(
    top: StepSpec, data: Mapping[str, Any], path: tuple[str | int, ...], condition: Rule | None
) -> SegmentEntry:
    top.mention(NameKind.SEGMENT, data["segment"], *path, "segment")
    edge = Edge(data.get("when", Edge.ENTER))
    if edge is not Edge.ENTER and data.get("backfill"):
        message = {
            Edge.EXIT: "nobody can be let in for having left the segment before",
            Edge.ONCE: "`once` lets in whoever is in the segment already",
        }[edge]
        top.report("E103", *path, "backfill", message=message, hint="leave `backfill` out")
    check_every = top.duration(data["check_every"], *path, "check_every") if "check_every" in data else None
    if check_every is not None and check_every.as_elapsed() < SHORTEST_RHYTHM:
        hint = "leave it out: what happens is followed within seconds, it is for what the calendar decides"
        top.report("E103", *path, "check_every", message="nobody is asked more often than once a minute", hint=hint)
    return SegmentEntry(data["segment"], edge, bool(data.get("backfill")), condition, check_every)


def _around(data: Mapping[str, Any]) -> dict[str, Any]:
    return {word: data[word] for word in _AROUND if word in data}


def _scheduled(
    top: StepSpec, send: Mapping[str, Any], segment: str, here: tuple[str | int, ...], number: int
) -> ScheduleEntry:
    """A rhythm, or one moment (`at`), in the words in which a campaign says when it is sent."""

    def report(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        words = path[1:]
        inside = () if "every" not in send or (words and words[0] in _AROUND) else ("schedule",)
        top.report_at(code, (*here, *inside, *words), message, hint, at_key=at_key)

    top.mention(NameKind.SEGMENT, segment, *here, "segment")
    schedule = parse_send(send, report)
    assert schedule is not None  # only `manual` is none
    return ScheduleEntry(segment, schedule, number)


def _date(top: StepSpec, data: Mapping[str, Any], path: tuple[str | int, ...], condition: Rule | None) -> DateEntry:
    repeat = Repeat(data.get("repeat", Repeat.NEVER))
    if "leap_day" in data and repeat is Repeat.NEVER:
        message = "a date that does not repeat falls on the day that is written"
        top.report("E103", *path, "leap_day", message=message, hint="add `repeat: yearly`", at_key=True)
    offset = Duration()
    try:
        offset = parse_offset(data.get("offset", "0d"))
    except InvalidDurationError as error:
        message, hint = error.told
        top.report("E103", *path, "offset", message=message, hint=hint)
    return DateEntry(
        attribute=data["date"],
        repeat=repeat,
        offset=offset,
        clock=time.fromisoformat(data.get("time", "09:00")),
        leap_day=LeapDay(data.get("leap_day", LeapDay.FEB28)),
        condition=condition,
    )


def _api(top: StepSpec, data: Mapping[str, Any], path: tuple[str | int, ...]) -> ApiEntry:
    schema = data.get("schema")
    problem = find_schema_fault(schema) if schema is not None else None
    if problem is not None:
        hint = "write one of draft 2020-12, such as {required: [plan]}"
        top.report("E103", *path, "schema", message=f"this is no JSON Schema: {problem}", hint=hint)
        return ApiEntry()
    return ApiEntry(schema)
