"""One person in prose: what they did, what to expect, why, and as of when."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import update

from core.errors import NotFoundError
from core.runtime import Runtime
from customers.tables import profile
from customers.workspace import get_workspace
from insights.portrait import Statement, portray
from insights.renew import renew_insights
from insights.scores import get_score
from insights.scoring import CHURN, VALUE
from insights.wording import length, money, percent
from tests.insights.buyers import DAY, NOW, add_bought, add_orders, add_people, add_product, drawn_orders, order

ALICE, BOB, CAROL, DAVE = 1001, 1002, 1003, 1004


@pytest.fixture
def shop(runtime: Runtime) -> Runtime:
    """Alice buys tea every four weeks, Bob bought once, Carol objected, Dave never bought; and five hundred others."""
    with runtime.database.transaction() as connection:
        add_product(connection, "tea", "Tea", is_replenishable=True)
        add_product(connection, "pot", "Pots")
        people = add_people(connection, 1, 500)
        add_people(connection, ALICE, 4)
        add_orders(connection, drawn_orders(people))
        for days in range(10, 290, 28):
            add_bought(connection, ALICE, NOW - days * DAY, "tea")
        for who in people[:10]:
            for days in (80, 50, 20):
                add_bought(connection, who, NOW - days * DAY, "tea", "pot", "pot")
        add_orders(connection, [order(BOB, NOW - 200 * DAY, 4999), order(CAROL, NOW - DAY)])
        connection.execute(update(profile).where(profile.c.id == CAROL).values(objected_at=NOW))
    renew_insights(runtime)
    return runtime


def said(runtime: Runtime, who: int) -> Mapping[str, Statement]:
    with runtime.database.read() as connection:
        portrait = portray(connection, get_workspace(connection), who, NOW)
    return {one.topic: one for one in portrait.statements}


def test_a_regular_is_told_of_in_full_when_they_are_asked_about(shop: Runtime) -> None:
    alice = said(shop, ALICE)
    assert alice["last purchase"].sentence == "Last bought on 31 May 2026, 10 days ago."
    assert alice["frequency"].sentence == "Has bought on 10 days since 21 September 2025, every 28 days on average."
    assert alice["money"].sentence == "Spent £50.00, £5.00 a time."
    assert alice["group"].sentence.startswith("Among champions: ")
    assert "they buy every 28 days, and the last time is 10 days ago" in alice["churn"].sentence
    assert alice["due"].sentence.startswith("Tea is due on 2")
    assert "Buys 2." in alice["taste"].sentence
    value = alice["value"]
    assert value.value is not None
    assert value.low is not None
    assert value.high is not None
    assert value.low <= value.value <= value.high
    with shop.database.read() as connection:
        assert get_score(connection, CHURN, ALICE).value == pytest.approx(alice["churn"].value, abs=6e-4)
        assert get_score(connection, VALUE, ALICE).value == pytest.approx(value.value, abs=0.6)


def test_little_is_claimed_when_somebody_bought_once(shop: Runtime) -> None:
    bob = said(shop, BOB)
    assert bob["frequency"].sentence == "Has bought once so far."
    assert bob["money"].sentence == "Spent £49.99."
    assert "nobody can tell" in bob["alive"].sentence
    assert "most who buy once do not come back soon" in bob["churn"].sentence


def test_only_the_objection_is_told_when_somebody_objected(shop: Runtime) -> None:
    carol = said(shop, CAROL)
    assert list(carol) == ["standing"]
    assert carol["standing"].sentence == "They objected on 10 June 2026: nothing is reckoned of them."


def test_it_says_why_there_is_no_lead_score_when_somebody_never_bought(shop: Runtime) -> None:
    dave = said(shop, DAVE)
    assert dave["last purchase"].sentence == "Has not bought yet."
    assert "Not enough data" in dave["lead"].sentence


def test_it_says_what_to_run_when_nothing_was_learned(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        add_people(connection, ALICE, 2)
        add_orders(connection, [order(ALICE, NOW - DAY)])
        with pytest.raises(NotFoundError, match="no profile #77"):
            portray(connection, get_workspace(connection), 77, NOW)
    assert "postilion insights renew" in said(runtime, ALICE)["future"].sentence
    assert "postilion insights renew" in said(runtime, BOB)["lead"].sentence


def test_numbers_read_as_people_write_them_when_they_are_said() -> None:
    nothing, everything = percent(0.0001), percent(0.9999)
    assert (nothing, percent(0.0), percent(0.123)) == ("less than 1\u00a0%", "0\u00a0%", "12\u00a0%")
    assert everything == "more than 99\u00a0%"
    assert [length(days) for days in (1, 45, 90, 800)] == ["1 day", "45 days", "3 months", "2 years"]
    assert [money(12345, "GBP"), money(-500, "EUR"), money(250000, "USD")] == ["£123.45", "−€5.00", "$2,500"]
