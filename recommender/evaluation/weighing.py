"""Which weights order the pairs of a shop best: tried on a validation split, never on the baskets that judge.

What is best differs between shops: a wholesaler's large baskets should count little, and where baskets are small and
few products are in most of them, plain confidence wins.
"""

from __future__ import annotations

from recommender.baskets import Baskets
from recommender.evaluation.answers import answers_of_ranking
from recommender.evaluation.figures import hits, is_worse
from recommender.evaluation.questions import Questions
from recommender.parameters import RuleParameters
from recommender.ranking import Pairs, Weights, best_sellers, count_pairs, rank_items

CONFIDENCE = Weights(basket=0.0, given=1.0, other=0.0)
COSINE = Weights(basket=0.0, given=0.5, other=0.5)
WEIGHTED_COSINE = Weights(basket=0.5, given=0.5, other=0.5)
LARGE_BASKETS = Weights(basket=1.0, given=0.8, other=0.35)
TRIED = (Weights(), CONFIDENCE, COSINE, WEIGHTED_COSINE, LARGE_BASKETS)


def choose_weights(past: Baskets, questions: Questions, parameters: RuleParameters) -> Weights:
    """The weights of `TRIED` with the most hits; the usual ones unless another is better by more than chance explains,
    so that the order of offers does not change every night.
    """
    sellers = [past.skus[code] for code in best_sellers(past)]
    counted: dict[float, Pairs] = {}
    answered = {}
    for weights in TRIED:
        if weights.basket not in counted:
            counted[weights.basket] = count_pairs(past, weights.basket)
        ranking = rank_items(
            past,
            counted[weights.basket],
            weights,
            width=parameters.companions,
            min_lift=parameters.min_lift,
            min_count=parameters.min_together,
        )
        answered[weights] = hits(answers_of_ranking(ranking, questions, sellers), questions)
    best = max(TRIED, key=lambda weights: answered[weights].mean())
    usual = TRIED[0]
    return best if is_worse(answered[usual], answered[best]) else usual
