from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.baskets import baskets_of
from recommender.evaluation.questions import Purchases, Questions, Surface, ask, ask_customers, questions_for
from tests.recommender.shop import planted_orders

shops = st.lists(st.lists(st.sampled_from("abcdefghijkl"), max_size=12), min_size=1, max_size=14)
ALICE, BOB, CAROL, DAVE = 1, 2, 3, -1


def purchases(*orders: tuple[int, int, str]) -> Purchases:
    """Of (day, customer, products), each product one letter."""
    return Purchases(
        baskets_of((day, list(skus)) for day, _, skus in orders), np.array([customer for _, customer, _ in orders])
    )


def told(questions: Questions) -> list[tuple[str, str, str]]:
    """What each row is given, hides and excludes."""
    return [
        tuple("".join(questions.skus[code] for code in some.item[some.row == row])
              for some in (questions.given, questions.hidden, questions.excluded))  # type: ignore[misc]  # three of them
        for row in range(questions.count)
    ]  # fmt: skip


@given(shops, st.integers(2, 4), st.sampled_from([1, 5]))
def test_a_question_hides_the_rest_when_it_shows_some(orders: list[list[str]], least: int, most_shown: int) -> None:
    questions = ask(baskets_of(enumerate(orders)), least=least, most_shown=most_shown)
    asked = [set(order) for order in orders if len(set(order)) >= least]
    assert questions.count == len(asked)
    for basket, (shown, hidden, excluded) in zip(asked, told(questions), strict=True):
        assert set(shown) | set(hidden) == basket
        assert not set(shown) & set(hidden)
        assert len(shown) == min(most_shown, len(basket) // 2)
        assert excluded == shown


def test_the_same_questions_are_asked_when_it_is_done_again() -> None:
    baskets = baskets_of((0, order.skus) for order in planted_orders())
    one, other = ask(baskets, most=100), ask(baskets, most=100)
    assert one.count == 100
    assert one.given.item.tolist() == other.given.item.tolist()
    assert one.given.item.tolist() != ask(baskets, most=100, seed=2).given.item.tolist()


def test_only_what_is_new_to_a_customer_is_asked_for_when_a_mail_proposes() -> None:
    past, future = purchases(
        (1, ALICE, "ab"), (2, BOB, "c"), (3, ALICE, "bd"), (4, DAVE, "xyz"),
        (11, BOB, "c"), (12, ALICE, "bcx"), (13, ALICE, "y"), (14, CAROL, "ab"), (15, DAVE, "ab"),
    ).split(10)  # fmt: skip
    assert told(ask_customers(past, future, again=False)) == [("abd", "cx", "abd")]
    assert told(ask_customers(past, future, again=True)) == [("abd", "bcx", ""), ("c", "c", "")]
    assert ask_customers(past, future, again=True).weight.tolist() == [1, 2, 1, 1]


def test_the_ten_last_products_are_given_when_a_customer_bought_many() -> None:
    orders = [(day, ALICE, sku) for day, sku in enumerate("abcdefghijkl")]
    past, future = purchases(*orders, (20, BOB, "z"), (31, ALICE, "z")).split(30)
    assert told(ask_customers(past, future, again=False)) == [("cdefghijkl", "z", "abcdefghijkl")]


def test_nothing_is_asked_when_there_is_nobody_to_ask_about() -> None:
    past, future = purchases((1, DAVE, "ab"), (12, DAVE, "q")).split(10)
    assert [questions_for(surface, past, future, most=10).count for surface in Surface] == [0, 0, 0, 0]
