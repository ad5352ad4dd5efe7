"""A rule becomes one SELECT of profile ids, on SQLite, PostgreSQL and DuckDB with the same members; many share a pass.

Every condition is true or false, never NULL, so `not` simply negates. Each leaf has one function in `_LEAVES`;
conditions on events share the pass of `features`. What only a journey can answer must have been replaced before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import FromClause, Select, and_, false, literal, not_, or_, select, true

from core.errors import InputError
from core.vault import Vault
from customers.tables import ProfileStatus, profile, static_list_member
from customers.workspace import Workspace
from segments.compiling.attributes import attribute_predicate
from segments.compiling.cases import case_predicate
from segments.compiling.consents import Consents
from segments.compiling.features import Features
from segments.compiling.leaves.account import account_predicate
from segments.compiling.leaves.anniversary import anniversary_predicate
from segments.compiling.leaves.clocks import Clocks
from segments.compiling.leaves.local_time import local_time_predicate
from segments.compiling.leaves.near import near_predicate
from segments.compiling.leaves.owns import Owners
from segments.compiling.leaves.rank import rank_predicate
from segments.compiling.leaves.score import Scores
from segments.compiling.leaves.sequence import Sequences
from segments.compiling.messages import message_predicate
from segments.compiling.predicates import Moment, conjunction, matches
from segments.compiling.values import Predicate
from segments.language.nesting import inline
from segments.language.rules import (
    AccountRule,
    AllOf,
    AnniversaryRule,
    AttributeRule,
    CaseRule,
    ConsentRule,
    Constant,
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
    SequenceRule,
    Since,
    iter_leaves,
)


class Reach(StrEnum):
    """Whom a rule may find at all. Nobody finds the restricted, the merged and the erased."""

    MARKETING = "marketing"  # not those who objected: segments, campaigns, offers
    SERVICE = "service"  # they too: a journey goes on confirming their orders, but they are in no segment


@dataclass(frozen=True, slots=True)
class _DidNotObject(Leaf):
    """Stands before each segment where the reach is wider than the segment's own."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the leaves of one rule are compiled with."""

    moment: Moment
    workspace: Workspace
    vault: Vault | None
    batch: Sequence[int] | None
    features: Features
    consents: Consents
    sequences: Sequences
    owners: Owners
    clocks: Clocks
    scores: Scores


def compile_rule(
    rule: Rule,
    *,
    now: datetime,
    workspace: Workspace,
    segments: Mapping[str, Rule],
    batch: Sequence[int] | None = None,
    vault: Vault | None = None,
    reach: Reach = Reach.MARKETING,
) -> Select[tuple[int]]:
    """The ids, in order, of the profiles within `reach` (of those in `batch`, where given) for whom `rule` holds at
    `now`.

    `segments` are the rules that may be nested; `vault` is needed for conditions on sealed attributes. Windows are
    half-open [now - within, now); days of dates begin at midnight in the workspace's zone. Raises NotFoundError for an
    unknown segment, ConflictError for a circle, InputError for a condition that only a journey can answer.
    """
    source, holds, within_reach = _compile({"it": rule}, now, workspace, segments, batch, vault, reach)
    return select(profile.c.id).select_from(source).where(within_reach, holds["it"]).order_by(profile.c.id)


def compile_rules(
    rules: Mapping[str, Rule],
    *,
    now: datetime,
    workspace: Workspace,
    segments: Mapping[str, Rule],
    batch: Sequence[int] | None = None,
    vault: Vault | None = None,
    reach: Reach = Reach.MARKETING,
) -> Select[Any]:
    """One pass for many rules: a row for each profile within `reach`, in order, with its `id` and, under the name of
    each rule, whether that holds. Everything else is as in `compile_rule`.
    """
    source, holds, within_reach = _compile(rules, now, workspace, segments, batch, vault, reach)
    columns = [predicate.label(name) for name, predicate in holds.items()]
    return select(profile.c.id, *columns).select_from(source).where(within_reach).order_by(profile.c.id)


