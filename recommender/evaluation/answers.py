"""What a ranking answers: ten products to each question, best first, what is excluded left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.baskets import Int64s
from recommender.evaluation.questions import MOST_SHOWN, Pairs, Questions
from recommender.ranking import NOTHING, Ranking, propose

Answers = NDArray[np.int64]  # (questions, ten): positions of products, padded with -1

PROPOSED = 10


def answers_of_ranking(ranking: Ranking, questions: Questions, best_sellers: Sequence[str] = ()) -> Answers:
    """The companions of what is given. The ranking may know other products than the questions.

    Places for which the ranking knows nothing go to `best_sellers`, as they do in an offer.
    """
    return first_ten(questions, _companions(ranking, questions), _for_everybody(best_sellers, questions))


def answers_of_list(skus: Sequence[str], questions: Questions) -> Answers:
    """One list that is proposed to everybody, such as the best sellers."""
    return first_ten(questions, _for_everybody(skus, questions))


def answers_of_habit(ranking: Ranking, questions: Questions, best_sellers: Sequence[str] = ()) -> Answers:
    """What each customer bought most often, then its companions, then `best_sellers`."""
    given, weight = questions.given, questions.weight
    order = np.lexsort((given.item, -weight, given.row))
    habit = Pairs(given.row[order], given.item[order])
    return first_ten(questions, habit, _companions(ranking, questions), _for_everybody(best_sellers, questions))


def first_ten(questions: Questions, *proposed: Pairs) -> Answers:
    """The answers from proposals, the better ones first within a row; those of a later `proposed` fill up."""
    width = len(questions.skus)
    row, item = (np.concatenate([getattr(some, name) for some in proposed]) for name in ("row", "item"))
    key = Pairs(row, item).keys(width)
    _, first = np.unique(key, return_index=True)
    first = np.sort(first)
    first = first[~np.isin(key[first], questions.excluded.keys(width))]
    first = first[np.argsort(row[first], kind="stable")]
    row, item = row[first], item[first]
    starts = np.searchsorted(row, np.arange(questions.count))
    place = np.arange(len(row)) - starts[row]
    kept = place < PROPOSED
    answers = np.full((questions.count, PROPOSED), NOTHING, dtype=np.int64)
    answers[row[kept], place[kept]] = item[kept]
    return answers


def _companions(ranking: Ranking, questions: Questions) -> Pairs:
    position = {sku: place for place, sku in enumerate(ranking.skus)}
    here = np.array([position.get(sku, NOTHING) for sku in questions.skus], dtype=np.int64)
    given = questions.given
    known = here[given.item] != NOTHING
    found = propose(ranking, given.row[known], here[given.item[known]], np.ones(int(known.sum())))
    back: Int64s = np.full(len(ranking.skus), NOTHING, dtype=np.int64)
    back[here[here != NOTHING]] = np.flatnonzero(here != NOTHING)
    item = back[found.item]
    return Pairs(found.row, item).where(item != NOTHING)


def _for_everybody(skus: Sequence[str], questions: Questions) -> Pairs:
    """A list in every row: as much of it as can be needed, some being excluded."""
    position = {sku: place for place, sku in enumerate(questions.skus)}
    per_row = np.bincount(questions.excluded.row, minlength=1)
    enough = 2 * PROPOSED + max(MOST_SHOWN, int(per_row.max()))
    items = np.array([position[sku] for sku in skus if sku in position][:enough], dtype=np.int64)
    return Pairs(np.repeat(np.arange(questions.count), len(items)), np.tile(items, questions.count))
