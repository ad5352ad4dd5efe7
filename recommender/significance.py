"""How sure a rule is: intervals of its figures, how likely an accident is, and what many tries mean for that. Pure.

Counts are of baskets: `count` (1 or more) hold the whole rule, `left` its left side, `right` its right side, of
`baskets` together.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from recommender.baskets import Int64s

Floats = NDArray[np.float64]

_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Intervals:
    """The lower and upper ends of 95 % intervals, one of each rule."""

    low: Floats
    high: Floats


def share_intervals(count: Int64s, of: Int64s | int) -> Intervals:
    """Of the share count / of: the score interval (Wilson 1927), which also holds near 0 and 1."""
    share, square = count / of, _NORMAL_95**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    reach = _NORMAL_95 / (1 + square / of) * np.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return Intervals(np.maximum(middle - reach, 0.0), np.minimum(middle + reach, 1.0))


def lift_intervals(count: Int64s, left: Int64s, right: Int64s, baskets: int) -> Intervals:
    """Of the lift count · baskets / (left · right), normal on the logarithm.

    By the delta method on the four cells of the table, the variance of the logarithm is
    1/count - 1/left - 1/right + (2 · lift - 1) / baskets.
    """
    lift = count / left * baskets / right
    variance = 1 / count - 1 / left - 1 / right + (2 * lift - 1) / baskets
    factor = np.exp(_NORMAL_95 * np.sqrt(np.maximum(variance, 0.0)))
    return Intervals(lift / factor, lift * factor)


def chances(count: Int64s, left: Int64s, right: Int64s, baskets: int) -> Floats:
    """How likely at least `count` baskets hold both sides when neither has to do with the other: the upper tail of
    the hypergeometric distribution, which is Fisher's exact test to one side (1935). 0.0 below the smallest float.
    """
    from scipy.stats import hypergeom  # type: ignore[import-untyped]  # scipy carries no types

    tail: Floats = hypergeom.sf(count - 1, baskets, left, right)
    return tail


def possible_rules(products: int, longest: int) -> dict[int, int]:
    """By the number of products in a rule, how many rules with one product on the right can be formed of `products`
    frequent ones: so many hypotheses stand behind those that were found.
    """
    return {length: length * comb(products, length) for length in range(2, min(longest, products) + 1)}


def adjusted(chance: Floats, lengths: Int64s, possible: dict[int, int]) -> Floats:
    """The share of accidents to expect among all rules that are as sure as this one or surer: q-values.

    Benjamini and Hochberg (1995), over all rules that were `possible` and not only those that were found, because
    searching is trying (Webb 2007). Each length of a rule has an equal part of the allowance (layers: Webb 2008), or
    the many long rules would drown the pairs. Rules that were not found count as certain accidents.
    """
    layers = np.array([len(possible) * possible[length] for length in lengths.tolist()], dtype=float)
    scaled = chance * layers
    order = np.argsort(scaled, kind="stable")
    by_rank = scaled[order] / np.arange(1, len(order) + 1)
    least = np.minimum.accumulate(by_rank[::-1])[::-1]
    values = np.empty(len(order))
    values[order] = np.minimum(least, 1.0)
    return values
