"""What may not change under people who are inside: ids that are missing (E141), experiments without an epoch (E140)."""

from __future__ import annotations

from collections.abc import Iterator

from core.errors import Fault
from core.suggest import did_you_mean
from journeys.checking.case import Case
from journeys.model import JourneyStatus
from journeys.steps.contract import Step
from journeys.steps.message_test import MessageTest


def ids_of_waiting(case: Case) -> Iterator[Fault]:
    """E141; what is referred to has an id, or nobody could refer to it."""
    if case.journey.status is not JourneyStatus.LIVE:
        return
    for step in case.steps:
        if step.verb.waits and not step.has_own_id:
            message = f"people wait at this `{step.verb.name}`, and a later version could not find it again"
            yield case.fault("E141", step.path, message, "give the step an `id`")


def removed(case: Case) -> Iterator[Fault]:
    """E111, E103: `migrate.removed` leads from steps that are gone to steps that there are."""
    own = case.journey.by_id
    for old, new in case.journey.removed.items():
        path = ("migrate", "removed", old)
        if new not in own:
            hint = did_you_mean(new, [step.id for step in case.steps if step.has_own_id])
            yield case.fault("E111", path, f"there is no step '{new}'", hint)
        if old in own:
            yield case.fault("E103", path, f"'{old}' is a step still: nobody has to leave it", "take it out here")


def epoch(case: Case) -> Iterator[Fault]:
    """E140."""
    journey, before = case.journey, case.before
    if before is None or journey.status is not JourneyStatus.LIVE or journey.epoch > before.epoch:
        return
    hint = f"write epoch: {before.epoch + 1}"
    for word, now, then in (("goal", journey.goal, before.goal), ("holdout", journey.holdout, before.holdout)):
        if now != then:
            how = "was taken out" if now is None else "is new" if then is None else "changed"
            yield case.fault("E140", (word,), f"the {word} of a live journey {how}", hint, at_key=True)
    for step in case.steps:
        earlier = before.by_id.get(step.id)
        if earlier is not None and _seed(step) != _seed(earlier):
            within = (step.verb.name,) if _test(step) else ()
            path = (*step.path, *within, "seed")
            yield case.fault("E140", path, "the seed of a live test changed", hint, at_key=True)


def _test(step: Step) -> MessageTest | None:
    test = getattr(step.action, "test", None)
    return test if isinstance(test, MessageTest) else None


def _seed(step: Step) -> str | None:
    """The seed that a test was given, by whichever verb."""
    seed = getattr(_test(step) or step.action, "seed", None)
    return seed if isinstance(seed, str) else None
