"""One step forward: (journey, enrolment, facts, why, now) in, a transition out.

Pure, and the same for production and for simulation: no clock, no chance, no database. Where an answer about the person
is missing, the engine says what it must know (`Asked`) and is called again; where an effect changes what may be asked
next, it stops there (`Transition.is_unfinished`). What a step does is the business of its verb.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from core.durations import add_calendar
from customers.tables import ProfileStatus
from journeys.goal import find_credited, find_goal, goal_ends_at
from journeys.model import Journey
from journeys.questions import Event, Facts, Happened, UnansweredError
from journeys.steps.anew import wait_anew
from journeys.steps.contract import Decision, Done, End, Fail, Jump, OnError, Outcome, Stay, Step
from journeys.steps.run import Run, World
from journeys.steps.wait_for import is_late
from journeys.tables import EnrolmentStatus
from journeys.transition import (
    CHANGES_FACTS,
    Asked,
    Broken,
    CancelMessages,
    ClearTimers,
    Due,
    EmitEvent,
    Ended,
    EndReason,
    Enrolment,
    Entered,
    HoldEnded,
    JournalKind,
    Migrated,
    Nudged,
    Resumed,
    SetTimer,
    Succeeded,
    TimerKind,
    Transition,
    WaitFor,
    Wake,
)

RUN_AWAY = 1_000  # step executions of one enrolment in one tick
BACK_OFF = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))


def advance(
    journey: Journey, enrolment: Enrolment, facts: Facts, world: World, wake: Wake, now: datetime
) -> Transition | Asked:
    """What becomes of `enrolment` at `now`, and everything that this causes."""
    walk = _Walk(journey, enrolment, facts, world, now)
    try:
        walk.wake(wake)
    except UnansweredError as error:
        return Asked(error.questions)
    return walk.transition()


class _Walk:
    """One call of the engine: where the enrolment stands while it moves."""

    def __init__(self, journey: Journey, enrolment: Enrolment, facts: Facts, world: World, now: datetime) -> None:
        self.journey = journey
        self.enrolment = enrolment
        self.now = now
        self.run = Run(journey, enrolment, facts, world, now)
        self.status = enrolment.status
        self.step = journey.by_id.get(enrolment.step or "")
        self.goal_at = enrolment.goal_at
        self.end_reason = enrolment.end_reason
        self.steps_done = 0
        self.is_again = False
        self.is_unfinished = False

    # -- why we are called -------------------------------------------------------------------------------------------

    def wake(self, wake: Wake) -> None:
        status = self.run.person.status
        if status is ProfileStatus.ERASED and self.status is not EnrolmentStatus.ENDED:
            self._end(EndReason.ERASED)
            return
        if status in (ProfileStatus.RESTRICTED, ProfileStatus.MERGED) and not isinstance(wake, Ended | Migrated):
            return  # it waits as it stands, until the restriction is lifted or the survivor takes it over
        match wake:
            case Entered(trigger=trigger):
                self._enter(trigger)
            case Nudged(events=events, is_paused=is_paused):
                self._hear(events, is_paused=is_paused)
            case Due(timer=timer):
                self._come_due(timer)
            case HoldEnded():
                self._ask_again()
            case Resumed(steps_done=steps_done):
                self.steps_done = steps_done
                self._walk()
            case Broken(cause=cause):
                self._fail(Fail(cause), keep_memo=True)
                self._walk()
            case Ended(reason=reason):
                if self.status is not EnrolmentStatus.ENDED:
                    self._end(reason)
            case Succeeded(is_paused=is_paused):
                self._come_over(is_paused=is_paused)
            case Migrated():
                self._change_version(wake)

    def _enter(self, trigger: str) -> None:
        run = self.run
        run.note(JournalKind.ENTERED, trigger=trigger, at=self.enrolment.entered_at.isoformat())
        if self.status is EnrolmentStatus.HOLDOUT:
            run.note(JournalKind.HELD_OUT)
            if self.journey.goal is None:
                self._end(EndReason.HOLDOUT)
                return
            run.effects.append(SetTimer(TimerKind.GOAL, goal_ends_at(run)))
        else:
            ends_at = add_calendar(self.enrolment.entered_at, self.journey.max_stay, run.zone)
            run.effects.append(SetTimer(TimerKind.MAX_STAY, ends_at))
            self._emit("journey_entered")
            self.step = self.journey.by_id.get(self.journey.first or "")
        if self.journey.goal is not None:
            # What followed the entry event may have become known before it.
            self._count_goal(run.ask(Happened(self.journey.goal.names, self.enrolment.entered_at)))
        if self.status is EnrolmentStatus.ACTIVE:
            self._walk()

    def _hear(self, events: Iterable[Event], *, is_paused: bool) -> None:
        news = sorted(events, key=lambda event: event.order)
        self._count_goal(news)
        if self.status is not EnrolmentStatus.ACTIVE or self._leaves():
            return
        self._note_late(news)
        if not is_paused:
            self._walk()

    def _come_over(self, *, is_paused: bool) -> None:
        if self.journey.goal is not None:
            self._count_goal(self.run.ask(Happened(self.journey.goal.names, self.enrolment.entered_at)))
        if self.status is EnrolmentStatus.ACTIVE and not self._leaves() and not is_paused:
            self._walk()

    def _come_due(self, timer: TimerKind) -> None:
        if timer is TimerKind.MAX_STAY and self.status is EnrolmentStatus.ACTIVE:
            self._end(EndReason.EXPIRED)
        elif timer is TimerKind.GOAL and self.status is EnrolmentStatus.HOLDOUT:
            self._end(EndReason.HOLDOUT)
        elif timer is TimerKind.STEP and self.status is EnrolmentStatus.ACTIVE:
            self._walk()
        else:
            self.run.effects.append(ClearTimers((timer,)))

    def _ask_again(self) -> None:
        memo, step = self.run.memo, self.step
        if self.status is not EnrolmentStatus.ACTIVE or step is None or memo is None or "message" not in memo:
            return
        if not self._is_wanted(step):
            self.run.effects.append(CancelMessages("if"))
            self._complete(step, Done(Outcome.SKIPPED), why="if")
            self._walk()

    # -- another version ---------------------------------------------------------------------------------------------

    def _change_version(self, change: Migrated) -> None:
        """Stand at the same place of the new version; its lengths of time count from where they counted before."""
        run = self.run
        run.note(JournalKind.MIGRATED, version=self.journey.version, before=change.from_version, step=change.step)
        if self.status is EnrolmentStatus.HOLDOUT:
            if self.journey.goal is None:
                self._end(EndReason.HOLDOUT)
            else:
                run.effects.append(SetTimer(TimerKind.GOAL, goal_ends_at(run)))
            return
        if change.has_new_stay:
            ends_at = add_calendar(self.enrolment.entered_at, self.journey.max_stay, run.zone)
            run.effects.append(SetTimer(TimerKind.MAX_STAY, ends_at))
        self.step = self.journey.by_id.get(change.step or "")
        stands_still = change.is_paused or run.person.status is not ProfileStatus.ACTIVE
        if self.step is None:
            return
        if self.step.is_disabled and run.memo is not None:
            self._drop_wait()
            self._complete(self.step, Done(Outcome.SKIPPED), why="disabled")
        elif self.step.verb.waits and run.memo is not None and "retry_at" not in run.memo:
            self._drop_wait(keeps_count=True)
            decision = wait_anew(self.step, run, is_paused=stands_still)
            self._stay(self.step, decision) if isinstance(decision, Stay) else self._follow(self.step, decision)
        elif not change.keeps_place:
            self._drop_wait()
        if not stands_still:
            self._walk()

    def _drop_wait(self, *, keeps_count: bool = False) -> None:
        """Forget what was waited for; a message of a step that is gone is not sent any more."""
        run, stood_still_s = self.run, self.run.stood_still_s
        if run.memo is not None and "message" in run.memo:
            run.effects.append(CancelMessages("migrated"))
        self._leave_step()
        run.stood_still_s = stood_still_s if keeps_count else 0

    # -- goals, exits, late events -----------------------------------------------------------------------------------

    def _count_goal(self, events: Iterable[Event]) -> None:
        """Once per enrolment, by `occurred_at`, also after the run has ended."""
        goal = self.journey.goal
        if goal is None or self.goal_at is not None or (event := find_goal(goal, self.run, events)) is None:
            return
        value = event.properties.get(goal.value) if goal.value else None
        worth = {"value": value} if isinstance(value, int | float) else {}
        credited = find_credited(self.run, event)
        told = {**worth, **({"message": credited} if credited else {})}
        self.goal_at = event.occurred_at
        self.run.note(JournalKind.GOAL, event=event.id, at=event.occurred_at.isoformat(), **told)
        self._emit("goal_reached")
        if goal.exits and self.status is EnrolmentStatus.ACTIVE:
            self._end(EndReason.GOAL)

    def _leaves(self) -> bool:
        """Ends the run when one of the journey's exits holds."""
        for number, rule in enumerate(self.journey.exits, start=1):
            if self.run.holds(rule):
                self._end(EndReason.EXIT, exit=number)
                return True
        self.run.used.clear()
        return False

    def _note_late(self, news: Iterable[Event]) -> None:
        for step_id in self.run.missed:
            step = self.journey.by_id.get(step_id)
            for event in news if step is not None else ():
                if step is not None and is_late(step, self.run, event):
                    self.run.note(JournalKind.LATE_FOR_WAIT, step=step_id, event=event.id)

    # -- the steps ---------------------------------------------------------------------------------------------------

    def _walk(self) -> None:
        """Go on from where the enrolment stands until it waits, ends, or must see its own effects."""
        while self.status is EnrolmentStatus.ACTIVE and not self.is_unfinished:
            if self.step is None:
                self._end(EndReason.COMPLETED)
                return
            if self._waits_after_failure():
                return
            if self.run.memo is None and not self.is_again and not self._begin(self.step):
                continue
            self.is_again = False
            effects = self.run.effects
            caused = len(effects)
            decision = self.step.verb.advance(self.step, self.run)
            if isinstance(decision, Stay):
                self._stay(self.step, decision)
                return
            self._follow(self.step, decision)
            if len(effects) > caused and self.status is EnrolmentStatus.ACTIVE:
                self.is_unfinished = not CHANGES_FACTS.isdisjoint(map(type, effects[caused:]))

    def _waits_after_failure(self) -> bool:
        """Whether a failed step waits for its next attempt; when its time has come, the step is tried as it stood."""
        memo = self.run.memo
        if memo is None or "retry_at" not in memo:
            return False
        if self.now < datetime.fromisoformat(memo["retry_at"]):
            return True
        self.run.memo, self.is_again = memo["memo"], True
        return False

    def _begin(self, step: Step) -> bool:
        """Arrive at a step; False when it is passed, or when the run ended before it."""
        run = self.run
        run.step_entered_at = self.now
        if self._leaves():
            return False
        if self.steps_done >= RUN_AWAY:
            self._end(EndReason.LOOP)
            return False
        self.steps_done += 1
        run.visits[step.id] = run.visits.get(step.id, 0) + 1
        run.failures = 0
        passed = "disabled" if step.is_disabled else "" if self._is_wanted(step) else "if"
        if passed:
            self._complete(step, Done(Outcome.SKIPPED), why=passed)
        return not passed

    def _is_wanted(self, step: Step) -> bool:
        return step.condition is None or self.run.holds(step.condition)

    def _stay(self, step: Step, decision: Stay) -> None:
        run = self.run
        before, run.memo = run.memo, decision.memo
        if before == decision.memo:
            return
        if decision.until is not None:
            if before is None:
                run.note(JournalKind.WAITING, step=step.id, until=decision.until.isoformat())
            run.effects.append(SetTimer(TimerKind.STEP, decision.until))
        if before is None and decision.names:
            run.effects.append(WaitFor(tuple(decision.names)))

    def _follow(self, step: Step, decision: Decision) -> None:
        match decision:
            case Done():
                self._complete(step, decision)
            case Jump(target=target):
                self._complete(step, Done(answers=(target,)))
                self.step = self.journey.by_id[target]
            case End(reason=reason):
                self._end(reason)
            case Fail():
                self._fail(decision)

    def _complete(self, step: Step, done: Done, *, why: str = "") -> None:
        run = self.run
        run.outcomes[step.id] = done.outcome
        if done.answers:
            run.taken[step.id] = list(done.answers)
        detail = {"why": why} if why else {"branch": list(done.answers)} if done.answers else {}
        run.note(JournalKind.STEP, step=step.id, outcome=done.outcome, **detail)
        self._leave_step()
        block = step.blocks.get(done.block or "", ())
        following = block[0].id if block else self.journey.next_of[step.id]
        self.step = self.journey.by_id[following] if following is not None else None

    def _leave_step(self) -> None:
        if self.run.memo is not None:
            self.run.effects += [ClearTimers((TimerKind.STEP,)), WaitFor(())]
        self.run.memo = None
        self.run.failures = 0
        self.run.stood_still_s = 0

    def _fail(self, failure: Fail, *, keep_memo: bool = False) -> None:
        run, step = self.run, self.step
        if step is None:
            self._end(EndReason.ERROR)
            return
        attempts = run.failures
        if not failure.is_final and attempts < len(BACK_OFF):
            again_at = self.now + BACK_OFF[attempts]
            run.note(JournalKind.ERROR, step=step.id, cause=failure.cause[:200], retry_at=again_at.isoformat())
            run.effects += [SetTimer(TimerKind.STEP, again_at)]
            run.memo = {"retry_at": again_at.isoformat(), "memo": run.memo if keep_memo else None}
            run.failures = attempts + 1
            return
        run.note(JournalKind.ERROR, step=step.id, cause=failure.cause[:200])
        exits = step.on_error is OnError.EXIT or (step.on_error is OnError.RETRY and self.journey.exits_on_error)
        if exits:
            self._end(EndReason.ERROR)
        else:
            self._complete(step, Done(Outcome.FAILED, block="on_error" if step.on_error is OnError.STEPS else None))

    # -- the end -----------------------------------------------------------------------------------------------------

    def _end(self, reason: str, **detail: int) -> None:
        run = self.run
        if run.memo is not None and "message" in run.memo:
            run.effects.append(CancelMessages(reason))
        run.memo = None
        run.effects += [ClearTimers(tuple(TimerKind)), WaitFor(())]
        where = {"step": self.step.id} if self.step is not None else {}
        run.note(JournalKind.ENDED, reason=reason, **where, **detail)
        if self.status is EnrolmentStatus.ACTIVE and reason not in (EndReason.ERASED, EndReason.MERGED):
            self._emit("journey_exited", reason=reason, **where)
        self.status, self.end_reason = EnrolmentStatus.ENDED, reason

    def _emit(self, name: str, **properties: str) -> None:
        enrolment = self.enrolment
        named = {"journey": enrolment.journey, "version": enrolment.version, "enrolment_id": enrolment.uid}
        self.run.effects.append(EmitEvent(name, f"{name}:{enrolment.uid}", {**named, **properties}))

    def transition(self) -> Transition:
        run, before = self.run, self.enrolment
        has_ended = self.status is EnrolmentStatus.ENDED and before.ended_at is None
        at_the_end = before.step if self.status is EnrolmentStatus.ENDED else None
        after = Enrolment(
            id=before.id,
            uid=before.uid,
            journey=before.journey,
            version=before.version,
            profile_id=before.profile_id,
            key=before.key,
            entered_at=before.entered_at,
            status=self.status,
            step=self.step.id if self.step is not None else at_the_end,
            state=run.state(),
            entry=before.entry,
            results=run.results.final,
            step_entered_at=run.step_entered_at,
            ended_at=self.now if has_ended else before.ended_at,
            end_reason=self.end_reason,
            goal_at=self.goal_at,
            journal_seq=before.journal_seq + len(run.journal),
            origin_profile_id=before.origin_profile_id,
            entry_event_id=before.entry_event_id,
        )
        return Transition(after, tuple(run.journal), tuple(run.effects), self.steps_done, self.is_unfinished)
