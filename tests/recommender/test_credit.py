from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, insert

from customers.tables import customer_order, order_line
from delivery.tables import message
from recommender.credit import OfferCredit, credit_of
from recommender.tables import offer_decision
from tests.recommender.shop import NOW, add_profiles
from tracking.tables import conversion

DAY = timedelta(days=1)


def _decide(connection: Connection, name: str, profile_id: int | None, *skus: str, is_holdout: bool = False) -> None:
    row = {
        "id": name,
        "offer": "cross_sell",
        "surface": "email",
        "profile_id": profile_id,
        "is_holdout": is_holdout,
        "fallback_level": "rules",
        "items": [{"sku": sku, "reason": "", "score": 1.0} for sku in skus],
        "decided_at": NOW,
    }
    connection.execute(insert(offer_decision), [row])


def _order(connection: Connection, key: str, profile_id: int, decision: str | None, **changes: Any) -> int:
    """An order of A for 700, B for 500 and a fee of 100, two days after the decisions."""
    row = {
        "key": key,
        "kind": "order",
        "profile_id": profile_id,
        "placed_at": NOW + 2 * DAY,
        "currency": "GBP",
        "total": 1_300,
        "line_count": 3,
        "decision_id": decision,
        **changes,
    }
    order_id: int = connection.execute(insert(customer_order).values(row).returning(customer_order.c.id)).scalar_one()
    lines = [("A", 700, "product"), ("B", 500, "product"), ("A", 100, "fee")]
    connection.execute(
        insert(order_line),
        [
            {"order_id": order_id, "line_no": number, "kind": kind, "sku": sku, "quantity": 1, "amount": amount}
            for number, (sku, amount, kind) in enumerate(lines, 1)
        ],
    )
    return order_id


def _credit(connection: Connection) -> OfferCredit:
    return credit_of(connection, "cross_sell", start=NOW, end=NOW + DAY, currency="GBP")


def test_offered_products_are_credited_when_the_shop_names_the_decision(connection: Connection) -> None:
    alice, bob = add_profiles(connection, 2)
    _decide(connection, "d-alice", alice, "A", "C")
    _decide(connection, "d-anybody", None, "B")
    _decide(connection, "d-held", bob, "A", is_holdout=True)
    _order(connection, "1", alice, "d-alice")
    assert _credit(connection) == OfferCredit(1, 700)
    _order(connection, "2", bob, "d-anybody")
    _order(connection, "3", bob, "d-held")  # saw best sellers
    _order(connection, "4", bob, "d-alice")  # somebody else's
    _order(connection, "5", alice, "d-none")
    _order(connection, "6", alice, None)
    _order(connection, "7", alice, "d-alice", placed_at=NOW + 7 * DAY)
    _order(connection, "8", alice, "d-alice", placed_at=NOW - DAY)
    _order(connection, "9", alice, "d-alice", currency="EUR")
    _order(connection, "10", alice, "d-alice", kind="return")
    assert _credit(connection) == OfferCredit(2, 1_200)


def test_an_order_is_passed_over_when_it_holds_nothing_that_was_offered(connection: Connection) -> None:
    (alice,) = add_profiles(connection, 1)
    _decide(connection, "d-alice", alice, "C")
    _order(connection, "1", alice, "d-alice")
    assert _credit(connection) == OfferCredit()


def test_the_clicked_messages_decision_counts_when_the_shop_names_none(connection: Connection) -> None:
    (alice,) = add_profiles(connection, 1)
    _decide(connection, "d-alice", alice, "B")
    values = {
        "id": "m-1", "kind": "marketing", "channel": "email", "profile_id": alice, "topic": "news", "template": "t",
        "origin_kind": "campaign", "origin": "c", "origin_id": "l", "decision_id": "d-alice", "status": "sent",
        "due_at": NOW, "first_due_at": NOW, "token_id": 1, "created_at": NOW,
    }  # fmt: skip
    connection.execute(insert(message).values(values))
    for key, rule in (("1", "clicked"), ("2", "delivered")):
        order_id = _order(connection, key, alice, None)
        connection.execute(
            insert(conversion).values(
                order_id=order_id, message_id="m-1", rule=rule, amount=1_300, currency="GBP", occurred_at=NOW
            )
        )
    assert _credit(connection) == OfferCredit(1, 500)
