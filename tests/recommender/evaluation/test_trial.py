from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from sqlalchemy import Connection

from core.errors import InputError
from recommender.baskets import baskets_of
from recommender.evaluation.comparison import COMPANIONS, OURS, POPULARITY
from recommender.evaluation.purchases import read_purchases
from recommender.evaluation.questions import Surface, ask
from recommender.evaluation.trial import hold_trial
from recommender.evaluation.weighing import CONFIDENCE, COSINE, choose_weights
from recommender.parameters import RuleParameters, stored_parameters
from recommender.ranking import Weights
from tests.recommender.shop import NOW, Bought, add_orders, add_profiles, planted_orders


def test_ours_is_ahead_of_best_sellers_when_a_planted_shop_is_tried(connection: Connection) -> None:
    people = add_profiles(connection, 300)
    for place, person in enumerate(people):
        add_orders(connection, planted_orders(1500)[place::300], profile_id=person)
    trial = hold_trial(connection, NOW, most=200)
    assert (trial.learnt_count, trial.later_count) == (1200, 300)
    assert [one.surface for one in trial.surfaces] == list(Surface)
    for compared in trial.surfaces[:2]:
        assert compared.figures[OURS].hit_rate > compared.figures[POPULARITY].hit_rate
    assert COMPANIONS in trial.surfaces[3].figures
    assert COMPANIONS not in trial.surfaces[0].figures
    assert hold_trial(connection, NOW, most=200) == trial


def test_purchases_know_their_customers_when_they_are_read(connection: Connection) -> None:
    alice, bob = add_profiles(connection, 2)
    add_orders(connection, [Bought(NOW - timedelta(days=2), ("TEA01", "SOA00"))], profile_id=alice)
    add_orders(connection, [Bought(NOW - timedelta(days=3), ("SOA00",))])
    add_orders(connection, [Bought(NOW - timedelta(days=1), ("SOA01",))], profile_id=bob, kind="return")
    add_orders(connection, [Bought(NOW + timedelta(days=1), ("SOA01",))], profile_id=bob)
    found = read_purchases(connection, end=NOW)
    assert found.customer.tolist() == [alice, -1]
    assert found.baskets.sizes.tolist() == [2, 1]


def test_an_empty_side_is_told_when_a_shop_is_tried(connection: Connection) -> None:
    with pytest.raises(InputError, match="import orders first"):
        hold_trial(connection, NOW)
    add_orders(connection, [Bought(NOW - timedelta(days=2), ("TEA01",))])
    with pytest.raises(InputError, match="no orders before"):
        hold_trial(connection, NOW)
    with pytest.raises(InputError, match="no orders from"):
        hold_trial(connection, NOW, cut=NOW)


def test_other_weights_are_chosen_when_they_are_better_by_more_than_chance() -> None:
    """Here the large baskets tell the truth, and the small ones pair each product with fads."""
    chance = np.random.default_rng(3)
    large = [
        [f"{side}{pair}" for pair in chance.choice(200, 20, replace=False) for side in ("left", "right")]
        for _ in range(360)
    ]
    small = [[f"{side}{pair}", f"fad{side}{pair}-{fad}"] for side in ("left", "right") for pair in range(200)
             for fad in range(12) for _ in range(6)]  # fmt: skip
    baskets = baskets_of(enumerate([*small, *large]))
    past = baskets.where(baskets.placed_at < len(small) + 300)
    questions = ask(baskets.where(baskets.placed_at >= len(small) + 300))
    assert choose_weights(past, questions, RuleParameters()) in (COSINE, CONFIDENCE)


def test_the_usual_weights_stay_when_nothing_is_better() -> None:
    baskets = baskets_of(enumerate([["a", "b"], ["c", "d"]] * 60))
    assert choose_weights(baskets, ask(baskets, least=2), RuleParameters()) == Weights()


def test_weights_are_known_again_when_parameters_were_stored() -> None:
    assert stored_parameters({"weights": {"basket": 0.0, "given": 1.0, "other": 0.0}}).weights == CONFIDENCE
    assert stored_parameters({"companions": 9}).weights == Weights(0.5, 0.5, 0.5)
    assert stored_parameters({"weights": None}).weights is None
