"""How one person stands to one segment: each condition explained, the membership as stored, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, select

from core.vault import Vault
from customers.workspace import Workspace
from segments.explaining.explain import Finding, explain
from segments.explaining.outlook import look_ahead
from segments.language.nesting import inline
from segments.language.rules import Leaf, Rule
from segments.membership import matching
from segments.tables import membership, segment_refresh


@dataclass(frozen=True, slots=True)
class Standing:
    """`holds` is the verdict now, `entered_at` the membership as the last refresh or tick stored it (None: outside).

    They differ while something is newer than `refreshed_at`. `changes_at` is when the verdict changes by itself, if
    nothing else happens; with `by_clock` a date or a clock may change it too.
    """

    segment: str
    findings: tuple[Finding, ...]
    holds: bool
    entered_at: datetime | None
    refreshed_at: datetime | None
    changes_at: datetime | None
    by_clock: bool

    @property
    def is_stored_right(self) -> bool:
        return self.holds == (self.entered_at is not None)


def stand(
    connection: Connection,
    segment: str,
    rules: Mapping[str, Rule],
    profile_id: int,
    now: datetime,
    workspace: Workspace,
    *,
    vault: Vault | None = None,
) -> Standing:
    """How the profile stands to `segment`, one of `rules`, at `now`. Raises what `compile_rule` raises."""

    def holds(rule: Rule, at: datetime) -> bool:
        found = matching(connection, rule, [profile_id], at, workspace, segments=rules, vault=vault)
        return profile_id in found

    rule = rules[segment]
    findings = explain(connection, rule, profile_id, now, workspace, segments=rules, vault=vault)
    outlook = look_ahead(connection, inline(rule, rules), profile_id, now, holds)
    told = [replace(one, until=_until(one.leaf, outlook.leaf_changes)) for one in findings]
    entered_at, refreshed_at = _stored(connection, segment, profile_id)
    return Standing(
        segment, tuple(told), holds(rule, now), entered_at, refreshed_at, outlook.changes_at, outlook.by_clock
    )


def _until(leaf: Leaf | None, changes: Mapping[Leaf, datetime]) -> datetime | None:
    return None if leaf is None else changes.get(leaf)


def _stored(connection: Connection, segment: str, profile_id: int) -> tuple[datetime | None, datetime | None]:
    member = membership.c
    entered_at = select(member.entered_at).where(member.segment == segment, member.profile_id == profile_id)
    refreshed_at = select(segment_refresh.c.refreshed_at).where(segment_refresh.c.segment == segment)
    return connection.scalar(entered_at), connection.scalar(refreshed_at)
