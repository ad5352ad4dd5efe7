"""The condition `rank` from YAML data that its schema has accepted: by what people are ranked, and which share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.durations import parse_duration
from core.located import KeyPath
from core.schema_rules import as_percent
from segments.language.matcher_parser import Report, is_askable, parse_where
from segments.language.rules import (
    AggregateKind,
    Constant,
    Leaf,
    Operator,
    RankBasis,
    RankRule,
    Reckoning,
    Share,
    ShareKind,
)

_HUNDREDTHS = 100  # of a percent


def parse_rank(data: Mapping[str, Any], report: Report, path: KeyPath) -> Leaf:
    basis = _basis(data["rank"]["by"], report, (*path, "rank", "by"))
    share = _share(data["rank"])
    return Constant(False, path=path) if basis is None or share is None else RankRule(basis, share, path=path)


def _basis(data: Any, report: Report, path: KeyPath) -> RankBasis | None:
    if isinstance(data, str):
        return data if is_askable(data, report, path) else None
    kind = next(kind for kind in AggregateKind if kind in data)
    of = None if kind is AggregateKind.COUNT else data[kind]
    if of is not None and not is_askable(of, report, (*path, kind)):
        return None
    where = parse_where(data.get("where", {}), report, (*path, "where"))
    for test in where:
        if any(one.operator is Operator.FROM_EVENT for one in test.matcher.comparisons):
            place = (*path, "where", test.name, Operator.FROM_EVENT.value)
            report("E123", place, "a ranking is of everybody and has no entry event", "compare with a value")
            return None
    names = data["event"]
    return Reckoning(
        tuple(dict.fromkeys([names] if isinstance(names, str) else names)),
        kind,
        of,
        where,
        parse_duration(data["within"]).as_elapsed() if "within" in data else None,
    )


def _share(data: Mapping[str, Any]) -> Share | None:
    kind = next(kind for kind in ShareKind if kind in data)
    if kind is ShareKind.QUINTILE:
        return Share(kind, data[kind])
    percent = as_percent(data[kind])
    return None if percent is None else Share(kind, int(percent * _HUNDREDTHS))
