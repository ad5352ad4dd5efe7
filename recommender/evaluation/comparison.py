"""Our ranking beside best sellers and known methods, on orders that none of them has seen, for each surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from recommender.baskets import Baskets
from recommender.evaluation.answers import Answers, answers_of_habit, answers_of_list, answers_of_ranking
from recommender.evaluation.figures import Figures, measure
from recommender.evaluation.peers import answers_of_als, answers_of_bm25, answers_of_tfidf, has_als
from recommender.evaluation.questions import Purchases, Questions, Surface, questions_for
from recommender.judgement import rank_by
from recommender.parameters import RuleParameters
from recommender.ranking import best_sellers

OURS = "ours"
POPULARITY = "popularity"
COMPANIONS = "what goes with it"
TFIDF = "item-kNN TF-IDF"
BM25 = "item-kNN BM25"
ALS = "ALS-128"
PEERS = (TFIDF, BM25, ALS)


@dataclass(frozen=True, slots=True)
class SurfaceComparison:
    """The figures of every method on the same questions, by its name; empty where there was nothing to ask."""

    surface: Surface
    question_count: int
    figures: dict[str, Figures]


def compare(
    past: Purchases, future: Purchases, parameters: RuleParameters, surfaces: Sequence[Surface], *,
    most: int = 3000, seed: int = 1,
) -> list[SurfaceComparison]:  # fmt: skip
    """Everybody learns from `past` and answers questions about `future`; `most` of them on each surface.

    Ours is ranked by `parameters` as for publishing. On the surface of replenishment it is the customer's own
    frequency, by which offers of that model rank what is due, and what goes with all that was bought stands beside it.
    """
    learnt = past.baskets
    ranking = rank_by(parameters, learnt.capped(parameters.largest_basket))
    sellers = [learnt.skus[code] for code in best_sellers(learnt)]
    methods: dict[str, Callable[[Questions], Answers]] = {
        POPULARITY: lambda questions: answers_of_list(sellers, questions),
        COMPANIONS: lambda questions: answers_of_ranking(ranking, questions, sellers),
        TFIDF: lambda questions: answers_of_tfidf(learnt, questions),
        BM25: lambda questions: answers_of_bm25(learnt, questions),
        ALS: lambda questions: answers_of_als(learnt, questions),
    }
    compared = []
    for surface in surfaces:
        ours = answers_of_habit if surface is Surface.REPLENISHMENT else answers_of_ranking
        questions = questions_for(surface, past, future, most=most, seed=seed)
        named = {OURS: partial(ours, ranking, best_sellers=sellers)} | methods
        compared.append(_compared(surface, questions, learnt, named))
    return compared


def _compared(
    surface: Surface, questions: Questions, learnt: Baskets, methods: dict[str, Callable[[Questions], Answers]]
) -> SurfaceComparison:
    if not questions.count:
        return SurfaceComparison(surface, 0, {})
    counts = learnt.item_counts()
    return SurfaceComparison(
        surface,
        questions.count,
        {
            name: measure(answer(questions), questions, counts, len(learnt))
            for name, answer in methods.items()
            if _takes_part(name, surface)
        },
    )


def _takes_part(name: str, surface: Surface) -> bool:
    if name == COMPANIONS:
        return surface is Surface.REPLENISHMENT
    return name != ALS or has_als()
