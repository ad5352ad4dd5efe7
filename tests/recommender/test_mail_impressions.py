from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from core.database import Database
from core.runtime import Runtime
from customers.log import NewEvent, append_events
from customers.tables import customer_event
from customers.workspace import Workspace
from delivery.tables import message
from recommender.mail_impressions import note_mail_impressions
from recommender.offer_definition import Offer
from recommender.offers import OfferDecision, decide_offers
from recommender.tables import offer_impression
from tests.recommender.shop import NOW, add_products, add_profiles

MINUTE = timedelta(minutes=1)


@pytest.fixture
def mailed(runtime: Runtime, database: Database, workspace: Workspace) -> dict[str, OfferDecision]:
    """A mail with two offers has gone out to Alice."""
    with database.transaction() as connection:
        append_events(connection, runtime.vault, workspace, [NewEvent("visited", NOW, "test", "before")], NOW)
        add_products(connection)
        (alice,) = add_profiles(connection, 1)
        decided = {
            slug: decide_offers(connection, Offer(slug), [alice], surface="email", key="m", now=NOW)[alice]
            for slug in ("first", "second")
        }
        links = {
            "1025": f"{decided['second'].items[1].url}?utm_source=shop&d={decided['second'].id}",
            "2049": f"https://elsewhere.example/?d={decided['second'].id}",
            "3073": "https://shop.example/",
        }
        row = {"kind": "marketing", "channel": "email", "profile_id": alice, "topic": "t", "template": "t"}
        row |= {"origin_kind": "campaign", "origin": "c", "origin_id": "l", "status": "sent", "attempt_count": 1}
        row |= {"due_at": NOW, "first_due_at": NOW, "created_at": NOW, "sent_at": NOW, "token_id": 1}
        row |= {"links": runtime.vault.seal_document(alice, "message.links", links)}
        connection.execute(insert(message).values(id="mail", decision_id=decided["first"].id, **row))
    with database.transaction() as connection:
        assert note_mail_impressions(connection, runtime.vault, workspace, NOW) == 0
    return decided


def act(runtime: Runtime, workspace: Workspace, name: str, key: str, **properties: Any) -> None:
    """Alice opens or clicks; a minute later it is noted."""
    with runtime.database.transaction() as connection:
        told = {"message_id": "mail", "is_human": True, **properties}
        events = [
            NewEvent(name, NOW + MINUTE, "tracking", key, 1, told),
            NewEvent("visited", NOW, "test", f"{key}-v", 1),
        ]
        append_events(connection, runtime.vault, workspace, events, NOW + MINUTE)
    with runtime.database.transaction() as connection:
        assert note_mail_impressions(connection, runtime.vault, workspace, NOW + MINUTE) == 1


def noted(connection: Connection) -> list[tuple[str, str, str | None]]:
    rows = connection.execute(select(offer_impression).order_by(offer_impression.c.id))
    return [(row.decision_id, row.kind, row.sku) for row in rows]


def test_the_offers_of_a_mail_were_seen_when_it_was_opened_and_once_only(
    runtime: Runtime, workspace: Workspace, mailed: dict[str, OfferDecision]
) -> None:
    act(runtime, workspace, "message_opened", "o1", is_human=False)
    act(runtime, workspace, "message_opened", "o2")
    act(runtime, workspace, "message_opened", "o3")
    with runtime.database.transaction() as connection:
        assert noted(connection) == [(mailed["first"].id, "shown", None)]
        assert note_mail_impressions(connection, runtime.vault, workspace, NOW) == 0


def test_the_product_behind_the_link_was_followed_of_the_offer_that_the_link_names(
    runtime: Runtime, workspace: Workspace, mailed: dict[str, OfferDecision]
) -> None:
    first, second = mailed["first"], mailed["second"]
    act(runtime, workspace, "link_clicked", "c1", link_no=1025)
    act(runtime, workspace, "link_clicked", "c2", link_no=2049)
    act(runtime, workspace, "link_clicked", "c3", link_no=3073)
    with runtime.database.read() as connection:
        assert noted(connection) == [
            (first.id, "shown", None),
            (second.id, "shown", None),
            (second.id, "clicked", second.items[1].sku),
            (second.id, "clicked", None),
        ]
        log = connection.execute(select(customer_event).where(customer_event.c.name == "offer_clicked")).all()
        assert [row.properties.get("sku") for row in log] == [second.items[1].sku, None]


def test_only_the_showing_is_noted_when_links_can_be_read_no_more(
    runtime: Runtime, workspace: Workspace, mailed: dict[str, OfferDecision]
) -> None:
    runtime.vault.destroy(1)
    act(runtime, workspace, "link_clicked", "c1", link_no=1025)
    with runtime.database.read() as connection:
        assert noted(connection) == [(mailed["first"].id, "shown", None)]
