"""What people are ranked by: its name in the database, and where published files ask for it. Pure.

Two conditions rank alike when they mean the same, whatever the order of their words: they share one ranking.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from segments.language.rank_parser import parse_rank
from segments.language.rules import Matcher, RankBasis, RankRule, Rule, iter_leaves

_DIGITS = 16
_MICROSECOND = timedelta(microseconds=1)


def name_of(basis: RankBasis) -> str:
    """The hash of the canonical form, 16 hexadecimal digits."""
    text = json.dumps(_canonical(basis), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def ranks_in(rules: Iterable[Rule]) -> list[RankRule]:
    return [leaf for rule in rules for leaf in iter_leaves(rule) if isinstance(leaf, RankRule)]


def find_ranks(document: Any) -> Iterator[RankRule]:
    """Every condition on a rank in a published document of any kind; what only looks like one is passed over."""
    if isinstance(document, Mapping):
        if _is_rank(document):
            rank = _parse(document)
            if rank is not None:
                yield rank
            return
        document = list(document.values())
    if isinstance(document, list):
        for item in document:
            yield from find_ranks(item)


def _is_rank(data: Mapping[str, Any]) -> bool:
    return len(data) == 1 and isinstance(data.get("rank"), Mapping) and "by" in data["rank"]


def _parse(data: Mapping[str, Any]) -> RankRule | None:
    try:
        leaf = parse_rank(data, _refuse, ())
    except (AttributeError, KeyError, TypeError, ValueError, StopIteration):  # other data that has these words
        return None
    return leaf if isinstance(leaf, RankRule) else None


def _refuse(*fault: object, **_options: object) -> None:
    raise ValueError(fault)


def _canonical(basis: RankBasis) -> Any:
    if isinstance(basis, str):
        return {"attribute": basis}
    return {
        "events": sorted(basis.names),
        "where": sorted([test.name, _plain_matcher(test.matcher)] for test in basis.where),
        "within": None if basis.within is None else basis.within // _MICROSECOND,
        "kind": basis.kind.value,
        "of": basis.of,
    }


def _plain_matcher(matcher: Matcher) -> str:
    tests = sorted(json.dumps([one.operator.value, _plain(one.operand)]) for one in matcher.comparisons)
    return json.dumps(tests)


def _plain(operand: object) -> Any:
    """A value with its kind, so that a date is not the text that writes it."""
    if isinstance(operand, tuple):
        return [_plain(item) for item in operand]
    if isinstance(operand, timedelta):
        return {"length": operand // _MICROSECOND}
    if isinstance(operand, datetime):
        return {"instant": operand.isoformat()}
    return {"day": operand.isoformat()} if isinstance(operand, date) else operand
