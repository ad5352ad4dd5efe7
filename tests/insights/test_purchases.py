"""Orders become days with a purchase, whatever stands among them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from insights import purchases
from insights.population import gather
from insights.purchases import LeftOut, Purchases, count_left_out, day_of, iter_purchases, net_purchases
from tests.insights.buyers import DAY, NOW, add_orders, add_people, order

LONDON = ZoneInfo("Europe/London")
TODAY = day_of(NOW, LONDON)
ALICE, BOB, CAROL = 1, 2, 3

Bought = list[tuple[int, int, int]]


def read(connection: Connection, left_out: LeftOut | None = None) -> Bought:
    """(person, days ago, pence) of each purchase."""
    found = iter_purchases(
        connection, currency="GBP", zone=LONDON, now=NOW, left_out=left_out if left_out is not None else LeftOut()
    )
    return [row for some in found for row in rows_of(some)]


def rows_of(some: Purchases) -> Bought:
    days = (TODAY - some.day).tolist()
    return list(zip(some.owner.tolist(), days, some.amount.tolist(), strict=True))


def test_orders_of_one_local_day_are_one_purchase_when_it_is_summer_in_london(connection: Connection) -> None:
    add_people(connection, ALICE, 1)
    midnight = datetime(2026, 6, 8, 23, tzinfo=UTC)  # where it is the ninth already
    add_orders(connection, [order(ALICE, midnight + timedelta(hours=hours), 100) for hours in (-1, 0, 23)])
    assert read(connection) == [(ALICE, 2, 100), (ALICE, 1, 200)]


def test_what_does_not_count_is_counted_when_purchases_are_read(connection: Connection) -> None:
    add_people(connection, ALICE, 1)
    add_people(connection, BOB, 1, objected_at=NOW)
    add_people(connection, CAROL, 1, status="restricted")
    at = NOW - DAY
    orders = [order(ALICE, at, 100), order(ALICE, at, 0), order(ALICE, at, 300, currency="EUR")]
    orders += [order(ALICE, at, -5, kind="order"), order(ALICE, NOW + DAY, 700), order(None, at, 900)]
    orders += [order(ALICE, at - 9 * DAY, -100), order(BOB, at, 100), order(CAROL, at, 100)]
    add_orders(connection, orders)
    left_out = LeftOut()
    assert read(connection, left_out) == [(ALICE, 1, 100)]
    count_left_out(connection, left_out)
    assert left_out == LeftOut({"EUR": 1}, without_money=2, in_the_future=1, returned_more=1, of_nobody=1, people=2)


def test_a_return_takes_back_what_was_bought_last_when_it_is_larger_than_that(connection: Connection) -> None:
    add_people(connection, ALICE, 2)
    bought = [order(who, NOW - days * DAY, 1000) for who in (ALICE, BOB) for days in (30, 20, 10)]
    add_orders(connection, [*bought, order(ALICE, NOW - 15 * DAY, -1400), order(BOB, NOW - 5 * DAY, -3500)])
    left_out = LeftOut()
    assert read(connection, left_out) == [(ALICE, 30, 600), (ALICE, 10, 1000)]
    assert left_out.returned_more == 1


def test_nobody_is_cut_in_two_when_pages_are_smaller_than_people(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = add_people(connection, 1, 5)
    add_orders(connection, [order(who, NOW - days * DAY) for who in people for days in range(1, 2 + 3 * (who % 3))])
    whole = read(connection)
    for size in (1, 2, 3, 7, len(whole)):
        monkeypatch.setattr(purchases, "_PAGE_ROWS", size)
        assert read(connection) == whole


def test_one_persons_purchases_are_read_when_only_they_are_asked_for(connection: Connection) -> None:
    people = add_people(connection, 1, 3)
    add_orders(connection, [order(who, NOW - who * DAY) for who in people])
    found = iter_purchases(connection, currency="GBP", zone=LONDON, now=NOW, left_out=LeftOut(), only=BOB)
    assert [row for some in found for row in rows_of(some)] == [(BOB, 2, 1000)]


entries = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 8), st.integers(1, 9), st.booleans()), max_size=25)


@given(entries)
def test_money_is_neither_made_nor_lost_when_returns_are_taken_off(rows: list[tuple[int, int, int, bool]]) -> None:
    rows = sorted(rows)
    owner, day, amount = (np.array([row[place] for row in rows], dtype=np.int64) for place in range(3))
    is_return = np.array([row[3] for row in rows], dtype=np.bool_)
    net, _excess = net_purchases(owner, day, np.where(is_return, -amount, amount), is_return)
    found = {(one, at): money for one, at, money in zip(net.owner, net.day, net.amount, strict=True)}
    expected: dict[tuple[int, int], int] = {}
    for one in {row[0] for row in rows}:
        bought: dict[int, int] = {}
        for _owner, at, money, returned in sorted(
            (row for row in rows if row[0] == one), key=lambda row: (row[1], row[3])
        ):
            if not returned:
                bought[at] = bought.get(at, 0) + money
        owed = dict.fromkeys(bought, 0)
        for _owner, at, money, returned in rows:
            if returned and _owner == one and (before := [day for day in bought if day <= at]):
                owed[max(before)] += money
        carried = 0
        for at in sorted(bought, reverse=True):
            carried += owed[at]
            used = min(carried, bought[at])
            carried -= used
            if bought[at] > used:
                expected[one, at] = bought[at] - used
    assert found == expected


def test_everybody_is_one_row_when_purchases_are_gathered() -> None:
    owner = np.array([1, 1, 1, 2, 3, 3])
    day = np.array([100, 130, 160, 150, 10, 170])
    amount = np.array([1000, 2000, 4000, 500, 100, 300])
    population = gather([Purchases(owner, day, amount)], end_day=200, earlier_day=155)
    now, then = population.customers, population.earlier
    assert now.frequency.tolist() == [2, 0, 1]
    assert now.spend.tolist() == [3000, 0, 300]
    assert now.money.tolist() == [7000, 500, 400]
    assert (now.recency * 7).round().tolist() == [60, 0, 160]
    assert (now.age * 7).round().tolist() == [100, 50, 190]
    assert then.frequency.tolist() == [1, 0, 0]
    assert population.afterwards.tolist() == [1, 0, 1]
    assert population.cohorts == {(3, 0): 1, (3, 1): 1, (3, 2): 1, (4, 0): 1, (0, 0): 1, (0, 5): 1}
