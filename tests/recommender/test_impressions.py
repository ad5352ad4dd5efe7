from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from core.database import Database
from core.runtime import Runtime
from customers.tables import customer_event
from customers.workspace import Workspace
from recommender.impressions import ImpressionKind, NewImpression, record_impressions
from recommender.offer_definition import Offer
from recommender.offers import decide_offers
from recommender.tables import offer_impression
from tests.recommender.shop import NOW, add_products, add_profiles


@pytest.fixture
def decision(database: Database) -> str:
    """What Alice was offered."""
    with database.transaction() as connection:
        add_products(connection)
        (alice,) = add_profiles(connection, 1)
        decided = decide_offers(connection, Offer("cross_sell"), [alice], surface="widget", key="page", now=NOW)
    return decided[alice].id


def kinds(connection: Connection) -> list[tuple[str, str | None]]:
    rows = connection.execute(select(offer_impression.c.kind, offer_impression.c.sku).order_by(offer_impression.c.id))
    return [(row.kind, row.sku) for row in rows]


def test_each_showing_counts_once_when_it_is_told_twice(runtime: Runtime, workspace: Workspace, decision: str) -> None:
    shown = [NewImpression(decision, ImpressionKind.SHOWN, sku, NOW) for sku in ("SOA00", "TEA01", "SOA00")]
    click = NewImpression(decision, ImpressionKind.CLICKED, "TEA01", NOW + timedelta(seconds=9))
    for expected in ([2, 1], [0, 0]):
        with runtime.database.transaction() as connection:
            assert expected == [
                record_impressions(connection, runtime.vault, workspace, told, NOW) for told in (shown, [click])
            ]
    with runtime.database.read() as connection:
        assert kinds(connection) == [("shown", "SOA00"), ("shown", "TEA01"), ("clicked", "TEA01")]
        log = connection.execute(select(customer_event).order_by(customer_event.c.id)).all()
        assert [event.name for event in log] == ["offer_shown", "offer_shown", "offer_clicked"]
        assert log[2].properties == {
            "offer": "cross_sell",
            "decision_id": decision,
            "surface": "widget",
            "sku": "TEA01",
        }


def test_nothing_is_recorded_when_the_decision_is_unknown(
    runtime: Runtime, workspace: Workspace, decision: str
) -> None:
    unheard_of = NewImpression("no such decision", ImpressionKind.SHOWN, None, NOW)
    with runtime.database.transaction() as connection:
        assert record_impressions(connection, runtime.vault, workspace, [unheard_of], NOW) == 0
        assert kinds(connection) == []
