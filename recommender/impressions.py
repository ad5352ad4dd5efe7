"""What became of a decision: which of its products were seen and which were clicked, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, insert, select

from core.database import batches, insert_ignore
from core.vault import Vault
from customers.log import NewEvent, append_events
from customers.tables import event_key
from customers.workspace import Workspace
from recommender.tables import offer_decision, offer_impression

_BATCH = 500


class ImpressionKind(StrEnum):
    SHOWN = "shown"
    CLICKED = "clicked"


@dataclass(frozen=True, slots=True)
class NewImpression:
    """One product of a decision was shown or clicked; without `sku`, the offer as a whole.

    `view` tells the showings of an answer apart that many people are given.
    """

    decision_id: str
    kind: ImpressionKind
    sku: str | None
    occurred_at: datetime
    view: str = ""

    @property
    def key(self) -> str:
        key = f"offer_{self.kind}:{self.decision_id}:{self.sku or ''}"
        return f"{key}:{self.view}" if self.view else key


def record_impressions(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    impressions: Sequence[NewImpression],
    received_at: datetime,
) -> int:
    """Store the impressions that are new, with their log events; answers how many those were.

    Impressions of decisions that do not exist are passed over.
    """
    new_count = 0
    for some in batches(list({one.key: one for one in impressions}.values()), _BATCH):
        decisions = _decisions(connection, [one.decision_id for one in some])
        known = [one for one in some if one.decision_id in decisions]
        # The log keeps the event's own key; this one says that the row below is written.
        keys = [{"key": f"row:{one.key}", "received_at": received_at} for one in known]
        written = {key for (key,) in insert_ignore(connection, event_key, keys, returning=["key"])}
        fresh = [one for one in known if f"row:{one.key}" in written]
        if not fresh:
            continue
        connection.execute(
            insert(offer_impression),
            [
                {"decision_id": one.decision_id, "kind": one.kind, "sku": one.sku, "occurred_at": one.occurred_at}
                for one in fresh
            ],
        )
        events = [_event(one, *decisions[one.decision_id]) for one in fresh]
        append_events(connection, vault, workspace, events, received_at)
        new_count += len(fresh)
    return new_count


def _decisions(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[int | None, str, str]]:
    """Profile, offer and surface of each decision."""
    rows = connection.execute(
        select(
            offer_decision.c.id, offer_decision.c.profile_id, offer_decision.c.offer, offer_decision.c.surface
        ).where(offer_decision.c.id.in_(set(ids)))
    )
    return {row.id: (row.profile_id, row.offer, row.surface) for row in rows}


def _event(impression: NewImpression, profile_id: int | None, offer: str, surface: str) -> NewEvent:
    properties = {"offer": offer, "decision_id": impression.decision_id, "surface": surface}
    if impression.sku is not None:
        properties["sku"] = impression.sku
    return NewEvent(
        f"offer_{impression.kind}", impression.occurred_at, "recommender", impression.key, profile_id, properties
    )
