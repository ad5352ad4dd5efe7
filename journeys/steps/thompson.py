"""Thompson sampling without dice: which arm is drawn follows from a seed and from what the arms have earned so far.

Each arm's rate of success is drawn from Beta(1 + successes, 1 + failures), and the highest wins. The uniform numbers
are hashes of the seed, so that anybody who knows the seed and the counts can draw again. Pure.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Draw(StrEnum):
    """By which of the two rules an arm was drawn."""

    EVENLY = "evenly"
    THOMPSON = "thompson"


@dataclass(frozen=True, slots=True)
class Drawn:
    arm: str
    by: Draw


Tallies = Mapping[str, tuple[int, int]]  # of each arm its successes and failures; an arm that is not there has none


def draw_arm(arms: Sequence[str], tallies: Tallies, seed: str, floor: Decimal = Decimal(0)) -> Drawn:
    """The arm for one visit. `floor` (percent) is each arm's least share: with probability floor x number of arms the
    arm is drawn evenly, else by Thompson.
    """
    chance = _uniforms(f"{seed}/floor")
    if Decimal(next(chance)) * 100 < floor * len(arms):
        return Drawn(arms[int(next(chance) * len(arms))], Draw.EVENLY)
    rates = {arm: _beta(*tallies.get(arm, (0, 0)), _uniforms(f"{seed}/{arm}")) for arm in arms}
    return Drawn(max(arms, key=lambda arm: rates[arm]), Draw.THOMPSON)


def _uniforms(seed: str) -> Iterator[float]:
    """Numbers in (0, 1) with 53 bits: the first eight bytes of SHA-256 of "seed:0", "seed:1" and so on."""
    number = 0
    while True:
        digest = hashlib.sha256(f"{seed}:{number}".encode()).digest()
        yield ((int.from_bytes(digest[:8], "big") >> 12) + 0.5) / 2**52
        number += 1


def _beta(successes: int, failures: int, uniforms: Iterator[float]) -> float:
    """A draw of Beta(1 + successes, 1 + failures), as a ratio of two gamma draws."""
    won, lost = _gamma(1 + successes, uniforms), _gamma(1 + failures, uniforms)
    return won / (won + lost)


def _gamma(shape: int, uniforms: Iterator[float]) -> float:
    """A draw of Gamma(shape, 1), shape 1 or more, by G. Marsaglia and W. W. Tsang, "A Simple Method for Generating
    Gamma Variables", ACM TOMS 26 (2000).
    """
    d = shape - 1 / 3
    c = 1 / math.sqrt(9 * d)
    while True:
        normal = math.sqrt(-2 * math.log(next(uniforms))) * math.cos(2 * math.pi * next(uniforms))
        v = (1 + c * normal) ** 3
        if v > 0 and math.log(next(uniforms)) < normal * normal / 2 + d - d * v + d * math.log(v):
            return d * v
