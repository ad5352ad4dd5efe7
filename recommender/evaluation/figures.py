"""What answers are worth: hit rate, NDCG, recall, coverage and novelty at ten, and whether two differ by chance."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from recommender.baskets import Flags, Int64s
from recommender.evaluation.answers import PROPOSED, Answers
from recommender.evaluation.questions import Questions
from recommender.ranking import NOTHING

_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over the questions, at ten proposals; all but `novelty` are shares, 0 to 1.

    `hit_rate`: questions with a hidden product among the ten. `recall`: hidden products found. `ndcg`: the same with
    the first places counting more (Järvelin, Kekäläinen 2002; a product is right or wrong, gain 1/log2(1 + place),
    over what ten right ones could reach). `coverage`: products of the shop that are proposed to anybody. `novelty`:
    the mean information of a proposal, -log2 of the share of past baskets that hold it, in bits (Zhou et al. 2010).
    """

    hit_rate: float
    ndcg: float
    recall: float
    coverage: float
    novelty: float


def hits(answers: Answers, questions: Questions) -> Flags:
    """For each question whether one of its answers is hidden in it."""
    found: Flags = _right(answers, questions).max(axis=1, initial=False)
    return found


def measure(answers: Answers, questions: Questions, item_counts: Int64s, basket_count: int) -> Figures:
    """The figures of `answers`; `item_counts` says in how many of the `basket_count` past baskets each product lies."""
    right = _right(answers, questions)
    gain = 1 / np.log2(np.arange(PROPOSED) + 2)
    hidden_count = np.bincount(questions.hidden.row, minlength=questions.count)
    ideal = np.cumsum(gain)[np.minimum(hidden_count, PROPOSED) - 1]
    proposed = answers[answers != NOTHING]
    share = np.maximum(item_counts[proposed], 1) / max(basket_count, 1)
    return Figures(
        hit_rate=float(right.any(axis=1).mean()),
        ndcg=float((right @ gain / ideal).mean()),
        recall=float((right.sum(axis=1) / hidden_count).mean()),
        coverage=len(np.unique(proposed)) / max(int((item_counts > 0).sum()), 1),
        novelty=float(-np.log2(share).mean()) if len(proposed) else 0.0,
    )


def is_worse(ours: Flags, theirs: Flags) -> bool:
    """Whether we lose to them by more than chance explains, at 95 %, on the same questions.

    McNemar's test (1947) with the normal approximation: only questions that one of both answered say anything.
    """
    won, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return lost - won > _NORMAL_95 * sqrt(won + lost)


def _right(answers: Answers, questions: Questions) -> Flags:
    width = len(questions.skus)
    key = np.arange(questions.count)[:, None] * max(width, 1) + answers
    right: Flags = np.isin(key, questions.hidden.keys(width)) & (answers != NOTHING)
    return right
