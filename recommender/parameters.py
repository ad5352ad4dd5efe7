"""What a shop may set about its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recommender.mining.choice import Engine
from recommender.ranking import Weights
from recommender.rules import Floors


@dataclass(frozen=True, slots=True)
class RuleParameters:
    """How rules are made. `min_count` None: as low as it may be while at most `most_pairs` pairs are frequent.

    `window_days` None takes all orders; `weights` None has them chosen on the shop's own baskets. `least_questions`
    test baskets are needed to judge a set at all; `held_out` is the share of the latest baskets that is kept for it.
    `engine` only says how the same sets are found.
    """

    min_count: int | None = None
    most_pairs: int = 2_000
    max_length: int = 3
    min_confidence: float = 0.1
    min_lift: float = 1.0
    min_together: int = 5
    companions: int = 30
    largest_basket: int = 200
    window_days: int | None = None
    held_out: float = 0.2
    least_questions: int = 30
    engine: Engine = Engine.AUTO
    weights: Weights | None = None

    @property
    def floors(self) -> Floors:
        return Floors(self.min_confidence, self.min_lift, self.min_together)


def stored_parameters(document: Mapping[str, Any]) -> RuleParameters:
    """The parameters of a rule set as it was written; words that are no longer known are passed over."""
    known = RuleParameters.__dataclass_fields__
    given = {name: value for name, value in document.items() if name in known}
    if given.get("weights") is not None:
        given["weights"] = Weights(**given["weights"])
    elif "weights" not in given:  # written when there was one way to score a pair
        given["weights"] = Weights(basket=0.5, given=0.5, other=0.5)
    return RuleParameters(**given)
