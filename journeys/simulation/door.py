"""At the door of a simulated journey: who comes in is decided by the rules of production, and set in motion."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.zones import find_zone
from journeys.admission import Admit, Candidate, PastRun, Settle, Standing, admit, is_held_out
from journeys.conditions import Ground, holds
from journeys.entries.dates import has_come
from journeys.entries.kinds import DateEntry, Repeat
from journeys.questions import ArmOf, UnansweredError
from journeys.simulation.answering import Answers
from journeys.simulation.store import MissingError, Wanted
from journeys.steps.holdout import HELD_OUT, TREATED
from journeys.transition import Ended, EndReason, Entered
from journeys.triggers import new_enrolment

if TYPE_CHECKING:
    from journeys.simulation.life import Life, Passage

_MISSING = object()


def let_in(life: Life, candidate: Candidate) -> Generator[Wanted, None, None]:
    """Let the person in, or count why not; yields what must be read before that can be said."""
    uid = candidate.enrolment_uid
    if uid in life.passages:
        return  # this very occurrence was seen before
    fits = yield from _fits(life, candidate)
    customer, default = life.customer, find_zone(life.plan.journey.timezone or "") or life.plan.zone
    own = find_zone(customer.person.timezone or "")
    standing = Standing(
        status=customer.person.status,
        is_unreachable=customer.is_unreachable,
        fits=fits,
        runs=[_past(passage) for passage in life.passages.values()],
        zone=own or default,
        default_zone=default,
        has_zone=own is not None,
        came_lately=_came_lately(life, candidate),
    )
    decision = admit(candidate, standing, life.now)
    life.settling.pop(uid, None)
    if isinstance(decision, Settle):
        life.settling[uid] = replace(candidate, settles_until=decision.until)
        return
    if not isinstance(decision, Admit):
        life.tally.refused[decision.reason.value] += 1
        life.refusals.append((life.now, decision.reason.value))
        return
    for old in [passage for passage in life.passages.values() if passage.number in decision.restarts]:
        yield from life.move(old, Ended(EndReason.RESTARTED))
    held_out = yield from _is_held_out(life)
    enrolment = new_enrolment(candidate, decision, {candidate} if held_out else set(), life.now)
    life.tally.enter(enrolment)
    yield from life.move(life.enrol(enrolment), Entered(candidate.trigger))


def _fits(life: Life, candidate: Candidate) -> Generator[Wanted, None, bool]:
    condition = candidate.entry.condition
    if condition is None:
        return True
    entered_at = candidate.entered_at(life.now)
    while True:
        answers = Answers(life)
        ground = Ground(
            ask=answers.ask, now=life.now, zone=life.plan.zone, entered_at=entered_at, step_entered_at=entered_at,
            entry=candidate.properties,
        )  # fmt: skip
        try:
            return holds(condition, ground)
        except UnansweredError:
            yield from answers.missing


def _came_lately(life: Life, candidate: Candidate) -> bool:
    """Whether a yearly date of the same person lies less than 300 days back."""
    entry = candidate.entry
    if not isinstance(entry, DateEntry) or entry.repeat is not Repeat.YEARLY:
        return False
    runs = [passage.enrolment for passage in life.passages.values()]
    return has_come(candidate, [(one.uid, one.profile_id, one.entered_at) for one in runs])


def _is_held_out(life: Life) -> Generator[Wanted, None, bool]:
    holdout = life.plan.journey.holdout
    if holdout is None:
        return False
    test = ArmOf(holdout.seed, f"{life.plan.journey.slug}/holdout")
    while (arm := _arm(life, test)) is _MISSING:
        yield test
    if arm is None:
        arm = life.arms[test] = HELD_OUT if is_held_out(holdout, life.customer.person.id) else TREATED
    return bool(arm == HELD_OUT)


def _arm(life: Life, test: ArmOf) -> Any:
    if test in life.arms:
        return life.arms[test]
    try:
        return life.store.find(test, life.customer.person.id, life.now)
    except MissingError:
        return _MISSING


def _past(passage: Passage) -> PastRun:
    one = passage.enrolment
    return PastRun(passage.number, one.uid, one.key, one.status, one.entered_at, one.end_reason)
