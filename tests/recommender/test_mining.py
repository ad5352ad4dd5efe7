from __future__ import annotations

import os
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import EnvironmentFaultError, InputError
from recommender.baskets import Baskets, baskets_of
from recommender.mining import choice, eclat
from recommender.mining.choice import Engine, choose_engine, find_itemsets, get_engine, is_installed, mine
from recommender.mining.frames import rules_of_any_width
from recommender.mining.itemsets import Itemsets
from tests.recommender.groceries import frequent_groceries, groceries

IN_CI = "CI" in os.environ  # where nothing may be missing
shops = st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), max_size=14)
ENGINES = [
    pytest.param(engine, marks=pytest.mark.skipif(not (is_installed(engine) or IN_CI), reason=f"{engine} is missing"))
    for engine in (Engine.ECLAT, Engine.MLXTEND, Engine.PYFIM)
]


def counted(orders: list[list[str]], min_count: int, max_length: int) -> dict[tuple[str, ...], int]:
    """Every set looked for in every basket, in the order in which engines answer."""
    names = sorted({name for order in orders for name in order})
    sets = (members for length in range(1, max_length + 1) for members in combinations(names, length))
    counts = {members: sum(set(members) <= set(order) for order in orders) for members in sets}
    return {members: count for members, count in counts.items() if count >= min_count}


def told(itemsets: Itemsets) -> dict[tuple[str, ...], int]:
    return {tuple(itemsets.skus[code] for code in members): count for members, count in itemsets}


def random_baskets(seed: int, count: int = 400, products: int = 60) -> Baskets:
    """Baskets of 0 to 20 products, common and rare ones, with orders that repeat."""
    rng = np.random.default_rng(seed)
    share = 1 / (1 + np.arange(products))
    lots = [rng.choice(products, rng.integers(0, 21), p=share / share.sum(), replace=True) for _ in range(count)]
    return baskets_of((0, [f"p{code:02d}" for code in lot]) for lot in [*lots, *lots[: count // 4]])


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=40)
@given(orders=shops, min_count=st.integers(1, 3), max_length=st.integers(1, 6))
def test_exactly_the_frequent_sets_are_found_when_baskets_are_small(
    engine: Engine, orders: list[list[str]], min_count: int, max_length: int
) -> None:
    found = told(find_itemsets(baskets_of((0, order) for order in orders), min_count, max_length, engine))
    expected = counted(orders, min_count, max_length)
    assert found == expected
    assert list(found) == list(expected)


@pytest.mark.parametrize("engine", ENGINES[1:])
@pytest.mark.parametrize(("seed", "min_count", "max_length"), [(1, 12, None), (2, 5, 3), (3, 30, None), (4, 8, 2)])
def test_every_engine_finds_the_same_when_baskets_are_many(
    engine: Engine, seed: int, min_count: int, max_length: int | None
) -> None:
    baskets = random_baskets(seed)
    ours, theirs = (find_itemsets(baskets, min_count, max_length, one) for one in (Engine.ECLAT, engine))
    assert len(ours) > 50
    assert list(ours) == list(theirs)
    assert [level.members.dtype for level in ours.levels] == [level.members.dtype for level in theirs.levels]


@given(seed=st.integers(0, 50), room=st.sampled_from([1, 7, 100, 1000]))
@settings(max_examples=15)
def test_eclat_finds_the_same_when_it_works_in_many_small_pieces(seed: int, room: int) -> None:
    baskets = random_baskets(seed, count=120)
    whole = list(find_itemsets(baskets, 4, engine=Engine.ECLAT))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eclat, "_WORDS_AT_ONCE", room)
        patch.setattr(eclat, "_ENTRIES_AT_ONCE", room)
        assert list(find_itemsets(baskets, 4, engine=Engine.ECLAT)) == whole


@pytest.mark.parametrize("engine", ENGINES)
def test_a_giant_basket_is_counted_when_others_hold_parts_of_it(engine: Engine) -> None:
    giant = [f"{number:05d}" for number in range(10_000)]
    orders = [giant, giant[:3], giant[1:4], [], ["unknown"], ["99999", "00002"]]
    found = told(find_itemsets(baskets_of((0, order) for order in orders), 2, engine=engine))
    expected = counted([order[:4] if order is giant else order for order in orders], 2, 4)
    assert found == expected
    assert found["00001", "00002"] == 3


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "orders", [[], [[]], [["a"]], [["a", "a"]], [["a"], ["b"]], [["a", "b"], ["a", "b"]], [["a", "b", "c"]] * 3]
)
def test_the_answer_is_whole_when_baskets_are_few_or_alike(engine: Engine, orders: list[list[str]]) -> None:
    for min_count in (0, 1, 2, 3, 9):
        found = told(find_itemsets(baskets_of((0, order) for order in orders), min_count, engine=engine))
        assert found == counted(orders, max(min_count, 1), 3)


def test_the_frame_is_that_of_mlxtend_when_one_is_asked_for() -> None:
    orders = [["b", "a"], ["a"], ["c", "a", "b"], []]
    frame = mine(baskets_of((0, order) for order in orders), 2)
    assert list(frame.columns) == ["support", "itemsets"]
    assert frame["support"].tolist() == [0.75, 0.5, 0.5]
    assert frame["itemsets"].tolist() == [frozenset("a"), frozenset("b"), frozenset("ab")]
    assert mine(baskets_of([]), 1).empty


@pytest.mark.parametrize("engine", ENGINES)
def test_as_many_sets_as_published_are_found_when_groceries_is_mined(engine: Engine) -> None:
    assert len(frequent_groceries(0.006, engine)) == 747
    assert [len(level) for level in frequent_groceries(0.001, engine).levels] == [157, 2981, 6831, 3137, 376, 10]


def test_the_data_are_the_published_ones_when_groceries_is_read() -> None:
    baskets = groceries()
    assert (len(baskets), len(baskets.skus)) == (9835, 169)
    assert len(baskets.items) / (9835 * 169) == pytest.approx(0.02609146, abs=1e-8)


def test_the_published_number_comes_out_when_several_products_stand_on_the_right() -> None:
    frame = rules_of_any_width(frequent_groceries(0.006), 0.25)
    assert len(frame) == 467
    assert (frame["consequents"].map(len) == 1).sum() == 463


def test_eclat_mines_when_nobody_chose() -> None:
    assert choose_engine("auto", 1_000_000) is Engine.ECLAT
    assert choose_engine(Engine.MLXTEND, 10**12) is Engine.MLXTEND


def test_spark_mines_when_one_process_should_not_hold_the_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda name: name)
    assert choose_engine("auto", 10**9) is Engine.SPARK
    monkeypatch.setattr(choice, "find_spec", {}.get)
    assert choose_engine("auto", 10**9) is Engine.ECLAT


def test_the_way_out_is_told_when_an_engine_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find_spec", {}.get)
    with pytest.raises(EnvironmentFaultError, match=r"pip install 'postilion\[pyfim\]'"):
        find_itemsets(baskets_of([(0, ["a"])]), 1, engine="pyfim")
    with pytest.raises(InputError, match="no mining engine 'apriori': take one of auto, eclat, mlxtend, pyfim, spark"):
        get_engine("apriori")
