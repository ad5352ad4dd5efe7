"""Carries out what transitions caused, set-based: one statement a kind of effect, however many people it is for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, delete

from core.bulk import among, insert_few
from core.clock import to_micros
from core.database import insert_ignore
from customers.log import NewEvent, append_events
from customers.profiles import set_attributes_of_all
from customers.task_tables import Priority, TaskKind
from customers.tasks import NewTask, TaskOrigin, create_tasks
from delivery.outbox import NewMessage, cancel_messages, enqueue
from delivery.tables import MessageKind, OriginKind
from journeys.answers import Scene
from journeys.carrying.codes import follow_codes
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
    Effect,
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

T = TypeVar("T")


def apply(connection: Connection, scene: Scene, transitions: Sequence[Transition]) -> list[Enrolment]:
    """Write the transitions and everything they cause; answers the enrolments as they stand then, in the same order."""
    now, vault, workspace = scene.now, scene.vault, scene.catalogue.world.workspace
    caused = _Caused(transitions)
    results = decide_step_offers(connection, scene, caused.of(DecideOffer))
    after = [
        replace(item.enrolment, results={**item.enrolment.results, **results[item.enrolment.id]})
        if item.enrolment.id in results
        else item.enrolment
        for item in transitions
    ]
    save_enrolments(connection, vault, after, scene.catalogue.journeys)
    append_journal(connection, ((item.enrolment, item.journal) for item in transitions), now)
    for owner, cancelled in caused.of(CancelMessages):
        cancel_messages(connection, owner.uid, now, cancelled.reason)
    if queued := caused.of(EnqueueMessage):
        enqueue(connection, vault, [_message(scene, owner, item) for owner, item in queued], now)
    follow_codes(connection, scene, transitions)
    _set_timers(connection, transitions)
    _set_waits(connection, caused)
    _assign(connection, caused)
    if changed := caused.of(SetAttributes):
        values: dict[int, dict[str, Any]] = defaultdict(dict)
        for owner, effect in changed:
            values[owner.profile_id].update(effect.values)
        set_attributes_of_all(connection, vault, workspace, values, now)
    if asked := caused.of(CreateTask):
        create_tasks(connection, vault, workspace, [_task(owner, item) for owner, item in asked], now)
    if listed := caused.of(ChangeList):
        change_lists(connection, scene, listed)
    if drawn := caused.of(NoteDraw):
        note_draws(connection, scene, drawn)
    if started := caused.of(StartJourney):
        start_journeys(connection, scene, started)
    if emitted := caused.of(EmitEvent):
        append_events(connection, vault, workspace, [_event(owner, item, now) for owner, item in emitted], now)
    return after


class _Caused:
    """The effects of many transitions by their kind, each with whose it is."""

    def __init__(self, transitions: Iterable[Transition]) -> None:
        self._by_kind: dict[type, list[tuple[Enrolment, Any]]] = defaultdict(list)
        for item in transitions:
            for effect in item.effects:
                self._by_kind[type(effect)].append((item.enrolment, effect))

    def of(self, kind: type[T]) -> Sequence[tuple[Enrolment, T]]:
        return self._by_kind.get(kind, ())


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
        origin_id=owner.uid,
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


def last_timers(effects: Iterable[Effect]) -> dict[str, int | None]:
    """When each timer that is set or cleared (None) is due at the end, in microseconds: the last setting counts."""
    last: dict[str, int | None] = {}
    for effect in effects:
        if type(effect) is SetTimer:
            last[effect.kind.value] = to_micros(effect.due_at)
        elif type(effect) is ClearTimers:
            last.update((kind.value, None) for kind in effect.kinds)
    return last


def keep_timers(connection: Connection, rows: Sequence[tuple[int, str, int]], cleared: Mapping[str, list[int]]) -> None:
    """Set timers (enrolment id, kind, due at) and clear those of the given enrolments, by kind."""
    for kind, owners in cleared.items():
        connection.execute(delete(timer).where(timer.c.kind == kind, among(connection, timer.c.enrolment_id, owners)))
    again = "(enrolment_id, kind) DO UPDATE SET due_at = excluded.due_at"
    insert_few(connection, timer, ("enrolment_id", "kind", "due_at"), rows, on_conflict=again)


def keep_waits(connection: Connection, owners: Sequence[int], rows: Sequence[tuple[int, int, str, int]]) -> None:
    """Let `owners` wait for nothing but the `rows`: enrolment id, number, name of the event, profile id."""
    if not owners:
        return
    connection.execute(delete(event_wait).where(among(connection, event_wait.c.enrolment_id, owners)))
    insert_few(connection, event_wait, ("enrolment_id", "item_no", "event_name", "profile_id"), rows)


def _set_timers(connection: Connection, transitions: Sequence[Transition]) -> None:
    last: dict[tuple[int, str], int | None] = {}
    for item in transitions:
        for kind, due_at in last_timers(item.effects).items():
            last[item.enrolment.id, kind] = due_at
    cleared: dict[str, list[int]] = defaultdict(list)
    rows = []
    for (owner, kind), due_at in last.items():
        if due_at is None:
            cleared[kind].append(owner)
        else:
            rows.append((owner, kind, due_at))
    keep_timers(connection, rows, cleared)


def _set_waits(connection: Connection, caused: _Caused) -> None:
    last = {owner.id: (owner.profile_id, effect) for owner, effect in caused.of(WaitFor)}
    rows = [
        (owner, number, name, profile_id)
        for owner, (profile_id, effect) in last.items()
        for number, name in effect.events()
    ]
    keep_waits(connection, list(last), rows)


def _assign(connection: Connection, caused: _Caused) -> None:
    rows = [
        {
            "seed": effect.seed,
            "test": effect.test,
            "profile_id": owner.profile_id,
            "arm": effect.arm,
            "version": owner.version,
            "is_contaminated": False,
        }
        for owner, effect in caused.of(Assign)
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
        origin=TaskOrigin(OriginKind.JOURNEY, owner.journey, owner.uid, effect.step),
    )


def _event(owner: Enrolment, effect: EmitEvent, now: datetime) -> NewEvent:
    return NewEvent(effect.name, now, _SOURCE, effect.key, owner.profile_id, effect.properties)
