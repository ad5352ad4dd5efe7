"""Which steps people come to, and what comes directly after what: W114 and W202."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from core.errors import Fault
from journeys.checking.case import Case
from journeys.graph import By, iter_ways
from journeys.steps.contract import Step

_TAKES_NO_TIME = frozenset({"set", "emit", "offer", "add_to", "remove_from", "task", "start_journey"})


def unreached(case: Case) -> Iterator[Fault]:
    """W114: the first step of each stretch that nobody comes to."""
    for steps in case.iter_lists():
        below = [step for above, step in pairwise(steps) if above.id in case.reached and step.id not in case.reached]
        for step in below[:1]:
            yield case.fault("W114", step.path, "nobody comes to this step", "move or remove it")


def mails_in_a_row(case: Case) -> Iterator[Fault]:
    """W202: a mail that everybody gets at the instant of another one, whatever stands between the two."""
    found = {}
    for step in case.steps:
        if _is_certain_mail(step) and step.id in case.reached:
            for follower in _next_mails(case, step):
                found[follower.path] = follower
    for step in found.values():
        yield case.fault("W202", step.path, "a mail directly after a mail", "put a `wait` between them")


def _next_mails(case: Case, mail: Step) -> Iterator[Step]:
    """The mails that follow without a condition and without time passing."""
    waiting, seen = [mail], {mail.id}
    while waiting:
        for way in iter_ways(case.journey, waiting.pop()):
            step = case.journey.by_id[way.target]
            if step.id in seen or way.by not in (By.DONE, By.JUMP):
                continue
            seen.add(step.id)
            if _is_certain_mail(step):
                yield step
            elif step.verb.name in _TAKES_NO_TIME or step.verb.name == "goto":
                waiting.append(step)


def _is_certain_mail(step: Step) -> bool:
    return step.verb.name == "email" and step.condition is None and not step.is_disabled
