"""The Groceries baskets (Hahsler, Hornik, Reutterer 2006), whose rules are published; not part of the project."""

from __future__ import annotations

import os
from functools import cache
from math import ceil
from pathlib import Path

import pytest

from recommender.baskets import Baskets, baskets_of
from recommender.mining.choice import find_itemsets
from recommender.mining.itemsets import Itemsets

FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "groceries.csv"


@cache
def groceries() -> Baskets:
    """The 9,835 baskets. Skips the test where they are missing, and fails it where CI is set."""
    if not FILE.exists():
        reason = "the Groceries baskets are not on this machine (../shared/data/groceries.csv)"
        pytest.fail(reason, pytrace=False) if os.environ.get("CI") else pytest.skip(reason)
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return baskets_of((0, line.split(",")) for line in lines)


def frequent_groceries(support: float, engine: str = "auto") -> Itemsets:
    baskets = groceries()
    return find_itemsets(baskets, ceil(support * len(baskets)), engine=engine)
