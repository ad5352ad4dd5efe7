"""Carries out what transitions caused, set-based: one statement a kind of effect, however many people it is for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, delete

from core.database import batches, insert_ignore, upsert
from customers.log import NewEvent, append_events
from customers.profiles import set_attributes_of_all
from customers.task_tables import Priority, TaskKind
from customers.tasks import NewTask, TaskOrigin, create_tasks
from delivery.outbox import NewMessage, cancel_messages, enqueue
from delivery.tables import MessageKind, OriginKind
from journeys.answers import Scene
from journeys.carrying.draws import note_draws
from journeys.carrying.lists import change_lists
from journeys.carrying.offers import decide_step_offers
from journeys.carrying.starts import start_journeys
from journeys.enrolments import append_journal, save_enrolments
from journeys.tables import assignment, event_wait, timer
from journeys.transition import (
    Assign,
    CancelMessages,
    ChangeList,
    ClearTimers,
    CreateTask,
    DecideOffer,
    EmitEvent,
    EnqueueMessage,
    Enrolment,
    NoteDraw,
    SetAttributes,
    SetTimer,
    StartJourney,
    Transition,
    WaitFor,
)

_SOURCE = "journeys"
_BATCH = 500

T = TypeVar("T")


def apply(connection: Connection, scene: Scene, transitions: Sequence[Transition]) -> list[Enrolment]:
    """Write the transitions and everything they cause; answers the enrolments as they stand then, in the same order."""
    now, vault, workspace = scene.now, scene.vault, scene.catalogue.world.workspace
    results = decide_step_offers(connection, scene, _all(transitions, DecideOffer))
    after = [
        replace(item.enrolment, results={**item.enrolment.results, **results[item.enrolment.id]})
        if item.enrolment.id in results
        else item.enrolment
        for item in transitions
    ]
    save_enrolments(connection, vault, after, scene.catalogue.journeys)
    append_journal(connection, ((item.enrolment, item.journal) for item in transitions), now)
    for owner, cancelled in _all(transitions, CancelMessages):
        cancel_messages(connection, owner.id, now, cancelled.reason)
    enqueue(connection, vault, [_message(scene, owner, item) for owner, item in _all(transitions, EnqueueMessage)], now)
    _set_timers(connection, transitions)
    _set_waits(connection, transitions)
    _assign(connection, transitions)
    values: dict[int, dict[str, Any]] = defaultdict(dict)
    for owner, effect in _all(transitions, SetAttributes):
        values[owner.profile_id].update(effect.values)
    set_attributes_of_all(connection, vault, workspace, values, now)
    create_tasks(
        connection, vault, workspace, [_task(owner, item) for owner, item in _all(transitions, CreateTask)], now
    )
    change_lists(connection, scene, _all(transitions, ChangeList))
    note_draws(connection, scene, _all(transitions, NoteDraw))
    start_journeys(connection, scene, _all(transitions, StartJourney))
    events = [_event(owner, effect, now) for owner, effect in _all(transitions, EmitEvent)]
    append_events(connection, vault, workspace, events, now)
    return after


def _all(transitions: Iterable[Transition], kind: type[T]) -> Iterable[tuple[Enrolment, T]]:
    for item in transitions:
        for effect in item.effects:
            if isinstance(effect, kind):
                yield item.enrolment, effect


def _message(scene: Scene, owner: Enrolment, effect: EnqueueMessage) -> NewMessage:
    journey = scene.catalogue.journeys[owner.journey, owner.version]
    return NewMessage(
        id=effect.id,
        profile_id=owner.profile_id,
        channel=effect.channel,
        topic=effect.topic,
        template=effect.template,
        origin_kind=OriginKind.JOURNEY,
        origin=owner.journey,
        origin_id=owner.id,
        due_at=effect.due_at,
        kind=MessageKind(effect.kind),
        sender=effect.sender,
        step=effect.step,
        variant=effect.variant,
        priority=journey.priority,
        expires_at=effect.expires_at,
        context=effect.context,
        policy=effect.policy,
    )


def _set_timers(connection: Connection, transitions: Sequence[Transition]) -> None:
    """Of several settings of one timer the last counts."""
    last: dict[tuple[str, str], datetime | None] = {}
    for item in transitions:
        for effect in item.effects:
            if isinstance(effect, SetTimer):
                last[item.enrolment.id, effect.kind.value] = effect.due_at
            elif isinstance(effect, ClearTimers):
                last.update(((item.enrolment.id, kind.value), None) for kind in effect.kinds)
    cleared: dict[str, list[str]] = defaultdict(list)
    for (owner, kind), due_at in last.items():
        if due_at is None:
            cleared[kind].append(owner)
    for kind, owners in cleared.items():
        for some in batches(owners, _BATCH):
            connection.execute(delete(timer).where(timer.c.kind == kind, timer.c.enrolment_id.in_(some)))
    rows = [
        {"enrolment_id": owner, "kind": kind, "due_at": due_at}
        for (owner, kind), due_at in last.items()
        if due_at is not None
    ]
    upsert(connection, timer, rows, key=["enrolment_id", "kind"], update=["due_at"])


def _set_waits(connection: Connection, transitions: Sequence[Transition]) -> None:
    last = {owner.id: (owner.profile_id, effect.names) for owner, effect in _all(transitions, WaitFor)}
    for some in batches(list(last), _BATCH):
        connection.execute(delete(event_wait).where(event_wait.c.enrolment_id.in_(some)))
    rows = [
        {"enrolment_id": owner, "item_no": number, "event_name": name, "profile_id": profile_id}
        for owner, (profile_id, names) in last.items()
        for number, name in enumerate(dict.fromkeys(name for _, name in names), start=1)
    ]
    insert_ignore(connection, event_wait, rows)


def _assign(connection: Connection, transitions: Sequence[Transition]) -> None:
    rows = [
        {
            "seed": effect.seed,
            "test": effect.test,
            "profile_id": owner.profile_id,
            "arm": effect.arm,
            "version": owner.version,
            "is_contaminated": False,
        }
        for owner, effect in _all(transitions, Assign)
    ]
    insert_ignore(connection, assignment, rows)


def _task(owner: Enrolment, effect: CreateTask) -> NewTask:
    return NewTask(
        id=effect.id,
        title=effect.title,
        kind=TaskKind(effect.kind),
        profile_id=owner.profile_id,
        body=effect.body,
        team=effect.team,
        assignee=effect.assignee,
        priority=Priority(effect.priority),
        due_at=effect.due_at,
        origin=TaskOrigin(OriginKind.JOURNEY, owner.journey, owner.id, effect.step),
    )


def _event(owner: Enrolment, effect: EmitEvent, now: datetime) -> NewEvent:
    return NewEvent(effect.name, now, _SOURCE, effect.key, owner.profile_id, effect.properties)
