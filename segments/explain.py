"""Why a profile is in a segment or not: each condition with what was found and whether it holds.

The verdicts come from the one compiler, asked for this profile alone. Sealed values are not opened for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from core.vault import Vault
from customers.tables import ProfileStatus, profile
from customers.workspace import Workspace
from segments.attributes import COLUMNS, is_sealed
from segments.cases import name_cases
from segments.definition import load_segments, rules_of
from segments.features import Features
from segments.membership import matching
from segments.predicates import Moment
from segments.rules import AllOf, AnyOf, AttributeRule, CaseRule, EventRule, Leaf, Not, Rule, SegmentRule
from segments.values import Plain
from segments.wording import describe


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an explanation. `found` is the value that was looked at, where there is one to show."""

    depth: int
    condition: str
    holds: bool
    found: Any = None


@dataclass(frozen=True, slots=True)
class _Question:
    connection: Connection
    profile_id: int
    now: datetime
    workspace: Workspace
    segments: Mapping[str, Rule]
    vault: Vault | None

    def holds(self, rule: Rule) -> bool:
        return bool(
            matching(
                self.connection,
                rule,
                [self.profile_id],
                self.now,
                self.workspace,
                segments=self.segments,
                vault=self.vault,
            )
        )


def explain(
    connection: Connection,
    rule: Rule,
    profile_id: int,
    now: datetime,
    workspace: Workspace,
    *,
    segments: Mapping[str, Rule] | None = None,
    vault: Vault | None = None,
) -> list[Finding]:
    """Every condition of `rule` in the order of its file, those of nested segments below them.

    The arguments are those of `membership.matching`, for one profile.
    """
    nested = rules_of(load_segments(connection)) if segments is None else segments
    barred = _barred(connection, profile_id)
    return barred + list(_explain(rule, _Question(connection, profile_id, now, workspace, nested, vault), 0))


def _barred(connection: Connection, profile_id: int) -> list[Finding]:
    """Why no rule at all finds somebody; then everything below fails as well."""
    row = connection.execute(
        select(profile.c.status, profile.c.objected_at).where(profile.c.id == profile_id)
    ).one_or_none()
    if row is None or (row.status == ProfileStatus.ACTIVE and row.objected_at is None):
        return []
    found = row.status if row.status != ProfileStatus.ACTIVE else "objected"
    return [Finding(0, "may be in segments", holds=False, found=found)]


def _explain(rule: Rule, question: _Question, depth: int) -> Iterator[Finding]:
    if isinstance(rule, Leaf):
        yield Finding(depth, describe(rule), question.holds(rule), _found(rule, question))
        if isinstance(rule, SegmentRule):
            yield from _explain(question.segments[rule.slug], question, depth + 1)
        return
    yield Finding(depth, _COMBINATORS[type(rule)], question.holds(rule))
    for part in (rule.rule,) if isinstance(rule, Not) else rule.rules:
        yield from _explain(part, question, depth + 1)


_COMBINATORS: Mapping[type[AllOf | AnyOf | Not], str] = {AllOf: "all of", AnyOf: "any of", Not: "not"}


def _found(leaf: Leaf, question: _Question) -> Any:
    if isinstance(leaf, AttributeRule):
        return _attribute(leaf.name, question)
    if isinstance(leaf, EventRule) and len(leaf.aggregates) == 1:
        return _reckoned(leaf, question)
    if isinstance(leaf, CaseRule):
        return name_cases(question.connection, question.profile_id)
    return None


def _attribute(name: str, question: _Question) -> Any:
    if name not in COLUMNS and is_sealed(name, question.workspace):
        return None
    column = profile.c[name] if name in COLUMNS else profile.c.attributes
    value = question.connection.scalar(select(column).where(profile.c.id == question.profile_id))
    return value if name in COLUMNS or value is None else value.get(name)


def _reckoned(leaf: EventRule, question: _Question) -> Any:
    """The number that the condition compares; the rule's own pass over the log gives it."""
    moment = Moment(question.now, ZoneInfo(question.workspace.timezone))
    features = Features([leaf], moment, [question.profile_id])
    subject = features.subject(leaf, leaf.aggregates[0])
    if not isinstance(subject, Plain) or subject.element.number is None:
        return None  # `first` and `last` look at one event, which has no number
    [table] = features.tables
    joined = profile.outerjoin(table, table.c.profile_id == profile.c.id)
    query = select(subject.element.number).select_from(joined).where(profile.c.id == question.profile_id)
    return question.connection.scalar(query)
