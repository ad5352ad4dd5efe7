"""What was decided once stays decided: offer decisions in the database, found again by what caused them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, select

from core.bulk import among, insert_few
from core.clock import to_micros
from core.database import batches
from core.ids import derived_ids
from recommender.choice import Level
from recommender.tables import offer_decision

DECISION_PARAMETER = "d"  # of every link of an offer: by it the shop tells where an order came from

_BATCH = 5_000
_COLUMNS = (
    "id", "offer", "surface", "profile_id", "is_holdout", "rule_set_id", "fallback_level", "items", "decided_at",
)  # fmt: skip


class StoredItem(Struct, frozen=True, gc=False):  # made by the hundred thousand for one mail
    """One product of a decision, as it was explained at the time."""

    sku: str
    reason: str
    score: float


class StoredDecision(Struct, frozen=True, gc=False):
    """One row of `offer_decision`; `profile_id` is None where nobody is known."""

    id: str
    offer: str
    surface: str
    profile_id: int | None
    is_holdout: bool
    rule_set_id: int | None
    fallback_level: Level
    items: tuple[StoredItem, ...]
    decided_at: datetime


def decision_ids(offer: str, key: str, profile_ids: Sequence[int]) -> dict[int, str]:
    """The id of what is decided for each profile by one cause, such as a launch, a step run, a page view."""
    ids = derived_ids(("offer_decision", offer, key), profile_ids)
    return dict(zip(profile_ids, ids, strict=True))


def find_decisions(connection: Connection, ids: Sequence[str]) -> dict[str, StoredDecision]:
    """Those of `ids` that were decided before."""
    found = {}
    for some in batches(ids, _BATCH):
        for row in connection.execute(select(offer_decision).where(among(connection, offer_decision.c.id, some))):
            found[row.id] = _stored(row)
    return found


def find_decision(connection: Connection, number: str) -> StoredDecision | None:
    """As `find_decisions` for one, for a page that waits."""
    row = connection.execute(_ONE, {"number": number}).one_or_none()
    return None if row is None else _stored(row)


_ONE = select(offer_decision).where(offer_decision.c.id == bindparam("number"))


def record_decisions(connection: Connection, decisions: Sequence[StoredDecision]) -> dict[str, StoredDecision]:
    """Store what was not decided before and answer what stands: somebody else may have been first."""
    standing: dict[str, StoredDecision] = {}
    for some in batches(decisions, _BATCH):
        mine = set(insert_few(connection, offer_decision, _COLUMNS, [_row(one) for one in some], returning="id"))
        standing |= {one.id: one for one in some if one.id in mine}
        standing |= find_decisions(connection, [one.id for one in some if one.id not in mine])
    return standing


def _row(decision: StoredDecision) -> tuple[Any, ...]:
    return (
        decision.id,
        decision.offer,
        decision.surface,
        decision.profile_id,
        decision.is_holdout,
        decision.rule_set_id,
        decision.fallback_level,
        msgspec.json.encode(decision.items).decode(),
        to_micros(decision.decided_at),
    )


def _stored(row: Row[Any]) -> StoredDecision:
    return StoredDecision(
        row.id,
        row.offer,
        row.surface,
        row.profile_id,
        row.is_holdout,
        row.rule_set_id,
        Level(row.fallback_level),
        tuple(StoredItem(item["sku"], item["reason"], item["score"]) for item in row.items),
        row.decided_at,
    )
