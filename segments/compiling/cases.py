"""Conditions on cases: whether a person has a complaint or a service request of some status and kind.

A case is looked at as it stands now: its past is in the log. Ordinary tasks are no cases.
"""

from __future__ import annotations

from sqlalchemy import Connection, Select, literal, select

from customers.tables import profile
from customers.task_tables import CASES, task
from segments.compiling.predicates import Moment, matches
from segments.compiling.values import Element, Plain, Predicate
from segments.language.rules import CaseRule

_NAMED, _SHORT_ID = 5, 8


def case_predicate(rule: CaseRule, moment: Moment) -> Predicate:
    query = _cases().where(task.c.profile_id == profile.c.id)
    for column, matcher in ((task.c.status, rule.status), (task.c.kind, rule.kind)):
        if matcher is not None:
            query = query.where(matches(Plain(Element(text=column), column), matcher, moment))
    return query.correlate(profile).exists()


def name_cases(connection: Connection, profile_id: int) -> str | None:
    """The newest cases of a person, such as `complaint 1f3a07c2 open`; None without one."""
    newest = _cases().with_only_columns(task.c.kind, task.c.id, task.c.status).where(task.c.profile_id == profile_id)
    rows = connection.execute(newest.order_by(task.c.created_at.desc(), task.c.id).limit(_NAMED))
    return ", ".join(f"{row.kind} {row.id[:_SHORT_ID]} {row.status}" for row in rows) or None


def _cases() -> Select[tuple[int]]:
    return select(literal(1)).select_from(task).where(task.c.kind.in_(sorted(CASES)))
