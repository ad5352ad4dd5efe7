"""Rules asked about everybody at once, of the columnar snapshot: one scan for all of them.

Sealed attributes are not in it, so that rules which ask for one are asked of the system of record. Who calls this has
a great many people: for a few thousand the database itself is quicker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from core.runtime import Runtime
from customers.workspace import Workspace, get_workspace
from segments.compiling.attributes import is_sealed
from segments.compiling.compiler import compile_rule, compile_rules
from segments.definition import Segment, load_segments, rules_of
from segments.language.nesting import inline
from segments.language.rules import AttributeRule, Rule, iter_leaves
from segments.snapshot.delta import bring_up_to_date
from segments.snapshot.owned import Owned, own_snapshot, read_meta
from segments.snapshot.source import Positions

if TYPE_CHECKING:
    import numpy as np

    Ids = np.ndarray[Any, np.dtype[np.int64]]

_RULE = "rule_"


@dataclass(frozen=True, slots=True)
class Found:
    """The members by segment, as ascending ids, at the instant `asked_at`, of everything up to `positions`."""

    members: Mapping[str, Ids]
    asked_at: datetime
    positions: Positions


def evaluate_everybody(runtime: Runtime, segments: Mapping[str, Segment], now: datetime) -> Mapping[str, Ids]:
    """The members of each of `segments` at `now`, as ascending ids, of the snapshot brought up to date.

    Segments that they contain are looked up among the published. Raises ConflictError while another process owns the
    snapshot.
    """
    return find_everybody(runtime, segments, now).members


def find_everybody(runtime: Runtime, segments: Mapping[str, Segment], now: datetime) -> Found:
    """`evaluate_everybody`, and up to where the rows were that it asked."""
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
        published = rules_of(load_segments(connection))
    known = published | rules_of(segments)
    wanted = {slug: inline(segment.rule, known) for slug, segment in segments.items()}
    sealed = {slug for slug, rule in wanted.items() if asks_sealed(rule, workspace)}
    with own_snapshot(runtime) as owned:
        result = bring_up_to_date(owned, runtime)
        members = ask(owned, {slug: rule for slug, rule in wanted.items() if slug not in sealed}, now, workspace)
        positions = read_meta(owned.opened).positions
        owned.close()
        if result.rebuilt is not None:
            owned.folder.publish()
        else:
            owned.folder.publish_if_old()
    found = dict(members)
    for slug in sorted(sealed):
        found[slug] = _ask_record(runtime, wanted[slug], now, workspace)
    return Found(found, now, positions)


def asks_sealed(rule: Rule, workspace: Workspace) -> bool:
    """Whether `rule`, with nothing nested in it, compares what is sealed."""
    return any(isinstance(leaf, AttributeRule) and is_sealed(leaf.name, workspace) for leaf in iter_leaves(rule))


def ask(owned: Owned, rules: Mapping[str, Rule], now: datetime, workspace: Workspace) -> dict[str, Ids]:
    """The members by rule of a snapshot as it is; nothing is nested in `rules`, and nothing sealed is asked for.

    One scan: a row a person, a truth a rule. Rules are numbered, since DuckDB does not tell "a" from "A".
    """
    import numpy as np

    if not rules:
        return {}
    numbered = {f"{_RULE}{number}": rule for number, rule in enumerate(rules.values())}
    query = compile_rules(numbered, now=now, workspace=workspace, segments={})
    columns = owned.fetch(query.order_by(None))
    return {slug: np.sort(columns["id"][columns[name]]) for slug, name in zip(rules, numbered, strict=True)}


def _ask_record(runtime: Runtime, rule: Rule, now: datetime, workspace: Workspace) -> Ids:
    import numpy as np

    query = compile_rule(rule, now=now, workspace=workspace, segments={}, vault=runtime.vault)
    with runtime.database.read() as connection:
        return np.fromiter(connection.scalars(query), dtype=np.int64)
