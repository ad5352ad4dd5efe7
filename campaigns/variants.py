"""Who is held out, and who gets which variant: a hash of the profile, never a throw of dice.

Pure. A profile's bucket, 0 to 9999, is that of `core.ids.bucket` under a seed. The seeds name the campaign and not the
launch, so that a repeated campaign holds the same people out each time and shows each person the same variant. The two
seeds differ, which makes the two draws independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from core.ids import bucket

BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class Arm:
    """The consecutive buckets `[start, end)` of one variant."""

    name: str
    start: int
    end: int


def is_held_out(campaign: str, percent: Decimal, profile_id: int) -> bool:
    """Whether a profile gets nothing, for comparison; asked after every other filter, so that the sides compare."""
    return bucket(holdout_seed(campaign), profile_id) < percent * 100


def holdout_seed(campaign: str) -> str:
    return f"campaign/{campaign}/holdout"


def variant_seed(campaign: str) -> str:
    return f"campaign/{campaign}/variant"


def lay_out(weights: Sequence[tuple[str, Decimal]]) -> tuple[Arm, ...]:
    """The arms in the order given: `[10000·before/total, 10000·(before + weight)/total)`, exactly, rounded down."""
    total = sum((Fraction(weight) for _, weight in weights), Fraction(0))
    if total <= 0:
        raise ValueError("the weights of the arms add up to nothing")
    arms, before, start = [], Fraction(0), 0
    for name, weight in weights:
        before += Fraction(weight)
        end = int(BUCKETS * before / total)
        arms.append(Arm(name, start, end))
        start = end
    return tuple(arms)


def choose_arm(arms: Sequence[Arm], seed: str, profile_id: int) -> str:
    """The arm in whose range the profile's bucket lies."""
    drawn = bucket(seed, profile_id)
    return next(arm.name for arm in arms if arm.start <= drawn < arm.end)
