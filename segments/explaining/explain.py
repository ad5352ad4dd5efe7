"""Why a profile is in a segment or not: each condition with what was found and whether it holds.

The verdicts come from the one compiler, asked for this profile alone. Sealed values are not opened for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from core.vault import Vault
from core.zones import find_zone
from customers.tables import ProfileStatus, profile
from customers.workspace import Workspace
from insights.scores import find_score
from segments.compiling.attributes import COLUMNS, is_sealed
from segments.compiling.cases import name_cases
from segments.compiling.leaves.account import name_accounts
from segments.compiling.leaves.near import distance_m
from segments.compiling.leaves.owns import name_owned
from segments.compiling.leaves.sequence import name_events
from segments.compiling.predicates import Moment
from segments.definition import load_segments, rules_of
from segments.explaining.outlook import what_it_needs
from segments.explaining.values import reckon_events, tell_consent, tell_events, tell_list, tell_message
from segments.language.rules import (
    BIRTHDAY,
    LATITUDE,
    LONGITUDE,
    AccountRule,
    AllOf,
    AnniversaryRule,
    AnyOf,
    AttributeRule,
    CaseRule,
    ConsentRule,
    EventRule,
    Leaf,
    ListRule,
    LocalTimeRule,
    MessageRule,
    NearRule,
    Not,
    OwnsRule,
    RankRule,
    Rule,
    ScoreRule,
    SegmentRule,
    SequenceRule,
)
from segments.language.wording import describe
from segments.membership import matching
from segments.ranks.ranking import tell_place


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an explanation. `found` is the value that was looked at, where there is one to show."""

    depth: int
    condition: str
    holds: bool
    found: Any = None
    needs: str | None = None  # what is missing, where that can be told
    until: datetime | None = None  # when it changes by itself
    leaf: Leaf | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Question:
    connection: Connection
    profile_id: int
    now: datetime
    workspace: Workspace
    segments: Mapping[str, Rule]
    vault: Vault | None

    @property
    def moment(self) -> Moment:
        return Moment(self.now, ZoneInfo(self.workspace.timezone))

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
        holds = question.holds(rule)
        needs = None if holds else _needs(rule, question)
        yield Finding(depth, describe(rule), holds, _found(rule, question), needs, leaf=rule)
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
    if isinstance(leaf, EventRule):
        return tell_events(question.connection, leaf, question.profile_id, question.moment)
    if isinstance(leaf, ConsentRule):
        return tell_consent(question.connection, leaf, question.profile_id, question.now)
    if isinstance(leaf, ListRule):
        return tell_list(question.connection, leaf, question.profile_id)
    if isinstance(leaf, MessageRule):
        return tell_message(question.connection, leaf, question.profile_id)
    if isinstance(leaf, RankRule):
        return tell_place(question.connection, leaf, question.profile_id)
    if isinstance(leaf, ScoreRule):
        score = find_score(question.connection, leaf.name, question.profile_id)
        return None if score is None else str(score)
    if isinstance(leaf, CaseRule):
        return name_cases(question.connection, question.profile_id)
    if isinstance(leaf, SequenceRule):
        return name_events(question.connection, leaf, question.profile_id, question.moment)
    if isinstance(leaf, OwnsRule):
        return name_owned(question.connection, leaf, question.profile_id, question.moment)
    if isinstance(leaf, NearRule):
        return _distance(leaf, question)
    if isinstance(leaf, AnniversaryRule):
        return _date(leaf, question)
    if isinstance(leaf, LocalTimeRule):
        return _wall_clock(question)
    if isinstance(leaf, AccountRule):
        return name_accounts(question.connection, question.profile_id)
    return None


def _wall_clock(question: _Question) -> str:
    zone = find_zone(_attribute("timezone", question) or "") or question.moment.zone
    return question.now.astimezone(zone).strftime("%H:%M %a")


def _distance(leaf: NearRule, question: _Question) -> str | None:
    attributes = {name: _attribute(name, question) for name in (LATITUDE, LONGITUDE)}
    metres = distance_m(leaf, attributes)
    return None if metres is None else f"{metres / 1000:g} km"


def _date(leaf: AnniversaryRule, question: _Question) -> Any:
    if leaf.attribute != BIRTHDAY:
        return _attribute(leaf.attribute, question)
    month, day = _attribute("birth_month", question), _attribute("birth_day", question)
    return None if month is None or day is None else f"{month:02}-{day:02}"


def _attribute(name: str, question: _Question) -> Any:
    if name not in COLUMNS and is_sealed(name, question.workspace):
        return None
    column = profile.c[name] if name in COLUMNS else profile.c.attributes
    value = question.connection.scalar(select(column).where(profile.c.id == question.profile_id))
    return value if name in COLUMNS or value is None else value.get(name)


def _needs(leaf: Leaf, question: _Question) -> str | None:
    if not isinstance(leaf, EventRule):
        return None
    return what_it_needs(leaf, reckon_events(question.connection, leaf, question.profile_id, question.moment))
