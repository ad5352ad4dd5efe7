"""Ways from lists of product names to rules, for `benchmarks/recommender_mining.py`: ours, mlxtend's and pyfim's.

A side does all its work in `mine`; `tell` puts what came out into one form and is not measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from recommender.baskets import baskets_of
from recommender.mining.choice import find_itemsets
from recommender.mining.itemsets import Itemsets, compressed, frequent_items, levels_of
from recommender.rules import Floors, Rules, derive_rules

Orders = Iterable[list[str]]
Told = set[tuple[frozenset[str], str]]

_CONFIDENCE = 0.25
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Side:
    """`mine(orders, min_count)` is measured; `module` is what it needs besides our own dependencies."""

    mine: Callable[[Orders, int], Any]
    tell: Callable[[Any], Told]
    module: str


def _ours(orders: Orders, min_count: int) -> Rules:
    baskets = baskets_of((0, names) for names in orders)
    return derive_rules(find_itemsets(baskets, min_count), Floors(_CONFIDENCE, lift=0, count=1))


def _mlxtend_sparse(orders: Orders, min_count: int) -> Any:
    """Our encoding, rare products and single ones left out, as mlxtend's sparse frame."""
    import pandas as pd
    from mlxtend.frequent_patterns import association_rules, fpgrowth
    from scipy.sparse import csr_matrix  # type: ignore[import-untyped]  # scipy carries no types

    baskets = baskets_of((0, names) for names in orders)
    singles = frequent_items(baskets, min_count)
    assert singles is not None
    kept = compressed(baskets, singles)
    codes = singles.members[:, 0]
    matrix = csr_matrix(
        (np.ones(len(kept.items), dtype=bool), np.searchsorted(codes, kept.items), kept.starts),
        shape=(len(kept), len(codes)),
    )
    frame = pd.DataFrame.sparse.from_spmatrix(matrix, columns=[baskets.skus[code] for code in codes])
    sets = fpgrowth(frame, min_support=min_count / len(kept) - _ROUNDING, use_colnames=True)
    # Products that lie with no other one only are missing among the columns' counts, and no rule needs them.
    sets["support"] = sets["support"] * len(kept) / len(baskets)
    own = dict(zip([frozenset([baskets.skus[code]]) for code in codes], singles.counts / len(baskets), strict=True))
    sets["support"] = [own.get(names, share) for names, share in zip(sets["itemsets"], sets["support"], strict=True)]
    return association_rules(sets, metric="confidence", min_threshold=_CONFIDENCE - _ROUNDING)


def _mlxtend_dense(orders: Orders, min_count: int) -> Any:
    """mlxtend's own encoder, the rare products left out before."""
    import pandas as pd
    from mlxtend.frequent_patterns import association_rules, fpgrowth
    from mlxtend.preprocessing import TransactionEncoder

    listed = list(orders)
    counts = Counter(chain.from_iterable(map(set, listed)))
    frequent = {name for name, count in counts.items() if count >= min_count}
    encoder = TransactionEncoder()
    held = encoder.fit_transform([[name for name in names if name in frequent] for names in listed])
    frame = pd.DataFrame(held, columns=encoder.columns_)
    sets = fpgrowth(frame, min_support=min_count / len(listed) - _ROUNDING, use_colnames=True)
    return association_rules(sets, metric="confidence", min_threshold=_CONFIDENCE - _ROUNDING)


def _pyfim(algorithm: str) -> Callable[[Orders, int], Any]:
    """Itemsets in C straight from the lists, and rules from them in our columns."""

    def mine(orders: Orders, min_count: int) -> Any:
        import fim

        listed = list(orders)
        sets = getattr(fim, algorithm)(listed, supp=-min_count, report="a")
        skus = tuple(sorted(members[0] for members, _ in sets if len(members) == 1))
        codes = {sku: code for code, sku in enumerate(skus)}
        levels = levels_of(([codes[sku] for sku in members], count) for members, count in sets)
        return derive_rules(Itemsets(skus, len(listed), tuple(levels)), Floors(_CONFIDENCE, lift=0, count=1))

    return mine


def _pyfim_rules(orders: Orders, min_count: int) -> Any:
    """Rules in C, without the itemsets; mode o counts baskets of the whole rule."""
    import fim

    return fim.arules(list(orders), supp=-min_count, conf=100 * _CONFIDENCE, zmin=2, report="aC", mode="o")


def _told(rules: Rules) -> Told:
    return {(frozenset(rule.antecedent), rule.consequent) for rule in rules}


def _told_frame(frame: Any) -> Told:
    return {
        (left, next(iter(right)))
        for left, right in zip(frame["antecedents"], frame["consequents"], strict=True)
        if len(right) == 1
    }


def _told_tuples(rules: Any) -> Told:
    return {(frozenset(left), right) for right, left, *_ in rules}


SIDES = {
    "ours": Side(_ours, _told, "numpy"),
    "mlxtend_sparse": Side(_mlxtend_sparse, _told_frame, "mlxtend"),
    "mlxtend_dense": Side(_mlxtend_dense, _told_frame, "mlxtend"),
    "pyfim_eclat": Side(_pyfim("eclat"), _told, "fim"),
    "pyfim_fpgrowth": Side(_pyfim("fpgrowth"), _told, "fim"),
    "pyfim_rules": Side(_pyfim_rules, _told_tuples, "fim"),
}
