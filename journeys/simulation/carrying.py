"""What transitions cause, carried out in one person's memory: no row is written, and nothing leaves the process.

What only the world outside could answer (another journey that is started, say) is left out and counted, so that the
report can say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.zones import find_zone
from journeys.questions import ArmOf
from journeys.simulation.gates import row_of
from journeys.transition import (
    STARTED,
    Assign,
    CancelMessages,
    ChangeList,
    ClearTimers,
    CreateTask,
    DecideOffer,
    EmitEvent,
    EnqueueMessage,
    ListChange,
    NoteDraw,
    SetAttributes,
    SetTimer,
    StartJourney,
    WaitFor,
)

if TYPE_CHECKING:
    from journeys.simulation.life import Life, Passage


def carry(life: Life, passage: Passage, effect: Any) -> None:
    """Carry out one effect; a kind that the simulation does not know is counted as left out."""
    how = _HOW.get(type(effect))
    if how is None:
        life.tally.left_out[type(effect).__name__] += 1
    else:
        how(life, passage, effect)


def _enqueue(life: Life, passage: Passage, effect: EnqueueMessage) -> None:
    life.outbox.add(row_of(effect, passage.enrolment.profile_id, passage.enrolment.uid, life.plan))


def _cancel(life: Life, passage: Passage, effect: CancelMessages) -> None:
    life.tally.cancelled[effect.reason] += len(life.outbox.cancel(passage.enrolment.uid))


def _set_attributes(life: Life, _passage: Passage, effect: SetAttributes) -> None:
    life.set_values.update(effect.values)
    life.is_changed = True
    zone = effect.values.get("timezone")
    if zone is not None and find_zone(str(zone)) is not None:
        life.customer.person = replace(life.customer.person, timezone=str(zone))


def _emit(life: Life, _passage: Passage, effect: EmitEvent) -> None:
    life.happen(effect.name, effect.key, effect.properties)


def _decide_offer(life: Life, passage: Passage, effect: DecideOffer) -> None:
    offered = life.offered.pop(effect.step)
    life.tally.offered[effect.step, bool(offered["items"])] += 1
    passage.enrolment = replace(passage.enrolment, results={**passage.enrolment.results, effect.step: offered})


def _create_task(life: Life, passage: Passage, effect: CreateTask) -> None:
    said = {
        "task_id": effect.id,
        "kind": effect.kind,
        "team": effect.team,
        "priority": effect.priority,
        "origin": passage.enrolment.journey,
        "step": effect.step,
    }
    life.happen("task_created", f"task_created:{effect.id}", {key: one for key, one in said.items() if one is not None})


def _assign(life: Life, _passage: Passage, effect: Assign) -> None:
    life.arms.setdefault(ArmOf(effect.seed, effect.test), effect.arm)


def _set_timer(_life: Life, passage: Passage, effect: SetTimer) -> None:
    passage.timers[effect.kind] = effect.due_at


def _clear_timers(_life: Life, passage: Passage, effect: ClearTimers) -> None:
    for kind in effect.kinds:
        passage.timers.pop(kind, None)


def _wait_for(_life: Life, passage: Passage, effect: WaitFor) -> None:
    passage.waits = tuple(dict.fromkeys([name for _, name in effect.names])) if effect.names else ()


def _change_list(life: Life, _passage: Passage, effect: ChangeList) -> None:
    life.lists[effect.list] = effect.change is ListChange.ADD


def _start_journey(life: Life, passage: Passage, effect: StartJourney) -> None:
    """Another journey is not simulated beside this one; a journey may start itself."""
    if effect.journey != life.plan.journey.slug:
        life.tally.left_out["other journeys started"] += 1
        return
    said = {
        "journey": effect.journey,
        "started_by": passage.enrolment.journey,
        "enrolment_id": passage.enrolment.uid,
        "start_id": effect.id,
        "chain": effect.chain,
        "entry": dict(effect.entry),
    }
    life.happen(STARTED, f"start:{effect.id}", said)


def _note_draw(_life: Life, _passage: Passage, _effect: NoteDraw) -> None:
    """What arms earn is the sum over all people; the simulation draws by what they had earned before it."""


_HOW: Mapping[type, Callable[[Life, Passage, Any], None]] = {
    EnqueueMessage: _enqueue,
    CancelMessages: _cancel,
    SetAttributes: _set_attributes,
    EmitEvent: _emit,
    DecideOffer: _decide_offer,
    CreateTask: _create_task,
    Assign: _assign,
    SetTimer: _set_timer,
    ClearTimers: _clear_timers,
    WaitFor: _wait_for,
    ChangeList: _change_list,
    StartJourney: _start_journey,
    NoteDraw: _note_draw,
}
