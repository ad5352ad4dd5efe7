"""The conditions of a marketer as a tree of values: what is asked, never how it is answered.

Segments, journeys, campaigns and offers share it. `parser` makes it from YAML, `compiler` makes SQL of it and `matcher`
answers it for one event. Pure; durations are elapsed time (a day is 24 h, a month 30 days), text is in NFC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from core.located import KeyPath

Scalar = str | int | float | bool
# A naive datetime is on the workspace's clock, and so is the midnight of a date.
Operand = Scalar | date | datetime | timedelta | tuple[Scalar | date | datetime, ...]


class Operator(StrEnum):
    EQ = "eq"
    NE = "ne"
    IN = "in"
    NOT_IN = "not_in"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    BETWEEN = "between"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    EXISTS = "exists"
    BEFORE = "before"
    AFTER = "after"
    ON = "on"
    WITHIN = "within"
    OLDER_THAN = "older_than"
    FROM_EVENT = "from_event"


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One comparison. `ne` and `not_in` are the exact opposites of `eq` and `in`, so a missing value passes them."""

    operator: Operator
    operand: Operand

    # To Python 1 equals True; here the number and the truth are different questions.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Comparison) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(repr(self))

    @property
    def is_about_one_element(self) -> bool:
        """Whether one element of a list has to pass it, rather than the value as a whole."""
        return self.operator not in (Operator.NE, Operator.NOT_IN, Operator.EXISTS)


@dataclass(frozen=True, slots=True)
class Matcher:
    """Comparisons of one value, all of which must hold; of a list, one element must pass all of them."""

    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class PropertyTest:
    name: str
    matcher: Matcher


Where = tuple[PropertyTest, ...]


class Since(StrEnum):
    """From when events count; `entry` and `step` only mean something inside a journey."""

    EVER = "ever"
    ENTRY = "entry"
    STEP = "step"


class AggregateKind(StrEnum):
    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    FIRST = "first"
    LAST = "last"
    DISTINCT = "distinct"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What is reckoned of the events that match, and what it must be. `count` has no property."""

    kind: AggregateKind
    of: str | None
    matcher: Matcher


AT_LEAST_ONCE = Aggregate(AggregateKind.COUNT, None, Matcher((Comparison(Operator.GTE, 1),)))


class ConsentAnswer(StrEnum):
    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Happening(StrEnum):
    """What can have become of a message."""

    SENT = "sent"
    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """`path` leads to the condition in its file; two leaves that differ only in it are equal."""

    path: KeyPath = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Constant(Leaf):
    """Decided already: what a journey puts in the place of a condition that only it can answer."""

    holds: bool


@dataclass(frozen=True, slots=True)
class AttributeRule(Leaf):
    name: str
    matcher: Matcher


@dataclass(frozen=True, slots=True)
class EventRule(Leaf):
    """Events of any of `names` in the half-open window [now - within, now), reckoned by every one of `aggregates`."""

    names: tuple[str, ...]
    where: Where = ()
    within: timedelta | None = None
    since: Since = Since.EVER
    start: datetime | None = None  # what `since: entry` or `since: step` became for one enrolment
    aggregates: tuple[Aggregate, ...] = (AT_LEAST_ONCE,)

    def starts_at(self, now: datetime) -> datetime | None:
        """The first instant that counts, or None for ever."""
        starts = [self.start] if self.start is not None else []
        if self.within is not None:
            starts.append(now - self.within)
        return max(starts, default=None)


@dataclass(frozen=True, slots=True)
class ConsentRule(Leaf):
    channel: str
    topic: str
    answer: ConsentAnswer


@dataclass(frozen=True, slots=True)
class SegmentRule(Leaf):
    slug: str


@dataclass(frozen=True, slots=True)
class ListRule(Leaf):
    slug: str


@dataclass(frozen=True, slots=True)
class MessageRule(Leaf):
    """`name` is a campaign, journey or template for a segment, and the id of a step inside a journey."""

    name: str
    was: Happening
    where: Where = ()


@dataclass(frozen=True, slots=True)
class CaseRule(Leaf):
    """One complaint or service request whose status and kind both match; None matches any."""

    status: Matcher | None = None
    kind: Matcher | None = None


@dataclass(frozen=True, slots=True)
class ScoreRule(Leaf):
    """The number kept under `name`; one older than `max_age` counts as missing."""

    name: str
    matcher: Matcher
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Reckoning:
    """One number reckoned of a person's events in the half-open window [now - within, now); `count` has no property.

    `first` and `last` of `occurred_at` are the instants of the earliest and the latest event.
    """

    names: tuple[str, ...]
    kind: AggregateKind
    of: str | None = None
    where: Where = ()
    within: timedelta | None = None


RankBasis = str | Reckoning  # an attribute's name, or a number reckoned of events


class ShareKind(StrEnum):
    TOP = "top"
    BOTTOM = "bottom"
    QUINTILE = "quintile"


@dataclass(frozen=True, slots=True)
class Share:
    """A part of all who are ranked: `amount` is in hundredths of a percent, or 1 to 5 (the highest) of a quintile."""

    kind: ShareKind
    amount: int


@dataclass(frozen=True, slots=True)
class RankRule(Leaf):
    """Whether the place that the last ranking by `basis` gave lies in `share`."""

    basis: RankBasis
    share: Share


@dataclass(frozen=True, slots=True)
class SequencePart:
    """Any event called one of `names` whose properties pass `where`."""

    names: tuple[str, ...]
    where: Where = ()


@dataclass(frozen=True, slots=True)
class SequenceRule(Leaf):
    """Events of all `parts` one after the other, the last of them in [first, first + within)."""

    parts: tuple[SequencePart, ...]
    within: timedelta | None = None
    since: Since = Since.EVER
    start: datetime | None = None  # as in EventRule


class OwnedBy(StrEnum):
    """What names a thing that is owned."""

    PRODUCT = "product"  # its sku
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class OwnsRule(Leaf):
    """Bought more of some product that fits than returned, and bought it (with `within`) in [now - within, now)."""

    by: OwnedBy
    names: tuple[str, ...]
    within: timedelta | None = None


LATITUDE, LONGITUDE = "latitude", "longitude"  # the attributes that hold where a profile lives
BIRTHDAY = "birthday"  # the attribute whose month and day stand in the profile in clear


@dataclass(frozen=True, slots=True)
class NearRule(Leaf):
    """At most `kilometres` along the surface from a point in degrees."""

    latitude: float
    longitude: float
    kilometres: float


@dataclass(frozen=True, slots=True)
class AnniversaryRule(Leaf):
    """The date in `attribute` returns in [today, today + days) on the profile's calendar."""

    attribute: str
    days: int


