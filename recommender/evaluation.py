"""Is a ranking any good? It completes baskets that it has never seen, beside a list of best sellers.

Each test basket shows some of its products and hides the rest; a hit is a hidden product among the ten proposed. Which
are shown is drawn with a fixed seed, so that two rankings are asked the same questions and a run can be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from recommender.baskets import Baskets, Flags, Int64s
from recommender.ranking import Candidates, Ranking, propose

PROPOSED = 10
_MOST_SHOWN = 5
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Questions:
    """Row r shows the products `shown[shown_row == r]` and hides `hidden[hidden_row == r]`; there are `count` rows.

    Products are positions in `skus`.
    """

    skus: tuple[str, ...]
    count: int
    shown_row: Int64s
    shown: Int64s
    hidden_row: Int64s
    hidden: Int64s


def ask(baskets: Baskets, *, least: int = 3, most: int = 3000, seed: int = 1) -> Questions:
    """Questions from the baskets of at least `least` products: min(5, half) of them shown, the rest hidden.

    Of more than `most` such baskets that many are drawn. Leave out the products that the ranking cannot know
    (`Baskets.of_items`) before.
    """
    chance = np.random.default_rng(seed)
    fit = np.flatnonzero(baskets.sizes >= least)
    if len(fit) > most:
        fit = np.sort(chance.choice(fit, most, replace=False))
    chosen = np.zeros(len(baskets), dtype=bool)
    chosen[fit] = True
    asked = baskets.where(chosen)
    row, item = asked.rows, asked.items.astype(np.int64)
    order = np.lexsort((chance.random(len(item)), row))
    place = np.arange(len(item)) - np.repeat(asked.starts[:-1], asked.sizes)
    is_shown = place < np.minimum(_MOST_SHOWN, asked.sizes // 2)[row]
    row, item = row[order], item[order]
    return Questions(baskets.skus, len(asked), row[is_shown], item[is_shown], row[~is_shown], item[~is_shown])


def hits_of_ranking(ranking: Ranking, questions: Questions, best_sellers: Sequence[str] = ()) -> Flags:
    """For each question whether one of the ten best is hidden in it. The ranking may know other products.

    Places for which the ranking knows nothing go to `best_sellers`, as they do in an offer.
    """
    position = {sku: place for place, sku in enumerate(ranking.skus)}
    here = np.array([position.get(sku, -1) for sku in questions.skus], dtype=np.int64)
    known = here[questions.shown] >= 0
    rows, items = questions.shown_row[known], here[questions.shown[known]]
    found = propose(ranking, rows, items, np.ones(len(rows)))
    back = np.full(len(ranking.skus), -1, dtype=np.int64)
    back[here[here >= 0]] = np.flatnonzero(here >= 0)
    in_test = found.where(back[found.item] >= 0)
    filling_row, filling = _for_everybody(best_sellers, questions)
    return _hits(np.concatenate([in_test.row, filling_row]), np.concatenate([back[in_test.item], filling]), questions)


def hits_of_list(skus: Sequence[str], questions: Questions) -> Flags:
    """The same for one list that is proposed to everybody, such as the best sellers."""
    return _hits(*_for_everybody(skus, questions), questions)


def is_worse(ours: Flags, theirs: Flags) -> bool:
    """Whether we lose to them by more than chance explains, at 95 %, on the same questions.

    McNemar's test (1947) with the normal approximation: only questions that one of both answered say anything.
    """
    won, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return lost - won > _NORMAL_95 * sqrt(won + lost)


def _for_everybody(skus: Sequence[str], questions: Questions) -> tuple[Int64s, Int64s]:
    """Rows and items that propose a list in every row: as much of it as can be needed, some being shown already."""
    position = {sku: place for place, sku in enumerate(questions.skus)}
    enough = 2 * PROPOSED + _MOST_SHOWN
    items = np.array([position[sku] for sku in skus if sku in position][:enough], dtype=np.int64)
    return np.repeat(np.arange(questions.count), len(items)), np.tile(items, questions.count)


def _hits(row: Int64s, item: Int64s, questions: Questions) -> Flags:
    """`row` and `item` propose, better ones first within a row; what is shown already is no proposal."""
    width = max(len(questions.skus), 1)
    key = row * width + item
    _, first = np.unique(key, return_index=True)
    first = np.sort(first)
    first = first[~np.isin(key[first], questions.shown_row * width + questions.shown)]
    first = first[np.argsort(row[first], kind="stable")]
    best = Candidates(row[first], item[first], np.zeros(len(first)), item[first]).first(PROPOSED)
    right = np.isin(best.row * width + best.item, questions.hidden_row * width + questions.hidden)
    hit = np.zeros(questions.count, dtype=bool)
    hit[best.row[right]] = True
    return hit
