"""Where somebody who stands at a step of one version stands in another. Pure.

A step is found again by its id. Steps without an id of their own are called after their place in the file, which moves
when something is written above them: they are found by what they do, where that is unmistakable.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from journeys.model import Journey
from journeys.standing import Standing
from journeys.steps.contract import Step


@dataclass(frozen=True, slots=True)
class Place:
    """A step of the new version; `is_same` when it is the one that the person stands at, and no substitute for it."""

    step: str
    is_same: bool


@dataclass(frozen=True, slots=True)
class Stranded:
    """People for whom the new version has no place."""

    version: int
    step: str
    verb: str
    count: int


@dataclass(frozen=True, slots=True)
class Moving:
    """`count` people of an older version who stand at `step` (None: held out) and go on at `to` of the new one; None
    where nothing says where.
    """

    version: int
    step: str | None
    to: str | None
    count: int
    is_held_out: bool = False


def find_place(old: Journey, new: Journey, step_id: str) -> Place | None:
    """Where somebody goes on in `new` who stands at `step_id` of `old`; None when nothing says it."""
    left = old.by_id.get(step_id)
    again = _same_step(left, new) if left is not None else new.by_id.get(step_id)
    if again is not None:
        return Place(again.id, is_same=left is None or left.verb.name == again.verb.name)
    target = new.removed.get(step_id)
    return Place(target, is_same=False) if target is not None and target in new.by_id else None


def _same_step(left: Step, new: Journey) -> Step | None:
    if left.has_own_id:
        return new.by_id.get(left.id)
    alike = [
        step
        for step in new.by_id.values()
        if not step.has_own_id and (step.verb.name, step.action) == (left.verb.name, left.action)
    ]
    here = [step for step in alike if step.id == left.id]
    return here[0] if here else alike[0] if len(alike) == 1 else None


def iter_stranded(versions: Sequence[Journey], new: Journey, standing: Sequence[Standing]) -> Iterator[Stranded]:
    """Those who could not be moved from older versions to `new`, with their numbers."""
    known = {journey.version: journey for journey in versions}
    for one in standing:
        old = known.get(one.version)
        if one.step is None or one.is_held_out or old is None:
            continue
        if find_place(old, new, one.step) is None:
            step = old.by_id.get(one.step)
            yield Stranded(one.version, one.step, step.verb.name if step else "step", one.count)


def iter_moving(versions: Sequence[Journey], new: Journey, standing: Sequence[Standing]) -> Iterator[Moving]:
    """Where everybody inside older versions would go on in `new`."""
    known = {journey.version: journey for journey in versions if journey.version < new.version}
    for one in standing:
        old = known.get(one.version)
        if old is None:
            continue
        place = None if one.is_held_out or one.step is None else find_place(old, new, one.step)
        yield Moving(one.version, one.step, place.step if place else None, one.count, one.is_held_out)
