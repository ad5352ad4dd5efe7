"""People inside a journey of six steps, written directly as the engine would have left them.

Everybody entered at one of some minutes and stands at the first wait, with a timer, a journal and a sealed entry.
`waiting` puts them at `answer` instead, where an order lets them go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection

from core.bulk import insert_fresh
from core.clock import Clock, ManualClock, to_micros
from core.database import Database, batches
from core.definitions import publish
from core.ids import derived_id
from core.key_store import open_key_store
from core.keys import create_key, load_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from customers.tables import ProfileStatus, profile
from journeys.answers import Scene
from journeys.catalogue import get_catalogue
from journeys.engine import advance
from journeys.model import Journey
from journeys.questions import Facts, Person, Question
from journeys.sealed_state import SEALED
from journeys.tables import EnrolmentStatus, enrolment, event_wait, journal, timer
from journeys.transition import (
    Asked,
    Due,
    Enrolment,
    Entered,
    JournalEntry,
    Resumed,
    SetTimer,
    TimerKind,
    WaitFor,
)

START = datetime(2026, 6, 10, 8, tzinfo=UTC)
MINUTES = 50  # over which they entered
SLUG = "nurture"
JOURNEY: Mapping[str, Any] = {
    "journey": SLUG,
    "status": "live",
    "enter": {"event": "signed_up"},
    "steps": [
        {"id": "first", "wait": "1h"},
        {"id": "second", "wait": "1d"},
        {"id": "answer", "wait_for": {"event": "order_placed"}, "timeout": "30d"},
        {"id": "morning", "wait_until": {"time": "10:00"}},
        {"id": "mark", "emit": "nurtured"},
        {"id": "done", "exit": "nurtured"},
    ],
}
WORKSPACE: Mapping[str, Any] = {
    "workspace": "bench",
    "timezone": "UTC",
    "currency": "GBP",
    "country": "GB",
    "events": {"signed_up": {"properties": {"source": "text"}}, "nurtured": {}},
}
_BATCH = 10_000
_encode = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class _Standing:
    """Where everybody of one minute stands, and what led there."""

    enrolment: Enrolment
    journal: Sequence[JournalEntry]
    timers: Mapping[TimerKind, datetime]
    names: Sequence[str]


@contextmanager
def open_town(folder: Path, url: str | None = None, clock: Clock | None = None) -> Iterator[Runtime]:
    """The town in `folder`; its time stands still at START without a clock."""
    settings = Settings(project=str(folder), state=str(folder), database_url=url or f"sqlite:///{folder / 'town.db'}")
    key = folder / "workspace.key"
    if not key.exists():
        create_key(key)
    with closing(open_key_store(f"sqlite:///{folder / 'keys.db'}")) as store:
        vault = Vault(load_key(key), store)
        vault.create_store()
        with closing(Database(settings.database)) as database:
            yield Runtime(settings, database, vault, clock or ManualClock(START))


def fill_town(runtime: Runtime, people: int, *, waiting: bool = False, apart: bool = False) -> None:
    """Publish workspace and journey in an empty database, and put `people` into it.

    Those of one minute stand alike, as people do whom one tick has let in; `apart` nobody stands like another.
    """
    with runtime.database.transaction() as connection:
        for kind, slug, document in (("workspace", "bench", WORKSPACE), ("journey", SLUG, JOURNEY)):
            publish(connection, kind, slug, document=document, source="", file=f"{slug}.yaml", now=START)
        scene = Scene(runtime.vault, get_catalogue(connection), START)
    journey = scene.catalogue.newest[SLUG]
    share = -(-people // MINUTES)
    for minute in range(MINUTES):
        numbers = range(minute * share + 1, min((minute + 1) * share, people) + 1)
        standing = _stand(scene, journey, START + timedelta(minutes=minute), waiting=waiting)
        for some in batches(numbers, _BATCH):
            runtime.vault.prepare(some)
            with runtime.database.transaction() as connection:
                _write(connection, runtime.vault, standing, some, apart=apart)


def _stand(scene: Scene, journey: Journey, entered_at: datetime, *, waiting: bool) -> _Standing:
    """Lead one person to the wait, through the engine."""
    one = Enrolment(0, "", journey.slug, journey.version, 0, "", entered_at, state={"run": 1})
    entries: list[JournalEntry] = []
    timers: dict[TimerKind, datetime] = {}
    names: tuple[str, ...] = ()
    now, until = entered_at, "answer" if waiting else "first"
    wake: Any = Entered("signed_up")
    answers: dict[Question, Any] = {}
    while True:
        moved = advance(journey, one, Facts(Person(0, timezone="UTC"), answers), scene.catalogue.world, wake, now)
        if isinstance(moved, Asked):
            answers |= dict.fromkeys(moved.questions, ())  # whether something has happened: nothing has
            continue
        one = moved.enrolment
        entries += moved.journal
        for effect in moved.effects:
            if isinstance(effect, SetTimer):
                timers[effect.kind] = effect.due_at
            elif isinstance(effect, WaitFor):
                names = tuple(name for _, name in effect.names)
        if moved.is_unfinished:
            wake = Resumed(moved.steps_done)
        elif one.step == until:
            return _Standing(one, entries, timers, names)
        else:
            now, wake = timers[TimerKind.STEP], Due(TimerKind.STEP)


def _write(connection: Connection, vault: Vault, standing: _Standing, numbers: Sequence[int], *, apart: bool) -> None:
    one, at = standing.enrolment, to_micros(START)
    same = _encode(one.state).decode()
    active = EnrolmentStatus.ACTIVE.value
    entered_at, step_at = to_micros(one.entered_at), to_micros(one.step_entered_at or one.entered_at)
    insert_fresh(
        connection,
        profile,
        ("id", "status", "created_at", "updated_at", "timezone", "country", "has_email", "has_phone", "attributes"),
        [(number, ProfileStatus.ACTIVE.value, at, at, "Europe/London", "GB", True, False, "{}") for number in numbers],
    )
    insert_fresh(
        connection,
        enrolment,
        (
            "id",
            "uid",
            "journey",
            "version",
            "profile_id",
            "key",
            "status",
            "position",
            "step",
            "state",
            "sealed_state",
            "entered_at",
            "step_entered_at",
            "journal_seq",
            "entry_event_id",
        ),
        [
            (
                number,
                derived_id(SLUG, number),
                SLUG,
                one.version,
                number,
                "",
                active,
                '["steps",0]',
                one.step,
                _encode({**one.state, "run": number}).decode() if apart else same,
                vault.seal_document(number, SEALED, {"entry": {"source": "site"}, "steps": {}}),
                entered_at,
                step_at,
                one.journal_seq,
                -number,  # of an event that the log no longer has: none that comes is to be taken for it
            )
            for number in numbers
        ],
    )
    written = [(seq, one.kind.value, _encode(one.data).decode()) for seq, one in enumerate(standing.journal, start=1)]
    insert_fresh(
        connection,
        journal,
        ("enrolment_id", "seq", "at", "kind", "data"),
        [(number, seq, entered_at, kind, data) for number in numbers for seq, kind, data in written],
    )
    due = [(kind.value, to_micros(due_at)) for kind, due_at in sorted(standing.timers.items())]
    insert_fresh(
        connection,
        timer,
        ("enrolment_id", "kind", "due_at"),
        [(number, kind, due_at) for number in numbers for kind, due_at in due],
    )
    insert_fresh(
        connection,
        event_wait,
        ("enrolment_id", "item_no", "event_name", "profile_id"),
        [(number, place, name, number) for number in numbers for place, name in enumerate(standing.names, start=1)],
    )
