"""Segments that ask for cases follow their cases: brought up to date soon after one was opened, moved or closed.

Other conditions grow old by the clock alone, and their segments wait for their own rhythm.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from core.runtime import Runtime
from customers.task_tables import CASES, task
from segments.definition import load_segments, rules_of
from segments.nesting import inline
from segments.refresh import RefreshResult, refresh_all
from segments.rules import CaseRule, Rule, iter_leaves
from segments.tables import segment_refresh

_OVERLAP = timedelta(seconds=10)  # what was committed late is found by one refresh more


def refresh_after_cases(runtime: Runtime, now: datetime) -> list[RefreshResult]:
    """Refresh what asks for cases and is older than the last move of one; without a move it costs one small read."""
    with runtime.database.read() as connection:
        stale = _find_stale(connection)
    return refresh_all(runtime, only=stale, now=now) if stale else []


def _find_stale(connection: Connection) -> list[str]:
    """The published segments that were refreshed before the last move of a case; those never built wait for that."""
    is_case = task.c.kind.in_(sorted(CASES))
    last: datetime | None = connection.scalar(
        select(task.c.updated_at).where(is_case).order_by(task.c.updated_at.desc()).limit(1)
    )
    if last is None:
        return []
    refreshed = segment_refresh.c
    old = set(connection.scalars(select(refreshed.segment).where(refreshed.refreshed_at <= last + _OVERLAP)))
    rules = rules_of(load_segments(connection)) if old else {}
    return sorted(slug for slug in old & set(rules) if asks_for_cases(rules[slug], rules))


def asks_for_cases(rule: Rule, segments: Mapping[str, Rule]) -> bool:
    """Whether a case decides about `rule`, or about a segment inside it."""
    return any(isinstance(leaf, CaseRule) for leaf in iter_leaves(inline(rule, segments)))
