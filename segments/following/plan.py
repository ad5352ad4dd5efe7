"""What is followed: the published segments as rules, when each can change, and which of them may be followed yet.

Reading the published files is dear, so that a plan is kept until one of them, or the workspace, has a new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from core.clock import to_micros
from core.definitions import definition
from core.errors import PostilionError
from customers.workspace import Workspace, get_workspace
from segments.definition import KIND, load_segments, rules_of
from segments.language.asked import asked_of
from segments.language.nesting import inline
from segments.language.rules import Rule
from segments.language.timing import STEADY, Timing, timing_of_rule, together
from segments.membership_writes import asks_for_moves
from segments.tables import segment_refresh

_SHARE = 20  # a rhythm is stretched so that asking everybody takes at most a 20th of the time

_WORKSPACE = "workspace"
_KEPT = 4
_NONE: Mapping[str, timedelta] = {}

Versions = frozenset[tuple[str, str, int, str]]


@dataclass(frozen=True, slots=True)
class Plan:
    """All published segments; `rules` are as they are written, `timings` and `asked` of what they amount to.

    `unfit` tells of those that cannot be asked at all, and why.
    """

    versions: Versions
    workspace: Workspace
    rules: Mapping[str, Rule]
    timings: Mapping[str, Timing]
    asked: Mapping[str, str]
    unfit: Mapping[str, str]

    @property
    def reads_moves(self) -> bool:
        """Whether a segment asks who entered or left one."""
        return any(asks_for_moves(timing) for timing in self.timings.values())


@dataclass(frozen=True, slots=True)
class Built:
    """Which segments have a membership by their present rule, and which everybody has to be asked about again."""

    followed: frozenset[str]
    unbuilt: frozenset[str]
    due: frozenset[str]


def load_plan(connection: Connection) -> Plan:
    """The plan as things are published now."""
    versions = _versions(connection)
    if versions not in _plans:
        while len(_plans) >= _KEPT:
            _plans.pop(next(iter(_plans)))
        _plans[versions] = _read_plan(connection, versions)
    return _plans[versions]


_plans: dict[Versions, Plan] = {}  # what is published under a version never changes


def _read_plan(connection: Connection, versions: Versions) -> Plan:
    workspace = get_workspace(connection)
    rules = rules_of(load_segments(connection))
    timings: dict[str, Timing] = {}
    asked: dict[str, str] = {}
    unfit: dict[str, str] = {}
    for slug, rule in sorted(rules.items()):
        try:
            timings[slug] = timing_of_rule(inline(rule, rules))
            asked[slug] = asked_of(rule, rules, workspace)
        except PostilionError as error:
            unfit[slug] = str(error)
    return Plan(versions, workspace, rules, timings, asked, unfit)


def find_built(connection: Connection, plan: Plan, now: datetime, at_least: Mapping[str, timedelta] = _NONE) -> Built:
    """How the published segments stand; `at_least` has the rhythms that somebody asks for, by segment."""
    rows = {row.segment: row for row in connection.execute(select(segment_refresh))}
    followed, due = set(), set()
    for slug, timing in plan.timings.items():
        row = rows.get(slug)
        if row is None or row.asked != plan.asked[slug]:
            continue
        followed.add(slug)
        rhythm = timing.rhythm and min(timing.rhythm, at_least.get(slug, timing.rhythm))
        if rhythm is not None and _is_due(row.refreshed_at, now, rhythm, row.seconds):
            due.add(slug)
    return Built(frozenset(followed), frozenset(plan.timings.keys() - followed), frozenset(due))


def timing_of_all(plan: Plan, slugs: frozenset[str]) -> Timing:
    return together(plan.timings[slug] for slug in slugs) if slugs else STEADY


def _is_due(asked_at: datetime, now: datetime, rhythm: timedelta, seconds: float) -> bool:
    """Whether a multiple of `rhythm` was passed since, and enough time for what asking everybody costs."""
    step = rhythm // timedelta(microseconds=1)
    passed = to_micros(asked_at) // step != to_micros(now) // step
    return passed and abs(now - asked_at) >= timedelta(seconds=_SHARE * seconds)


def _versions(connection: Connection) -> Versions:
    table = definition.c
    in_force = select(table.kind, table.slug, table.version, table.content_hash).where(
        table.kind.in_((KIND, _WORKSPACE)), table.withdrawn_at.is_(None)
    )
    return frozenset(connection.execute(in_force).tuples())
