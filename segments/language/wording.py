"""A condition in the words of its YAML, on one line: for `explain`, run pages and faults."""

from __future__ import annotations

from datetime import date, timedelta

from segments.language.rules import (
    AT_LEAST_ONCE,
    AccountRule,
    Aggregate,
    AggregateKind,
    AnniversaryRule,
    AttributeRule,
    BranchRule,
    CaseRule,
    ConsentRule,
    Constant,
    EntryRule,
    EventRule,
    Leaf,
    ListRule,
    LocalTimeRule,
    Matcher,
    MessageRule,
    NearRule,
    OwnsRule,
    RankBasis,
    RankRule,
    ScoreRule,
    SegmentRule,
    SequenceRule,
    Share,
    ShareKind,
    Since,
    StepRule,
    Where,
)

_UNITS = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1)), ("s", timedelta(seconds=1)))

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def describe(leaf: Leaf) -> str:
    """Such as `event order_placed within 30d, count gte 2`."""
    match leaf:
        case AttributeRule():
            return f"attribute {leaf.name} {describe_matcher(leaf.matcher)}"
        case EventRule():
            return _event(leaf)
        case ConsentRule():
            return f"consent {leaf.channel}.{leaf.topic} is {leaf.answer}"
        case SegmentRule():
            return f"segment {leaf.slug}"
        case ListRule():
            return f"list {leaf.slug}"
        case MessageRule():
            return f"message {leaf.name} was {leaf.was}{_where(leaf.where)}"
        case CaseRule():
            return _case(leaf)
        case ScoreRule():
            return f"score {leaf.name} {describe_matcher(leaf.matcher)}{_max_age(leaf)}"
        case RankRule():
            return f"rank by {describe_basis(leaf.basis)}: {_share(leaf.share)}"
        case SequenceRule():
            return _sequence(leaf)
        case OwnsRule():
            return f"owns {leaf.by} {' or '.join(leaf.names)}{_window(leaf.within)}"
        case NearRule():
            return f"near {leaf.latitude:g}, {leaf.longitude:g} within {leaf.kilometres:g} km"
        case AnniversaryRule():
            return f"anniversary of {leaf.attribute} in the next {leaf.days}d"
        case LocalTimeRule():
            return _local_time(leaf)
        case AccountRule():
            return _account(leaf)
        case BranchRule():
            return f"branch {leaf.step} is {leaf.answer}"
        case StepRule():
            return f"step {leaf.step} was {leaf.was}"
        case EntryRule():
            return f"entry{_where(leaf.where)}"
        case Constant():
            return "always" if leaf.holds else "never"
    raise TypeError(f"{type(leaf).__name__} has no words yet")


def describe_matcher(matcher: Matcher) -> str:
    return " and ".join(f"{one.operator} {_operand(one.operand)}" for one in matcher.comparisons)


def describe_basis(basis: RankBasis) -> str:
    """Such as `sum of total of order_placed within 365d`."""
    if isinstance(basis, str):
        return basis
    number = "number" if basis.kind is AggregateKind.COUNT else f"{basis.kind} of {basis.of}"
    text = f"{number} of {' or '.join(basis.names)}{_where(basis.where)}"
    return text if basis.within is None else f"{text} within {length_in_words(basis.within)}"


def _share(share: Share) -> str:
    if share.kind is ShareKind.QUINTILE:
        return f"quintile {share.amount}"
    whole, hundredths = divmod(share.amount, 100)
    return f"{share.kind} {whole}{f'.{hundredths:02}'.rstrip('0') if hundredths else ''}%"


def _max_age(leaf: ScoreRule) -> str:
    return "" if leaf.max_age is None else f", not older than {length_in_words(leaf.max_age)}"


def _event(leaf: EventRule) -> str:
    text = f"event {' or '.join(leaf.names)}{_where(leaf.where)}"
    if leaf.within is not None:
        text += f" within {length_in_words(leaf.within)}"
    if leaf.since is not Since.EVER:
        text += f" since {leaf.since}"
    return ", ".join([text, *(_aggregate(one) for one in leaf.aggregates if one != AT_LEAST_ONCE)])


def _case(leaf: CaseRule) -> str:
    asked = (("status", leaf.status), ("kind", leaf.kind))
    return "case " + ", ".join(f"{word} {describe_matcher(matcher)}" for word, matcher in asked if matcher is not None)


def _sequence(leaf: SequenceRule) -> str:
    parts = [f"{' or '.join(part.names)}{_where(part.where)}" for part in leaf.parts]
    since = "" if leaf.since is Since.EVER else f" since {leaf.since}"
    return f"sequence {', then '.join(parts)}{_window(leaf.within)}{since}"


def _local_time(leaf: LocalTimeRule) -> str:
    end = "24:00" if leaf.end is None else f"{leaf.end:%H:%M}"
    days = [] if len(leaf.weekdays) == len(_DAYS) else [f"on {', '.join(_DAYS[day] for day in sorted(leaf.weekdays))}"]
    return " ".join([f"local time {leaf.start:%H:%M} to {end}", *days])


def _account(leaf: AccountRule) -> str:
    asked = (("key", leaf.key), ("name", leaf.name), ("country", leaf.country), ("role", leaf.role))
    parts = [f"{word} {describe_matcher(matcher)}" for word, matcher in asked if matcher is not None]
    parts += [f"{test.name} {describe_matcher(test.matcher)}" for test in leaf.where]
    return f"account {', '.join(parts)}"


def _window(within: timedelta | None) -> str:
    return "" if within is None else f" within {length_in_words(within)}"


def _aggregate(aggregate: Aggregate) -> str:
    of = f" of {aggregate.of}" if aggregate.of else ""
    return f"{aggregate.kind}{of} {describe_matcher(aggregate.matcher)}"


def _where(where: Where) -> str:
    conditions = " and ".join(f"{test.name} {describe_matcher(test.matcher)}" for test in where)
    return f" where {conditions}" if conditions else ""


def _operand(operand: object) -> str:
    if isinstance(operand, tuple):
        return f"[{', '.join(_operand(one) for one in operand)}]"
    if isinstance(operand, timedelta):
        return length_in_words(operand)
    if isinstance(operand, bool):
        return str(operand).lower()
    return operand.isoformat() if isinstance(operand, date) else str(operand)


def length_in_words(length: timedelta) -> str:
    parts = []
    for unit, size in _UNITS:
        count, length = divmod(length, size)
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts) or "0s"