def _compile(
    rules: Mapping[str, Rule],
    now: datetime,
    workspace: Workspace,
    segments: Mapping[str, Rule],
    batch: Sequence[int] | None,
    vault: Vault | None,
    reach: Reach,
) -> tuple[FromClause, dict[str, Predicate], Predicate]:
    """What to select from, when each rule holds, and who is looked at."""
    if reach is Reach.SERVICE:
        segments = {slug: AllOf((_DidNotObject(), inner)) for slug, inner in segments.items()}
    trees = {name: inline(rule, segments) for name, rule in rules.items()}
    moment = Moment(now, ZoneInfo(workspace.timezone))
    leaves = [leaf for tree in trees.values() for leaf in iter_leaves(tree)]
    features = Features([leaf for leaf in leaves if isinstance(leaf, EventRule)], moment, batch)
    consents = Consents([leaf for leaf in leaves if isinstance(leaf, ConsentRule)], now, batch)
    sequences = Sequences([leaf for leaf in leaves if isinstance(leaf, SequenceRule)], moment, batch)
    owners = Owners([leaf for leaf in leaves if isinstance(leaf, OwnsRule)], moment, batch)
    clocks = Clocks([leaf for leaf in leaves if isinstance(leaf, AnniversaryRule | LocalTimeRule)], moment, batch)
    scores = Scores([leaf for leaf in leaves if isinstance(leaf, ScoreRule)], moment, batch)
    scope = Scope(moment, workspace, vault, batch, features, consents, sequences, owners, clocks, scores)
    holds = {name: _predicate(tree, scope) for name, tree in trees.items()}
    source: FromClause = profile
    for table in (*features.tables, *consents.tables, *sequences.tables, *owners.tables, *scores.tables):
        source = source.outerjoin(table, table.c.profile_id == profile.c.id)
    for table in clocks.tables:
        source = source.outerjoin(table, table.c.timezone == profile.c.timezone)
    within_reach = [profile.c.status == ProfileStatus.ACTIVE.value]
    if reach is Reach.MARKETING:
        within_reach.append(profile.c.objected_at.is_(None))
    if batch is not None:
        within_reach.append(profile.c.id.in_(batch))
    return source, holds, and_(*within_reach)


def _predicate(rule: Rule, scope: Scope) -> Predicate:
    if isinstance(rule, Not):
        return not_(_predicate(rule.rule, scope))
    if isinstance(rule, Leaf):
        leaf = _LEAVES.get(type(rule))
        if leaf is None:
            raise InputError(f"only a journey can answer {_word(rule)}: a segment knows no steps and no entry.")
        return leaf(rule, scope)
    parts = [_predicate(part, scope) for part in rule.rules]
    return conjunction(parts) if isinstance(rule, AllOf) else or_(false(), *parts)


def _constant(leaf: Constant, _scope: Scope) -> Predicate:
    return true() if leaf.holds else false()


def _did_not_object(_leaf: _DidNotObject, _scope: Scope) -> Predicate:
    return profile.c.objected_at.is_(None)


def _attribute(leaf: AttributeRule, scope: Scope) -> Predicate:
    return attribute_predicate(leaf, scope.moment, scope.workspace, scope.vault)


def _event(leaf: EventRule, scope: Scope) -> Predicate:
    _check_start(leaf)
    return conjunction(
        matches(scope.features.subject(leaf, aggregate), aggregate.matcher, scope.moment)
        for aggregate in leaf.aggregates
    )


def _consent(leaf: ConsentRule, scope: Scope) -> Predicate:
    return scope.consents.predicate(leaf)


def _list(leaf: ListRule, _scope: Scope) -> Predicate:
    member = static_list_member.c
    on_list = select(literal(1)).where(member.list == leaf.slug, member.profile_id == profile.c.id)
    return on_list.correlate(profile).exists()


def _message(leaf: MessageRule, scope: Scope) -> Predicate:
    return message_predicate(leaf, scope.moment)


def _case(leaf: CaseRule, scope: Scope) -> Predicate:
    return case_predicate(leaf, scope.moment)


def _score(leaf: ScoreRule, scope: Scope) -> Predicate:
    return scope.scores.predicate(leaf)


def _rank(leaf: RankRule, scope: Scope) -> Predicate:
    return rank_predicate(leaf, scope.batch)


def _sequence(leaf: SequenceRule, scope: Scope) -> Predicate:
    _check_start(leaf)
    return scope.sequences.predicate(leaf)


def _check_start(leaf: EventRule | SequenceRule) -> None:
    if leaf.since is not Since.EVER and leaf.start is None:
        raise InputError(f"only a journey can answer `since: {leaf.since}`: a segment has neither entry nor step.")


def _owns(leaf: OwnsRule, scope: Scope) -> Predicate:
    return scope.owners.predicate(leaf)


def _near(leaf: NearRule, scope: Scope) -> Predicate:
    return near_predicate(leaf, scope.workspace)


def _anniversary(leaf: AnniversaryRule, scope: Scope) -> Predicate:
    return anniversary_predicate(leaf, scope.clocks, scope.workspace)


def _local_time(leaf: LocalTimeRule, scope: Scope) -> Predicate:
    return local_time_predicate(leaf, scope.clocks)


def _account(leaf: AccountRule, scope: Scope) -> Predicate:
    return account_predicate(leaf, scope.moment)


_LEAVES: Mapping[type[Leaf], Callable[[Any, Scope], Predicate]] = {
    Constant: _constant,
    _DidNotObject: _did_not_object,
    AttributeRule: _attribute,
    EventRule: _event,
    ConsentRule: _consent,
    ListRule: _list,
    MessageRule: _message,
    CaseRule: _case,
    ScoreRule: _score,
    RankRule: _rank,
    SequenceRule: _sequence,
    OwnsRule: _owns,
    NearRule: _near,
    AnniversaryRule: _anniversary,
    LocalTimeRule: _local_time,
    AccountRule: _account,
}


def _word(leaf: Leaf) -> str:
    """The leaf's word in YAML, for the faults of what cannot be selected."""
    return f"`{type(leaf).__name__.removesuffix('Rule').lower()}`"
