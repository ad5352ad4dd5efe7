"""When a condition can change its answer while no row of the person changes: never, as events grow old, or by a clock.

An event leaves its window at `occurred_at + within`, so the log in the order (name, occurred_at) is the queue of what
expires; see `segments.following`. What dates in attributes and clocks decide is asked of everybody again, at a rhythm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from segments.language.rules import (
    AccountRule,
    AnniversaryRule,
    AttributeRule,
    CaseRule,
    ConsentRule,
    Constant,
    EventRule,
    Happening,
    Leaf,
    ListRule,
    LocalTimeRule,
    Matcher,
    MessageRule,
    NearRule,
    OwnsRule,
    RankRule,
    Rule,
    ScoreRule,
    SequenceRule,
    Where,
    iter_leaves,
)

BY_THE_MINUTE = timedelta(minutes=1)  # dates in attributes and in properties, with a window
BY_THE_QUARTER = timedelta(minutes=15)  # what turns at midnight or at a full hour in somebody's zone

_NOW = timedelta(0)


@dataclass(frozen=True, slots=True)
class Window:
    """Events called one of `names` are asked about until they are `within` old; 0 is when they cease to be future."""

    names: tuple[str, ...]
    within: timedelta


@dataclass(frozen=True, slots=True)
class Timing:
    """What besides rows of the person changes the answer.

    STEADY has neither windows nor a rhythm; WINDOWED has `windows`, whose edges events cross as time goes by; CLOCKED
    has a `rhythm`, at which everybody is asked again. `expires` tells that consents run out.
    """

    windows: frozenset[Window] = frozenset()
    rhythm: timedelta | None = None
    expires: bool = False

    def __or__(self, other: Timing) -> Timing:
        rhythms = [one for one in (self.rhythm, other.rhythm) if one is not None]
        return Timing(self.windows | other.windows, min(rhythms, default=None), self.expires or other.expires)


STEADY = Timing()


def timing_of(leaf: Leaf) -> Timing:
    """Raises KeyError for a leaf that nobody has thought about: a test asks for each."""
    return _TIMINGS[type(leaf)](leaf)


def timing_of_rule(rule: Rule) -> Timing:
    """What its leaves say together. Nested segments must have been inlined."""
    return together(map(timing_of, iter_leaves(rule)))


def together(timings: Iterable[Timing]) -> Timing:
    found = STEADY
    for one in timings:
        found |= one
    return found


def windowed(names: Iterable[str], within: timedelta | None) -> Timing:
    """Of events in [now - within, now): they count from their instant on, and with `within` until they are that old."""
    ordered = tuple(sorted(set(names)))
    edges = {_NOW} if within is None else {_NOW, within}
    return Timing(frozenset(Window(ordered, edge) for edge in edges))


def clocked(rhythm: timedelta) -> Timing:
    """Everybody is asked again when the clock (in UTC) passes a multiple of `rhythm`."""
    return Timing(rhythm=rhythm)


def of_matchers(*matchers: Matcher | None) -> Timing:
    """`within` and `older_than` compare a stored date with now."""
    moves = any(isinstance(one.operand, timedelta) for some in matchers if some for one in some.comparisons)
    return clocked(BY_THE_MINUTE) if moves else STEADY


def of_where(where: Where) -> Timing:
    return of_matchers(*(test.matcher for test in where))


def _steady(_leaf: Leaf) -> Timing:
    return STEADY


def _attribute(leaf: AttributeRule) -> Timing:
    return of_matchers(leaf.matcher)


def _event(leaf: EventRule) -> Timing:
    values = of_matchers(*(aggregate.matcher for aggregate in leaf.aggregates))
    return windowed(leaf.names, leaf.within) | of_where(leaf.where) | values


def _consent(_leaf: ConsentRule) -> Timing:
    return Timing(expires=True)


def _message(leaf: MessageRule) -> Timing:
    """What is reported of a message stands in the log too, at the same instant."""
    return windowed(_LOGGED_AS.get(leaf.was, ()), None) | of_where(leaf.where)


def _score(leaf: ScoreRule) -> Timing:
    return STEADY if leaf.max_age is None else clocked(BY_THE_QUARTER)


def _sequence(leaf: SequenceRule) -> Timing:
    """`within` spans from the first event to the last: once it holds, time alone does not end it."""
    names = {name for part in leaf.parts for name in part.names}
    return windowed(names, None) | together(of_where(part.where) for part in leaf.parts)


def _owns(leaf: OwnsRule) -> Timing:
    """Orders and returns stand in the log too; when a product changes its category, everybody is touched."""
    return windowed(["order_placed"], leaf.within) | windowed(["order_returned"], None)


def _local_time(leaf: LocalTimeRule) -> Timing:
    """Zones differ by whole quarters of an hour."""
    clocks = [clock for clock in (leaf.start, leaf.end) if clock is not None]
    return clocked(BY_THE_MINUTE if any(clock.minute % 15 for clock in clocks) else BY_THE_QUARTER)


def _by_the_calendar(_leaf: Leaf) -> Timing:
    return clocked(BY_THE_QUARTER)


def _account(leaf: AccountRule) -> Timing:
    return of_matchers(leaf.key, leaf.name, leaf.country, leaf.role) | of_where(leaf.where)


_LOGGED_AS: Mapping[Happening, tuple[str, ...]] = {
    Happening.SENT: ("message_sent",),
    Happening.DELIVERED: ("message_delivered",),
    Happening.OPENED: ("message_opened",),
    Happening.CLICKED: ("link_clicked",),
    Happening.BOUNCED: ("message_bounced",),
    Happening.COMPLAINED: ("message_complained",),
    Happening.UNSUBSCRIBED: ("unsubscribed",),
    Happening.FAILED: ("message_failed",),
    Happening.SKIPPED: ("message_skipped",),
    Happening.UNKNOWN: ("message_unknown",),
}

_TIMINGS: Mapping[type[Leaf], Callable[[Any], Timing]] = {
    Constant: _steady,
    AttributeRule: _attribute,
    EventRule: _event,
    ConsentRule: _consent,
    ListRule: _steady,
    MessageRule: _message,
    CaseRule: _steady,
    ScoreRule: _score,
    RankRule: _steady,  # its places are touched when they change
    SequenceRule: _sequence,
    OwnsRule: _owns,
    NearRule: _steady,
    AnniversaryRule: _by_the_calendar,
    LocalTimeRule: _local_time,
    AccountRule: _account,
}