@dataclass(frozen=True, slots=True)
class LocalTimeRule(Leaf):
    """The profile's wall clock shows a time in [start, end) on one of `weekdays` (Monday is 0).

    Where `end` is before `start` the hours go over midnight, and belong to the day on which they begin.
    """

    start: time = time.min
    end: time | None = None  # midnight at the end of the day
    weekdays: frozenset[int] = frozenset(range(7))

    def covers(self, wall: datetime) -> bool:
        clock, today = wall.time(), wall.weekday()
        if self.end is None or self.start <= self.end:
            return today in self.weekdays and self.start <= clock and (self.end is None or clock < self.end)
        began_today = today in self.weekdays and clock >= self.start
        return began_today or ((today - 1) % 7 in self.weekdays and clock < self.end)


@dataclass(frozen=True, slots=True)
class AccountRule(Leaf):
    """A member of one account that passes everything; None passes any. `where` tests the account's own attributes."""

    key: Matcher | None = None
    name: Matcher | None = None
    country: Matcher | None = None
    role: Matcher | None = None
    where: Where = ()


@dataclass(frozen=True, slots=True)
class BranchRule(Leaf):
    step: str
    answer: str | int


@dataclass(frozen=True, slots=True)
class StepRule(Leaf):
    step: str
    was: str


@dataclass(frozen=True, slots=True)
class EntryRule(Leaf):
    where: Where


@dataclass(frozen=True, slots=True)
class AllOf:
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Not:
    rule: Rule


Rule = Leaf | AllOf | AnyOf | Not

EVERYBODY = AllOf(())


def iter_leaves(rule: Rule) -> Iterator[Leaf]:
    """Every leaf, in the order of the file."""
    if isinstance(rule, Leaf):
        yield rule
    elif isinstance(rule, Not):
        yield from iter_leaves(rule.rule)
    else:
        for part in rule.rules:
            yield from iter_leaves(part)


def replace_leaves(rule: Rule, replacement: Callable[[Leaf], Rule]) -> Rule:
    """The tree with each leaf replaced: how a journey answers its own leaves, and how nested segments are inlined."""
    if isinstance(rule, Leaf):
        return replacement(rule)
    if isinstance(rule, Not):
        return Not(replace_leaves(rule.rule, replacement))
    return replace(rule, rules=tuple(replace_leaves(part, replacement) for part in rule.rules))


def evaluate(rule: Rule, holds: Callable[[Leaf], bool]) -> bool:
    """Whether the tree holds, given the answer for each leaf."""
    if isinstance(rule, Leaf):
        return holds(rule)
    if isinstance(rule, Not):
        return not evaluate(rule.rule, holds)
    answers = (evaluate(part, holds) for part in rule.rules)
    return all(answers) if isinstance(rule, AllOf) else any(answers)
