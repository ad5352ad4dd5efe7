"""What is said of many at once is what is said of each alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.clock import to_micros
from recommender.bought import Bought
from recommender.crowd import crowd_of, given_by, in_baskets, owned
from recommender.history import BOUGHT_LATELY, Histories, History
from recommender.offer_definition import Basis, Model, Recommend
from recommender.published import Index
from recommender.ranking import NOTHING, Ranking
from recommender.related import basis_of

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
IDS = [7, 3, 12, 40]  # in no order, and with holes
SKUS = tuple(f"P{place:02d}" for place in range(20))
KNOWN = SKUS[::2]  # those that the rules know

skus = st.sampled_from(SKUS)
purchases = st.dictionaries(
    st.tuples(st.integers(0, len(IDS) - 1), st.integers(0, len(SKUS) - 1)), st.integers(0, 60), max_size=50
)
browsing = st.dictionaries(st.sampled_from(IDS), st.tuples(st.lists(skus, max_size=12), st.lists(skus, max_size=12)))
entries = st.dictionaries(st.sampled_from([*IDS, 99]), st.lists(skus, max_size=3, unique=True))
recommends = st.builds(Recommend, model=st.sampled_from(Model), of=st.sampled_from(Basis), exclude_owned=st.booleans())


def an_index() -> Index:
    ranking = Ranking(KNOWN, np.full((len(KNOWN), 1), NOTHING, dtype=np.int32), np.zeros((len(KNOWN), 1)))
    return Index(1, ranking, {sku: place for place, sku in enumerate(KNOWN)}, {})


def bought_of(purchased: dict[tuple[int, int], int]) -> Bought:
    cells = sorted(purchased)
    row, item = np.array(cells, dtype=np.int64).reshape(-1, 2).T
    return Bought(SKUS, row, item, np.array([at_of(purchased[cell]) for cell in cells], dtype=np.int64))


def at_of(days: int) -> int:
    return to_micros(NOW - timedelta(days=days))


def histories_of(purchased: dict[tuple[int, int], int], browsed: dict[int, Any]) -> Histories:
    histories = Histories(IDS, bought_of(purchased))
    for number, (viewed, cart) in browsed.items():
        history = histories.browsing_of(number)
        history.viewed += dict.fromkeys(viewed)
        history.cart += dict.fromkeys(cart)
    return histories


def expected(purchased: dict[tuple[int, int], int], browsed: dict[int, Any], number: int) -> History:
    own = {SKUS[item]: at_of(days) for (row, item), days in sorted(purchased.items()) if IDS[row] == number}
    viewed, cart = browsed.get(number, ((), ()))
    return History(own, list(dict.fromkeys(viewed)), list(dict.fromkeys(cart)))


@given(purchases, browsing)
def test_a_history_is_its_owners_when_it_is_made_of_columns(purchased: Any, browsed: Any) -> None:
    histories = histories_of(purchased, browsed)
    assert dict(histories) == {number: expected(purchased, browsed, number) for number in IDS}


@given(purchases, browsing, entries, recommends, st.sets(st.sampled_from(IDS)))
def test_the_basis_of_many_is_that_of_each_when_some_are_held_out(
    purchased: Any, browsed: Any, entered: Any, recommend: Recommend, held_out: set[int]
) -> None:
    index, histories = an_index(), histories_of(purchased, browsed)
    found = given_by(crowd_of(index, histories, entered), recommend, held_out)
    told: dict[int, dict[str, float]] = {number: {} for number in IDS}
    for row, item, weight in zip(found.row.tolist(), found.item.tolist(), found.weight.tolist(), strict=True):
        assert told[IDS[row]].setdefault(KNOWN[item], weight) == weight
    for number in IDS:
        history = expected(purchased, browsed, number)
        basis = {} if number in held_out else basis_of(recommend, history, entered.get(number, ()))
        assert told[number] == {sku: weight for sku, weight in basis.items() if sku in KNOWN}
    assert (np.diff(found.row) >= 0).all()


@given(purchases, browsing, entries, recommends)
def test_what_many_do_not_want_is_what_each_does_not(
    purchased: Any, browsed: Any, entered: Any, recommend: Recommend
) -> None:
    index, histories = an_index(), histories_of(purchased, browsed)
    crowd = crowd_of(index, histories, entered)
    item = np.tile(np.append(np.arange(len(KNOWN)), NOTHING), (len(IDS), 1))
    carried, bought = in_baskets(crowd, item), owned(crowd, recommend, item, NOW)
    for row, number in enumerate(IDS):
        history = expected(purchased, browsed, number)
        basket = {*history.cart, *entered.get(number, ())}
        own = history.bought if recommend.exclude_owned else history.bought_since(NOW - BOUGHT_LATELY)
        assert carried[row].tolist() == [sku in basket for sku in KNOWN] + [False]
        assert bought[row].tolist() == [sku in own for sku in KNOWN] + [False]
