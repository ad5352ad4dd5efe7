"""A run learns, checks and keeps scores; whatever the data are, it says what it could not do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, func, select, update

from core.errors import InputError
from core.runtime import Runtime
from customers.tables import profile
from insights.card_page import as_markdown
from insights.learning import LEAST_CUSTOMERS, State
from insights.lifetime import Worth
from insights.model_card import find_card
from insights.renew import choose_worth, renew_insights
from insights.report import render_report
from insights.scores import find_score, get_score, list_score_names, record_scores
from insights.scoring import ALIVE, CHURN, PURCHASES, RFM, VALUE
from insights.tables import model_card, score
from tests.insights.buyers import DAY, NOW, add_bought, add_orders, add_people, add_product, drawn_orders, order

PEOPLE = 600
OBJECTOR = 7


@pytest.fixture
def shop(runtime: Runtime) -> Runtime:
    """Six hundred people who buy as the models say; one of them objected."""
    with runtime.database.transaction() as connection:
        people = add_people(connection, 1, PEOPLE)
        add_orders(connection, drawn_orders(people))
        connection.execute(update(profile).where(profile.c.id == OBJECTOR).values(objected_at=NOW))
    return runtime


def put(runtime: Runtime, people: int, orders: list[dict[str, Any]]) -> Runtime:
    with runtime.database.transaction() as connection:
        add_people(connection, 1, people)
        add_orders(connection, orders)
    return runtime


def scored(connection: Connection, name: str) -> dict[int, float]:
    return dict(
        connection.execute(select(score.c.profile_id, score.c.value).where(score.c.name == name)).tuples().all()
    )


def test_everybody_has_every_score_when_the_models_passed_their_check(shop: Runtime) -> None:
    card = renew_insights(shop)
    assert card.state is State.READY
    with shop.database.read() as connection:
        assert find_card(connection) == card
        names = list_score_names(connection)
        assert set(names) >= {*RFM, ALIVE, CHURN, PURCHASES, VALUE}
        assert {one.name: one.count for one in card.scores} == {name: len(scored(connection, name)) for name in names}
        assert len(scored(connection, CHURN)) == PEOPLE - 1
        assert all(0 <= value <= 1 for value in scored(connection, CHURN).values())
        assert get_score(connection, VALUE, 1).computed_at == NOW


def test_the_objector_and_the_restricted_have_no_score_when_scores_are_kept(shop: Runtime) -> None:
    with shop.database.transaction() as connection:
        record_scores(connection, CHURN, [(OBJECTOR, 0.5), (8, 0.123)], NOW - DAY)
        connection.execute(update(profile).where(profile.c.id == 8).values(status="restricted"))
    card = renew_insights(shop)
    assert card.data.left_out.people == 2
    with shop.database.read() as connection:
        assert find_score(connection, CHURN, OBJECTOR) is None
        assert find_score(connection, CHURN, 8) is None
        assert find_score(connection, RFM[0], 8) is None


def test_the_margin_is_kept_when_a_later_run_does_not_give_one(shop: Runtime) -> None:
    plain = renew_insights(shop)
    card = renew_insights(shop, Worth(0.5, 0.1))
    mean = {one.name: one.mean for one in plain.scores}[VALUE]
    assert {one.name: one.mean for one in card.scores}[VALUE] == pytest.approx(mean / 2, rel=0.01)
    assert renew_insights(shop).worth == Worth(0.5, 0.1)
    with shop.database.read() as connection:
        assert choose_worth(connection, None, 0.2) == Worth(0.5, 0.2)
    for worth in (Worth(0.0), Worth(1.5), Worth(1.0, 1.0), Worth(1.0, -0.1)):
        with pytest.raises(InputError, match="is a share"):
            renew_insights(shop, worth)


def test_nothing_is_kept_of_the_future_when_purchases_are_chance(runtime: Runtime) -> None:
    """People take turns: whoever has just bought is the one who will not."""
    orders = []
    for who in range(1, 201):
        early = who % 2 == 0
        days = (300, 250, 200, 150, 120) if early else (300, 60, 50, 20, 5)
        orders += [order(who, NOW - day * DAY, 1000 + who) for day in days]
        if early:
            orders.append(order(who, NOW - 100 * DAY, 1000 + who))
    card = renew_insights(put(runtime, 200, orders))
    assert card.state is State.WITHHELD
    assert {one.name for one in card.scores} == set(RFM)
    assert "withheld" in as_markdown(card)


ONE_TIME = [order(who, NOW - (who % 300 + 1) * DAY, 500 + who) for who in range(1, 121)]
BAD: dict[str, tuple[int, list[dict[str, Any]], State, str]] = {
    "no orders": (3, [], State.NO_ORDERS, "import orders first"),
    "one customer": (1, [order(1, NOW - DAY)], State.NOT_ENOUGH, "1 customers have bought"),
    "all bought once": (120, ONE_TIME, State.NOT_ENOUGH, f"takes {LEAST_CUSTOMERS}"),
    "returned everything": (
        120,
        ONE_TIME + [order(who, NOW - DAY / 2, -9999) for who in range(1, 121)],
        State.NO_ORDERS,
        "import orders first",
    ),
    "all in another currency": (120, [one | {"currency": "EUR"} for one in ONE_TIME], State.NO_ORDERS, "import"),
    "all in the future": (120, [one | {"placed_at": NOW + DAY} for one in ONE_TIME], State.NO_ORDERS, "import"),
    "free of charge": (120, [one | {"total": 0} for one in ONE_TIME], State.NO_ORDERS, "import"),
    "all today": (
        120,
        [order(who, NOW - hours * DAY / 48) for who in range(1, 121) for hours in (1, 2)],
        State.NOT_ENOUGH,
        "takes",
    ),
    "three weeks of history": (
        120,
        [order(who, NOW - days * DAY, 500 + who) for who in range(1, 121) for days in (20, who % 9 + 2)],
        State.NOT_ENOUGH,
        "too short",
    ),
    "everybody spends the same": (
        120,
        [order(who, NOW - days * DAY) for who in range(1, 121) for days in (200, 100 + who % 50, who % 40 + 1)],
        State.WITHHELD,
        "spends the same",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_run_says_what_is_missing_when_the_data_are_bad(runtime: Runtime, name: str) -> None:
    people, orders, state, words = BAD[name]
    card = renew_insights(put(runtime, people, orders))
    assert card.state is state, card.reasons
    assert words in " ".join(card.reasons)
    assert card.reasons[0] in as_markdown(card)
    assert "<h1>" in render_report(card)
    with runtime.database.read() as connection:
        assert find_card(connection) == card
        assert find_score(connection, CHURN, 1) is None


def test_old_scores_are_forgotten_when_their_models_cannot_be_made_any_more(runtime: Runtime) -> None:
    put(runtime, 3, [order(1, NOW - DAY)])
    with runtime.database.transaction() as connection:
        record_scores(connection, CHURN, [(1, 0.5)], NOW - DAY)
        record_scores(connection, "our_own", [(1, 0.5)], NOW - DAY)
    renew_insights(runtime)
    with runtime.database.read() as connection:
        assert list_score_names(connection) == sorted([*RFM, "our_own"])


def test_what_was_left_out_is_on_the_card_when_currencies_are_mixed(runtime: Runtime) -> None:
    put(runtime, 2, [order(1, NOW - DAY), order(2, NOW - DAY, currency="EUR"), order(2, NOW, currency="USD")])
    page = as_markdown(renew_insights(runtime))
    assert "left out: 1 order in EUR, which is not the workspace's currency" in page
    assert "1 customer, 0 of them bought on several days" in page


def test_replenishment_and_taste_are_scores_when_the_catalogue_knows_the_products(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        add_product(connection, "tea", "Tea", is_replenishable=True)
        add_product(connection, "pot", "Pots & pans")
        for who in add_people(connection, 1, 12):
            for days in (95, 65, 35, 5):
                add_bought(connection, who, NOW - days * DAY, "tea")
            if who % 2:
                add_bought(connection, who, NOW - 50 * DAY, "pot")
    card = renew_insights(runtime)
    assert [one.sku for one in card.intervals] == ["tea"]
    with runtime.database.read() as connection:
        assert get_score(connection, "replenishment_days", 1).value == pytest.approx(25, abs=1)
        assert get_score(connection, "affinity_pots_pans", 1).value == pytest.approx(1.4)
        assert find_score(connection, "affinity_pots_pans", 2) is None


def test_the_newest_cards_are_kept_when_there_are_many(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insights.model_card._KEPT", 2)
    for _ in range(4):
        renew_insights(runtime)
    with runtime.database.transaction() as connection:
        assert connection.scalar(select(func.count()).select_from(model_card)) == 2
        connection.execute(update(model_card).values(document={"state": "of another version"}))
        assert find_card(connection) is None


def test_a_card_is_the_same_when_it_went_through_json(shop: Runtime) -> None:
    card = renew_insights(shop)
    assert msgspec.json.decode(msgspec.json.encode(card), type=type(card)) == card
