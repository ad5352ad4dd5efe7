"""Answers to the engine's questions, each question for everybody who asked it in one query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from campaigns.habits import find_habits
from campaigns.message_context import profile_context
from core.database import batches
from core.errors import NotFoundError
from core.vault import Vault
from customers.log import LoggedEvent, logged_event, open_properties
from customers.profiles import load_profiles
from customers.tables import customer_event
from journeys.catalogue import Catalogue
from journeys.earnings import count_earned
from journeys.questions import ArmOf, Earned, Event, Happened, Holds, ProfileValues, Question, ReadingHabits
from journeys.tables import assignment
from segments.compiling.compiler import Reach
from segments.membership import matching

_BATCH = 500

Asking = tuple[int, Question]  # profile, question


@dataclass(frozen=True, slots=True)
class Scene:
    """What one tick works with."""

    vault: Vault
    catalogue: Catalogue
    now: datetime


def answer(connection: Connection, scene: Scene, asked: Iterable[Asking]) -> dict[Asking, Any]:
    """An answer for every question."""
    holds: dict[Holds, list[int]] = defaultdict(list)
    happened: dict[tuple[str, ...], list[tuple[int, Happened]]] = defaultdict(list)
    arms: dict[ArmOf, list[int]] = defaultdict(list)
    earned: dict[Earned, list[int]] = defaultdict(list)
    habits: list[int] = []
    opened: list[int] = []
    for profile_id, question in dict.fromkeys(asked):
        match question:
            case Holds():
                holds[question].append(profile_id)
            case Happened():
                happened[question.names].append((profile_id, question))
            case ArmOf():
                arms[question].append(profile_id)
            case Earned():
                earned[question].append(profile_id)
            case ReadingHabits():
                habits.append(profile_id)
            case ProfileValues():
                opened.append(profile_id)
    answers: dict[Asking, Any] = {}
    for wanted, ids in holds.items():
        answers |= _ask_rule(connection, scene, wanted, ids)
    for names, askings in happened.items():
        answers |= _ask_events(connection, scene, names, askings)
    for test, ids in arms.items():
        answers |= _ask_arms(connection, test, ids)
    for tallied, ids in earned.items():
        counts = count_earned(connection, tallied, ZoneInfo(scene.catalogue.world.workspace.timezone))
        answers |= {(profile_id, tallied): counts for profile_id in ids}
    if habits:
        zone = ZoneInfo(scene.catalogue.world.workspace.timezone)
        found_habits = find_habits(connection, habits, zone, scene.now)
        answers |= {(number, ReadingHabits()): found for number, found in found_habits.items()}
    if opened:
        profiles = load_profiles(connection, scene.vault, opened)
        answers |= {(number, ProfileValues()): profile_context(found) for number, found in profiles.items()}
    return answers


def as_event(vault: Vault, logged: LoggedEvent) -> Event:
    """An entry of the log as the engine sees it; of an erased person only the plain part is left."""
    try:
        properties = open_properties(vault, logged)
    except NotFoundError:
        properties = dict(logged.properties)
    return Event(logged.id, logged.name, logged.occurred_at, logged.received_at, properties, logged.is_historical)


def _ask_rule(connection: Connection, scene: Scene, wanted: Holds, ids: Sequence[int]) -> dict[Asking, bool]:
    found = matching(
        connection,
        wanted.rule,
        ids,
        scene.now,
        workspace=scene.catalogue.world.workspace,
        segments=scene.catalogue.segments,
        vault=scene.vault,
        reach=Reach.SERVICE,
    )
    return {(profile_id, wanted): profile_id in found for profile_id in ids}


def _ask_events(
    connection: Connection, scene: Scene, names: Sequence[str], askings: Sequence[tuple[int, Happened]]
) -> dict[Asking, tuple[Event, ...]]:
    since = min(question.since for _, question in askings)
    by_profile: dict[int, list[Event]] = defaultdict(list)
    for some in batches(sorted({profile_id for profile_id, _ in askings}), _BATCH):
        event = customer_event.c
        query = select(customer_event).where(
            event.profile_id.in_(some), event.name.in_(names), event.occurred_at >= since
        )
        for row in connection.execute(query.order_by(event.occurred_at, event.id)):
            by_profile[row.profile_id].append(as_event(scene.vault, logged_event(row)))
    return {
        (profile_id, question): tuple(event for event in by_profile[profile_id] if event.occurred_at >= question.since)
        for profile_id, question in askings
    }


def _ask_arms(connection: Connection, test: ArmOf, ids: Sequence[int]) -> dict[Asking, str | None]:
    known: dict[int, str] = {}
    for some in batches(ids, _BATCH):
        query = select(assignment.c.profile_id, assignment.c.arm).where(
            assignment.c.seed == test.seed, assignment.c.test == test.test, assignment.c.profile_id.in_(some)
        )
        known.update(connection.execute(query).tuples().all())
    return {(profile_id, test): known.get(profile_id) for profile_id in ids}
