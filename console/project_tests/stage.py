"""Where a test is played: a database of its own, the people, the project as it would be applied, a clock that jumps.

The engine, the delivery worker and the templates are the real ones; only the last step, the call to a provider, is
written down instead of made. Nothing of it is left when the test is over.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update

from campaigns.compose import Composer
from console.consents import Statement, state_consent
from console.project import Project
from console.project_tests.case import Case, Someone
from console.project_tests.chance import iter_arms, without_learning
from console.project_tests.goods import stock_up
from console.publish import publish_project
from core.clock import ManualClock
from core.database import Database, insert_ignore
from core.definitions import publish
from core.key_store import open_key_store
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault
from core.zones import find_zone
from customers.consent import Basis, ConsentStatus
from customers.identities import resolve
from customers.lists import add_to_list
from customers.profiles import set_attributes
from customers.tables import IdentityKind, profile
from customers.workspace import Workspace, get_workspace
from delivery.envelope import Envelope
from delivery.providers.registry import TRANSPORTS
from delivery.providers.transport import Accepted
from delivery.tables import MessageStatus, message
from delivery.worker import DeliveryWorker
from journeys.catalogue import get_catalogue
from journeys.definition import parse_journey
from journeys.entries.kinds import DateEntry, ScheduleEntry
from journeys.entries.slots import next_due
from journeys.steps.contract import NameKind
from journeys.tables import assignment, timer
from journeys.tick import tick
from segments.refresh import refresh_all

_BEFORE = timedelta(minutes=1)  # people are there before the journeys are
_DAY = timedelta(days=1)
_ROUNDS = 1_000


@dataclass
class Recorder:
    """Accepts every message of one route, and remembers when it came."""

    channel: str
    clock: ManualClock
    name: str = "recorder"
    sent: dict[str, datetime] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def send(self, envelope: Envelope) -> Accepted:
        with self.lock:
            self.sent[envelope.message_id] = self.clock.now()
        return Accepted(f"recorded-{envelope.message_id}")

    def read_rate(self) -> float | None:
        return None


@contextmanager
def open_stage(case: Case, project: Project, template: Path, folder: Path) -> Iterator[Stage]:
    """The stage for one test; `template` is a database of our schema with no row, `folder` where the copy may lie."""
    file = folder / f"{case.slug}.db"
    shutil.copyfile(template, file)
    clock = ManualClock(case.start - _BEFORE)
    settings = Settings(project=str(project.folder), workers="1")
    with (
        closing(Database(f"sqlite:///{file}")) as database,
        closing(open_key_store(f"sqlite:///{folder}/{case.slug}-keys.db")) as keys,
    ):
        vault = Vault(WorkspaceKey((bytes(32),)), keys)
        vault.create_store()
        with closing(Stage(case, project, Runtime(settings, database, vault, clock), clock)) as stage:
            stage.set_up()
            yield stage


class Stage:
    """`people` are the profile ids by name, `sent` the instants by message id."""

    def __init__(self, case: Case, project: Project, runtime: Runtime, clock: ManualClock) -> None:
        self.case, self.project, self.runtime, self.clock = case, project, runtime, clock
        self.people: dict[str, int] = {}
        routes = [entry.channel for entry in TRANSPORTS.values()]
        routes += [f"{entry.channel}:{name}" for name, entry in TRANSPORTS.items()]
        self._recorders = {route: Recorder(route.partition(":")[0], clock) for route in routes}
        self._followed = sorted(_followed(case, project))
        self._worker = DeliveryWorker(runtime, self._recorders, Composer(runtime).compose, name="test")

    def close(self) -> None:
        self._worker.close()

    @property
    def sent(self) -> Mapping[str, datetime]:
        return {number: at for recorder in self._recorders.values() for number, at in recorder.sent.items()}

    @property
    def workspace(self) -> Workspace:
        with self.runtime.database.read() as connection:
            return get_workspace(connection)

    # -- before it begins --------------------------------------------------------------------------------------------

    def set_up(self) -> None:
        """Publish the project, bring the people in, and let the journeys begin at the start of the test."""
        self._publish_all_but_journeys()
        for someone in self.case.people.values():
            self._add(someone)
        self._refresh()
        tick(self.runtime, self.clock.now())
        self.clock.move_to(self.case.start)
        self._publish_journeys()

    def _publish_all_but_journeys(self) -> None:
        stated, now = self.case.stated_segments, self.clock.now()
        files = [file for file in self.project.files if file.kind != "journey"]
        files = [file for file in files if file.kind != "segment" or file.slug not in stated]
        assert self.project.workspace is not None
        # Whom chance holds out of everything is no matter of one journey's test.
        shop = {key: value for key, value in self.project.workspace.document.items() if key != "global_holdout"}
        with self.runtime.database.transaction() as connection:
            publish_project(connection, replace(self.project, files=tuple(files)), now)
            documents: list[tuple[str, str, Any]] = [("workspace", shop["workspace"], shop)]
            for slug in sorted(stated):
                documents.append(("list", list_of(slug), {"list": list_of(slug), "name": slug}))
                documents.append(("segment", slug, {"segment": slug, "who": [{"list": list_of(slug)}]}))
            for kind, slug, document in documents:
                publish(connection, kind, slug, document=document, source="", file=self.case.file, now=now)
            stock_up(connection, get_workspace(connection).currency, now)

    def _publish_journeys(self) -> None:
        """Live, whatever their files say: drafts are what one tests most."""
        with self.runtime.database.transaction() as connection:
            for file in self.project.of_kind("journey"):
                if self.case.journey in (None, file.slug):
                    document = {**without_learning(file.document), "status": "live"}
                    publish(
                        connection, "journey", file.slug, document=document, source=file.source, file=file.file,
                        now=self.clock.now(),
                    )  # fmt: skip
            journeys = get_catalogue(connection).newest
            for someone in self.case.people.values():
                rows = [row for journey in journeys.values() for row in iter_arms(journey, someone)]
                owner = {"profile_id": self.people[someone.name]}
                insert_ignore(connection, assignment, [row | owner for row in rows])

    def _add(self, someone: Someone) -> None:
        identifiers = {IdentityKind.EXTERNAL_ID: someone.external_id}
        if someone.email:
            identifiers[IdentityKind.EMAIL] = someone.email
        if someone.phone:
            identifiers[IdentityKind.PHONE] = someone.phone
        now, vault, workspace = self.clock.now(), self.runtime.vault, self.workspace
        with self.runtime.database.transaction() as connection:
            profile_id = resolve(connection, vault, identifiers, now)
            assert profile_id is not None
            self.people[someone.name] = profile_id
            zone = someone.zone.key if someone.has_own_zone else None
            connection.execute(update(profile).where(profile.c.id == profile_id).values(timezone=zone))
            if someone.attributes:
                set_attributes(connection, vault, workspace, profile_id, someone.attributes, now)
            for name in (*someone.lists, *map(list_of, someone.segments)):
                add_to_list(connection, name, [profile_id], now)
        for consent, status in someone.consents.items():
            self.consent(someone.name, consent, status)

    def consent(self, name: str, channel_and_topic: str, status: str) -> None:
        """Record what somebody allows, as an operator would; without an address of that channel it says nothing."""
        someone, now = self.case.people[name], self.clock.now()
        channel, _, topic = channel_and_topic.partition(".")
        address = someone.email if channel == "email" else someone.phone
        if address is None:
            return
        granted = status == "granted"
        answer = ConsentStatus.GRANTED if granted else ConsentStatus.WITHDRAWN
        statement = Statement(channel, topic, answer, "test", now, basis=Basis.OPT_IN if granted else None)
        with self.runtime.database.transaction() as connection:
            state_consent(connection, self.runtime, self.workspace, address, statement)

    # -- time --------------------------------------------------------------------------------------------------------

    def work(self) -> None:
        """Everything that is due now, until nothing is."""
        self._refresh()
        for _ in range(_ROUNDS):
            done = tick(self.runtime, self.clock.now())
            delivered = self._worker.deliver(self.clock.now())
            if done.is_idle and not delivered.claimed:
                return

    def _refresh(self) -> None:
        """Bring those segments up to date by which somebody may enter a journey or reach its goal."""
        if self._followed:
            refresh_all(self.runtime, only=self._followed, now=self.clock.now())

    def pass_time_until(self, end: datetime) -> None:
        """Let time pass from one thing that is due to the next, at most a day at once, up to `end` itself."""
        while (following := min(self._next_due(end), self.clock.now() + _DAY)) < end:
            self.clock.move_to(following)
            self.work()
        self.clock.move_to(end)

    def _next_due(self, end: datetime) -> datetime:
        now = self.clock.now()
        timers = select(func.min(timer.c.due_at)).where(timer.c.due_at > now)
        messages = select(func.min(message.c.due_at)).where(
            message.c.due_at > now, message.c.status == MessageStatus.DUE.value
        )
        with self.runtime.database.read() as connection:
            due = [connection.execute(query).scalar() for query in (timers, messages)]
            catalogue = get_catalogue(connection)
        for journey in catalogue.newest.values():
            zone = find_zone(journey.timezone or "") or ZoneInfo(catalogue.world.workspace.timezone)
            doors = (entry for entry in journey.entries if isinstance(entry, ScheduleEntry | DateEntry))
            due += [next_due(entry, zone, now) for entry in doors]
        return min((instant for instant in due if instant is not None), default=end)


def _followed(case: Case, project: Project) -> set[str]:
    """The segments whose comings and goings are events for the journeys that run."""
    followed: set[str] = set()
    for file in project.of_kind("journey"):
        journey, _ = parse_journey(file.located, file.file)
        if journey is not None and case.journey in (None, file.slug):
            followed |= {mention.name for mention in journey.mentions if mention.kind is NameKind.SEGMENT}
    return followed & project.slugs("segment")


def list_of(segment: str) -> str:
    """The list that stands in place of a segment's rule."""
    return f"in_{segment}_as_the_test_says"
