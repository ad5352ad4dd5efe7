"""What runs out is due when it usually is, and a person's own rhythm counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection

from insights.affinity import affinities, iter_lines, lines_of, score_names, shop_shares
from insights.replenishment import Due, find_due, iter_next_due, learn_intervals, list_intervals, record_intervals
from tests.insights.buyers import DAY, NOW, add_bought, add_people, add_product

ALICE, BOB, CAROL = 1, 2, 3


@pytest.fixture
def tea(connection: Connection) -> Connection:
    """Tea lasts 30 days and coffee is bought too seldom to say; a pot lasts for ever. Alice drinks more."""
    add_product(connection, "tea", "Tea", is_replenishable=True)
    add_product(connection, "coffee", "Coffee", is_replenishable=True)
    add_product(connection, "pot", "Pots")
    add_people(connection, 1, 13)
    for who in range(3, 13):
        for days in (100, 70, 40):
            add_bought(connection, who, NOW - days * DAY, "tea", "pot")
    for days in (45, 35, 25, 15, 5):
        add_bought(connection, ALICE, NOW - days * DAY, "tea")
    add_bought(connection, BOB, NOW - 20 * DAY, "tea", "coffee")
    return connection


def test_an_interval_is_learned_when_enough_people_bought_again(tea: Connection) -> None:
    (interval,) = learn_intervals(tea, NOW)
    assert (interval.sku, interval.gap_count, interval.median_days) == ("tea", 24, 30.0)
    assert interval.low_days <= 30 <= interval.high_days
    record_intervals(tea, [interval], NOW)
    record_intervals(tea, [interval], NOW + DAY)
    assert list_intervals(tea) == {"tea": interval}


def test_a_person_is_due_when_the_interval_has_passed_since_they_bought(tea: Connection) -> None:
    record_intervals(tea, learn_intervals(tea, NOW), NOW)
    found = find_due(tea, [ALICE, BOB, CAROL, 13], NOW)
    assert found[BOB] == [Due(BOB, "tea", NOW - 20 * DAY, 30.0, found[BOB][0].due_at, 1)]
    assert found[BOB][0].due_at - NOW == pytest.approx(10 * DAY, abs=timedelta(seconds=1))
    (alice,) = found[ALICE]
    assert alice.times == 5
    assert 10 < alice.interval_days < 20  # four gaps of ten days against everybody's thirty
    assert found[CAROL][0].due_at < NOW
    assert found[13] == []
    assert dict(iter_next_due(tea, learn_intervals(tea, NOW), NOW))[BOB] == pytest.approx(10, abs=1)


def test_nobody_is_due_when_they_have_long_stopped_buying_it(tea: Connection) -> None:
    record_intervals(tea, learn_intervals(tea, NOW), NOW)
    assert find_due(tea, [CAROL], NOW + 30 * DAY)[CAROL] == []
    assert list(iter_next_due(tea, [], NOW)) == []


def test_a_category_is_liked_when_its_share_is_larger_than_the_shops(tea: Connection) -> None:
    shares = shop_shares(tea, NOW)
    assert shares == pytest.approx({"Tea": 36 / 67, "Pots": 30 / 67, "Coffee": 1 / 67})
    liked = affinities(lines_of(tea, BOB, NOW), shares)
    assert list(liked) == ["Coffee", "Tea"]
    assert liked["Coffee"] > 5
    assert dict(iter_lines(tea, NOW))[ALICE] == {"Tea": 5}
    assert affinities({"Tea": 5}, shares)["Tea"] == pytest.approx((5 + 5 * 36 / 67) / 10 / (36 / 67))


def test_categories_have_no_score_when_their_names_would_be_one() -> None:
    assert score_names({"Tea & Cups": 0.4, "tea-cups": 0.3, "Garten/Blumen": 0.2, "茶": 0.1}) == {
        "Garten/Blumen": "affinity_garten_blumen"
    }
