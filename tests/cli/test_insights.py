"""`postilion insights` as a person or a program runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import Shell, shell, shop

__all__ = ["shell", "shop"]

ORDERS = """order,customer,at,sku,quantity,price
1,ann,2026-05-01T10:00:00Z,tea,1,12.50
2,ann,2026-06-01T10:00:00Z,tea,2,12.50
"""
MAPPING = """import: orders
source: shop
timezone: Europe/London
currency: GBP
historical: true
columns: {order_id: order, placed_at: at, external_id: customer, sku: sku, quantity: quantity, unit_price: price}
"""


def test_it_says_what_to_do_first_when_nothing_was_learned(shop: Shell) -> None:
    for words in (("card",), ("report",), ("report", "--json")):
        result = shop.run("insights", *words)
        assert result.code == 1
        assert "run `postilion insights renew`" in result.error


def test_a_run_is_told_kept_and_shown_when_there_are_no_orders(shop: Shell, tmp_path: Path) -> None:
    told = shop.run("insights", "renew", "--margin", "0.4")
    assert told.code == 0, told.error
    assert "There are no orders to learn from." in told.out
    card = shop.run("insights", "card", "--json").document
    assert card["state"] == "no orders"
    assert card["worth"] == {"margin": 0.4, "yearly_discount": 0.1}
    assert shop.run("insights", "renew", "--json").document["worth"]["margin"] == 0.4
    assert shop.run("insights", "card").out.startswith("# Model card: customers of ")
    page = tmp_path / "insights.html"
    assert shop.run("insights", "report", "--out", str(page)).code == 0
    assert "<h1>" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [("--margin", "0"), ("--margin", "1.2"), ("--discount", "1"), ("--margin", "nan")])
def test_a_margin_or_discount_is_refused_when_it_means_nothing(shop: Shell, words: tuple[str, str]) -> None:
    result = shop.run("insights", "renew", *words)
    assert result.code == 1
    assert "is a share" in result.error


def test_a_customer_is_told_of_when_they_are_asked_for_by_name(shop: Shell) -> None:
    orders, mapping = shop.write("orders.csv", ORDERS), shop.write("orders.yaml", MAPPING)
    imported = shop.run("import", "orders", str(orders), "--mapping", str(mapping))
    assert imported.code == 0, imported.error
    assert shop.run("--now", "2026-06-10", "insights", "renew").code == 0
    told = shop.run("--now", "2026-06-10", "insights", "profile", "ann")
    assert "Last bought on 1 June 2026, 9 days ago." in told.out
    assert "Spent £37.50, £18.75 a time." in told.out
    assert "Nothing is said of the future (not enough data)." in told.out
    document = shop.run("--now", "2026-06-10", "insights", "profile", "ann", "--json").document
    assert document["offers"] == []
    assert {one["topic"]: one["value"] for one in document["portrait"]["statements"]}["money"] == 3750.0
    assert "nobody is known" in shop.run("insights", "profile", "bob").error
