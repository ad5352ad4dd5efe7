"""E122: journeys that bring people back to where they came from without a wait: by `start_journey`, or by an event.

A journey that nobody may re-enter at once ends every circle that it is part of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import Fault
from core.located import KeyPath, Located
from journeys.checking.case import find_written
from journeys.graph import reachable_from, ways_of
from journeys.model import EventEntry, Journey, Mode
from journeys.steps.contract import Step
from segments.language.matcher import match_where
from segments.language.rules import Operator, Where

Journeys = Mapping[str, tuple[Journey, Located]]


@dataclass(frozen=True, slots=True)
class _Onward:
    """A step of one journey, and whom it brings to which other."""

    target: str
    path: KeyPath
    is_event: bool


def check_circles(journeys: Journeys) -> list[Fault]:
    """E122 at each step that is part of a circle, with the circle."""
    onward = {slug: list(_onward(slug, journeys)) for slug in journeys}
    faults = []
    for slug, (_, located) in journeys.items():
        for way_on in onward[slug]:
            circle = _way(onward, way_on.target, slug)
            if circle is None:
                continue
            how = "bring people to each other" if way_on.is_event else "start each other"
            message = f"these journeys {how} without a wait: {' → '.join([slug, *circle])}"
            faults.append(located.fault("E122", way_on.path, message, "put a wait between them"))
    return sorted(faults)


def _onward(slug: str, journeys: Journeys) -> Iterator[_Onward]:
    """Where people are brought who enter this journey, before anything is waited for."""
    journey, located = journeys[slug]
    if not _can_return_at_once(journey):
        return
    for step in _steps_at_once(journey):
        if step.verb.name == "start_journey":
            path = (*step.path, "start_journey")
            yield _Onward(find_written(located, path), path, False)
        elif step.verb.name == "emit":
            path = (*step.path, "emit")
            values = find_written(located, (*step.path, "with")) or {}
            for other, (its, _) in journeys.items():
                if any(_lets_in(entry, step.action.name, values) for entry in its.entries):
                    yield _Onward(other, path, True)


def _can_return_at_once(journey: Journey) -> bool:
    reentry = journey.reentry
    return journey.mode is Mode.PARALLEL or (reentry.is_allowed and reentry.every is None and reentry.max is None)


def _steps_at_once(journey: Journey) -> Iterator[Step]:
    """Those that somebody can come to at the instant of entering."""
    open_ways = {
        step_id: frozenset[str]() if _takes_time(journey.by_id[step_id]) else following
        for step_id, following in ways_of(journey).items()
    }
    reached = reachable_from(open_ways, frozenset([journey.first] if journey.first else []))
    for step_id, step in journey.by_id.items():
        if step_id in reached and not step.is_disabled:
            yield step


def _takes_time(step: Step) -> bool:
    return step.verb.waits and step.condition is None and not step.is_disabled


def _lets_in(entry: object, event: str, values: Mapping[str, Any]) -> bool:
    """Whether `entry` may admit by an event that was emitted with `values`; what is filled in later may be anything."""
    if not isinstance(entry, EventEntry) or event not in entry.names:
        return False
    return match_where(_certain(entry.where, values), values)


def _certain(where: Where, values: Mapping[str, Any]) -> Where:
    """The tests that can be made already."""
    later = {name for name, value in values.items() if isinstance(value, str) and "{{" in value}
    timed = {Operator.WITHIN, Operator.OLDER_THAN, Operator.FROM_EVENT}
    return tuple(
        test
        for test in where
        if test.name not in later and not timed.intersection(one.operator for one in test.matcher.comparisons)
    )


def _way(onward: Mapping[str, list[_Onward]], start: str, goal: str) -> list[str] | None:
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        if way[-1] == goal:
            return way
        for following in onward.get(way[-1], ()):
            if following.target not in seen:
                seen.add(following.target)
                ways.append([*way, following.target])
    return None
