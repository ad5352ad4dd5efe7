"""What chance would decide in a journey, decided for a test: who is held out, which arm somebody gets, and no learning.

A bandit that has learnt nothing draws evenly, so in a test it is a split; the arm is the same each time it is played.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from console.project_tests.case import Someone
from journeys.model import Journey
from journeys.steps.holdout import HELD_OUT, TREATED, HoldoutStep

_OF_A_BANDIT = ("reward", "floor", "delay")


def without_learning(document: Any) -> Any:
    """A journey's document with a split in the place of each bandit."""
    if isinstance(document, list):
        return [without_learning(item) for item in document]
    if not isinstance(document, Mapping):
        return document
    is_bandit = isinstance(document.get("bandit"), Mapping)
    return {
        "split" if is_bandit and key == "bandit" else key: without_learning(value)
        for key, value in document.items()
        if not (is_bandit and key in _OF_A_BANDIT)
    }


def iter_arms(journey: Journey, someone: Someone) -> Iterator[dict[str, Any]]:
    """Rows of `assignment` without their owner: nobody is held out whom the test does not hold out."""
    held_out = HELD_OUT if someone.is_held_out else TREATED
    if journey.holdout is not None:
        yield _row(journey, journey.holdout.seed, f"{journey.slug}/holdout", held_out)
    for step in journey.by_id.values():
        test = f"{journey.slug}/{step.id}"
        seed = getattr(step.action, "seed", None) or test
        arm = held_out if isinstance(step.action, HoldoutStep) else someone.arms.get(step.id)
        if arm is not None:
            yield _row(journey, seed, test, arm)


def _row(journey: Journey, seed: str, test: str, arm: str) -> dict[str, Any]:
    return {"seed": seed, "test": test, "arm": arm, "version": journey.version, "is_contaminated": False}
