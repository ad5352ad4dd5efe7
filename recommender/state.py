"""How the rules of a shop stand: in force, old, or missing, and what is offered meanwhile. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, select

from recommender.published import RuleSetStatus, find_published
from recommender.tables import rule_set

STALE_AFTER = timedelta(days=7)  # they are mined every night


class RulesState(StrEnum):
    CURRENT = "current"
    STALE = "stale"  # offers go on from the old rules, which know more than a list of best sellers
    MISSING = "missing"  # offers show best sellers


@dataclass(frozen=True, slots=True)
class RulesStanding:
    """`told` says it in a sentence with the way out. `refused` is why the last mining was not published, if it is the
    newest; shares are hit rates at ten, 0 to 1.
    """

    state: RulesState
    told: str
    rule_set_id: int | None = None
    mined_at: datetime | None = None
    rule_count: int = 0
    hit_rate: float | None = None
    best_sellers: float | None = None
    refused: str | None = None


def rules_standing(connection: Connection, now: datetime) -> RulesStanding:
    """How the rules stand at `now`."""
    published = find_published(connection)
    newest = connection.execute(select(rule_set).order_by(rule_set.c.id.desc()).limit(1)).one_or_none()
    refused = None
    if newest is not None and newest.status == RuleSetStatus.REFUSED:
        refused = newest.evaluation.get("verdict")
    if published is None:
        why = f": {refused}" if refused else ", because none was ever mined: run `postilion recommend mine`."
        return RulesStanding(
            RulesState.MISSING, f"No rules are published, and offers show best sellers{why}", refused=refused
        )
    days = (now - published.mined_at).days
    is_stale = now - published.mined_at > STALE_AFTER
    told = f"Rule set {published.id} of {published.mined_at:%Y-%m-%d} is in force"
    told += f", {days} days old: run `postilion recommend mine`" if is_stale else ""
    told += f". The last mining was refused: {refused}" if refused else "."
    return RulesStanding(
        RulesState.STALE if is_stale else RulesState.CURRENT,
        told,
        published.id,
        published.mined_at,
        published.rule_count,
        published.evaluation.get("hit_rate"),
        published.evaluation.get("best_sellers"),
        refused,
    )
