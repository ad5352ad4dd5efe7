"""A small town with a virtual clock: people, a workspace, journeys from YAML, and the real delivery worker with a
transport that keeps what it is given.

Time jumps from one thing that is due to the next. Instants are written as text, in UTC where no offset stands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from threading import Lock
from typing import Any

from sqlalchemy import Table, func, select, update

from core.clock import ManualClock
from core.definitions import Publication, publish
from core.errors import has_errors
from core.located import load_yaml
from core.runtime import Runtime
from core.schema_check import check_schema
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of, resolve
from customers.log import NewEvent, append_events
from customers.profiles import set_attributes
from customers.suppression import suppress
from customers.tables import IdentityKind, ProfileStatus, profile
from customers.workspace import Workspace, parse_workspace
from delivery.envelope import Composed, Envelope, MessageRow, NotSent
from delivery.facts import Gathered
from delivery.providers.transport import Accepted
from delivery.tables import MessageKind, message
from delivery.worker import DeliveryWorker
from journeys.explaining.telling import explain
from journeys.succession import follow_merges
from journeys.tables import enrolment, entry_refusal, journal, timer
from journeys.tick import TickResult, tick
from segments.refresh import refresh_all

WORKSPACE = """
workspace: shop
timezone: UTC
currency: GBP
topics:
  marketing: {name: Letters, kind: marketing}
  orders: {name: Your orders, kind: transactional}
senders:
  letters: {from: letters@shop.example, channel: email}
  texts: {from: Shop, channel: sms}
attributes:
  first_name: {kind: text, personal: true}
  tier: {kind: text}
  visits: {kind: number}
  deleted: {kind: boolean}
events:
  signed_up: {properties: {source: text}}
  cart_updated: {properties: {cart_id: text, total: number}}
  cart_emptied: {properties: {cart_id: text}}
  profile_completed: {}
  visited: {properties: {page: text}}
"""
MAIL = "---\ntemplate: {name}\nchannel: email\nsubject: Hello\n---\n<mjml><mj-body></mj-body></mjml>\n"
TEXT = "---\ntemplate: {name}\nchannel: sms\n---\nHello\n"


def at(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)


@dataclass
class Sent:
    at: datetime
    person: str
    step: str
    channel: str = "email"


@dataclass
class Recorder:
    """Accepts every message unless `answer` raises, and remembers when."""

    channel: str
    clock: ManualClock
    name: str = "recorder"
    sent: list[tuple[datetime, Envelope]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    answer: Callable[[Envelope], None] | None = None

    def send(self, envelope: Envelope) -> Accepted:
        if self.answer is not None:
            self.answer(envelope)
        with self.lock:
            self.sent.append((self.clock.now(), envelope))
        return Accepted(f"provider-{envelope.message_id}")

    def read_rate(self) -> float | None:
        return None


class Town:
    """The people are called by their names; `people` has their profile ids."""

    def __init__(self, runtime: Runtime, clock: ManualClock, workspace: str = WORKSPACE) -> None:
        self.runtime = runtime
        self.clock = clock
        self.people: dict[str, int] = {}
        self.sent: list[Sent] = []
        self.batch = 500
        self.broken: Callable[[MessageRow], str | None] = lambda _row: None
        self._numbers = count(1)
        self._happenings: list[tuple[datetime, int, Callable[[], None]]] = []
        self.recorders = {channel: Recorder(channel, clock) for channel in ("email", "sms")}
        self._worker = DeliveryWorker(runtime, self.recorders, self._compose, name="town")
        self.publish("workspace", workspace)

    def close(self) -> None:
        self._worker.close()

    # -- files -------------------------------------------------------------------------------------------------------

    def publish(self, kind: str, text: str) -> Publication:
        located, faults = load_yaml(text.encode(), f"{kind}.yaml")
        assert located is not None, faults
        faults += check_schema(located, kind)
        serious = [fault for fault in faults if not str(fault.code).startswith("W106")]
        assert not has_errors(serious), serious
        with self.runtime.database.transaction() as connection:
            return publish(
                connection, kind, located.data[kind], document=located.data, source=text, file=f"{kind}.yaml",
                now=self.clock.now(),
            )  # fmt: skip

    def journey(self, text: str) -> Publication:
        """Publishes a journey that is live (unless it says otherwise), with every template that it names."""
        if "\nstatus:" not in text:
            text = text.rstrip() + "\nstatus: live\n"
        for name in _words_after(text, "email: "):
            self.template(name, MAIL)
        for name in _words_after(text, "sms: "):
            self.template(name, TEXT)
        return self.publish("journey", text)

    def template(self, name: str, text: str) -> None:
        source = text.format(name=name)
        with self.runtime.database.transaction() as connection:
            publish(
                connection, "template", name, document={"text": source}, source=source, file=f"templates/{name}",
                now=self.clock.now(),
            )  # fmt: skip

    def refresh_segments(self) -> None:
        refresh_all(self.runtime, now=self.clock.now())

    # -- people ------------------------------------------------------------------------------------------------------

    def person(self, name: str, *, timezone: str | None = "UTC", email: bool = True, phone: str | None = None,
               consents: Sequence[str] = ("email.marketing", "sms.marketing"), **attributes: Any) -> int:  # fmt: skip
        identifiers = {IdentityKind.EXTERNAL_ID: name}
        if email:
            identifiers[IdentityKind.EMAIL] = f"{name}@people.example"
        if phone:
            identifiers[IdentityKind.PHONE] = phone
        now, vault = self.clock.now(), self.runtime.vault
        with self.runtime.database.transaction() as connection:
            profile_id = resolve(connection, vault, identifiers, now)
            assert profile_id is not None
            connection.execute(update(profile).where(profile.c.id == profile_id).values(timezone=timezone))
            if attributes:
                set_attributes(connection, vault, self.workspace, profile_id, attributes, now)
        self.people[name] = profile_id
        for consent in consents:
            self.consent(name, consent, ConsentStatus.GRANTED)
        return profile_id

    def lookup(self, name: str, channel: str) -> str | None:
        kind = IdentityKind.EMAIL if channel == "email" else IdentityKind.PHONE
        value = f"{name}@people.example" if channel == "email" else "+4915112345678"
        return lookup_of(self.runtime.vault, kind, value)

    def consent(self, name: str, channel_and_topic: str, status: ConsentStatus) -> None:
        channel, topic = channel_and_topic.split(".")
        now = self.clock.now()
        entry = NewConsent(
            self.lookup(name, channel) or "", channel, topic, status, Basis.OPT_IN, "test", now, self.people[name],
            f"consent-{next(self._numbers)}",
        )  # fmt: skip
        with self.runtime.database.transaction() as connection:
            record_consents(connection, [entry], now)

    def suppress(self, name: str, channel: str = "email") -> None:
        with self.runtime.database.transaction() as connection:
            suppress(connection, channel, self.lookup(name, channel) or "", "bounced", "test", self.clock.now())

    def set(self, name: str, **values: Any) -> None:
        with self.runtime.database.transaction() as connection:
            set_attributes(connection, self.runtime.vault, self.workspace, self.people[name], values, self.clock.now())

    def move(self, name: str, timezone: str) -> None:
        """Somebody lives in another zone from now on."""
        with self.runtime.database.transaction() as connection:
            connection.execute(
                update(profile)
                .where(profile.c.id == self.people[name])
                .values(timezone=timezone, updated_at=self.clock.now())
            )

    def erase(self, name: str) -> None:
        """What an erasure leaves of a profile."""
        with self.runtime.database.transaction() as connection:
            connection.execute(
                update(profile)
                .where(profile.c.id == self.people[name])
                .values(status=ProfileStatus.ERASED, attributes={}, sealed_attributes=None, updated_at=self.clock.now())
            )
        self.runtime.vault.destroy(self.people[name])

    @property
    def workspace(self) -> Workspace:
        located, _ = load_yaml(WORKSPACE.encode(), "workspace.yaml")
        assert located is not None
        return parse_workspace(located.data)

    # -- what happens ------------------------------------------------------------------------------------------------

    def log(self, name: str, person: str, *, occurred: str | None = None, key: str | None = None,
            historical: bool = False, **properties: Any) -> None:  # fmt: skip
        """An event becomes known now; it happened at `occurred`, or now."""
        self.log_many([(name, person, properties)], occurred=occurred, key=key, historical=historical)

    def log_many(self, events: Sequence[tuple[str, str, Mapping[str, Any]]], *, occurred: str | None = None,
                 key: str | None = None, historical: bool = False) -> None:  # fmt: skip
        now = self.clock.now()
        new = [
            NewEvent(
                name, at(occurred) if occurred else now, "test", key or f"event-{next(self._numbers)}",
                self.people[person], properties, historical,
            )
            for name, person, properties in events
        ]  # fmt: skip
        with self.runtime.database.transaction() as connection:
            append_events(connection, self.runtime.vault, self.workspace, new, now)

    def click(self, person: str, step: str, *, is_human: bool = True, name: str = "link_clicked") -> None:
        """Somebody (or some machine) clicks in the message that a step has sent."""
        with self.runtime.database.read() as connection:
            row = connection.execute(
                select(message).where(message.c.profile_id == self.people[person], message.c.step == step)
            ).one()
        self.log(
            name, person, message_id=row.id, origin_kind=row.origin_kind, origin=row.origin, origin_id=row.origin_id,
            step=row.step, link_tag="shoes", is_human=is_human,
        )  # fmt: skip

    def plan(self, instant: str, act: Callable[[], None]) -> None:
        """Have `act` done at `instant`, when time comes to it."""
        self._happenings.append((at(instant), next(self._numbers), act))

    # -- time --------------------------------------------------------------------------------------------------------

    def work(self) -> TickResult:
        """Everything that is due now, until nothing is."""
        total = TickResult()
        for _ in range(100):
            follow_merges(self.runtime, self.clock.now())
            done = tick(self.runtime, self.clock.now(), batch=self.batch)
            total += done
            delivered = self._worker.deliver(self.clock.now())
            if done.is_idle and not delivered.claimed:
                return total
        raise AssertionError("there is always something due")

    def tick_alone(self) -> TickResult:
        """Journeys alone: nothing follows a merge, and nothing is sent."""
        return tick(self.runtime, self.clock.now(), batch=self.batch)

    def deliver_alone(self) -> None:
        """Delivery alone, before any journey has looked."""
        self._worker.deliver(self.clock.now())

    def run_until(self, instant: str) -> None:
        """Let time pass, jumping from one due thing to the next."""
        end = at(instant)
        self.work()
        while (following := self._next(end)) is not None:
            self.clock.move_to(following)
            for planned in sorted(one for one in self._happenings if one[0] <= following):
                self._happenings.remove(planned)
                planned[2]()
            self.work()
        self.clock.move_to(end)

    def _next(self, end: datetime) -> datetime | None:
        now = self.clock.now()
        with self.runtime.database.read() as connection:
            due = [
                connection.execute(select(func.min(timer.c.due_at)).where(timer.c.due_at > now)).scalar(),
                connection.execute(
                    select(func.min(message.c.due_at)).where(message.c.due_at > now, message.c.status == "due")
                ).scalar(),
            ]
        instants = [one for one in [*due, *(planned[0] for planned in self._happenings)] if one is not None]
        return min((one for one in instants if one <= end), default=None)

    def _compose(self, rows: Sequence[MessageRow], gathered: Mapping[str, Gathered]) -> list[Composed]:
        composed: list[Composed] = []
        names = {number: name for name, number in self.people.items()}
        for row in rows:
            reason = self.broken(row)
            if reason:
                composed.append(NotSent(row.id, reason))
                continue
            address = gathered[row.id].address
            assert address is not None
            self.sent.append(Sent(self.clock.now(), names[row.profile_id], row.step, row.channel))
            composed.append(
                Envelope(
                    row.id, row.channel, MessageKind(row.kind), address.value, address.lookup, "shop@shop.example", "."
                )
            )
        return composed

    # -- looking -----------------------------------------------------------------------------------------------------

    def sends(self, person: str | None = None) -> list[tuple[str, str]]:
        """(instant, step) of everything that was sent."""
        return [(f"{one.at:%Y-%m-%dT%H:%M}", one.step) for one in self.sent if person is None or one.person == person]

    def runs(self, person: str | None = None) -> list[tuple[str, str | None]]:
        """(status, end reason) of every enrolment, oldest first."""
        return [(row.status, row.end_reason) for row in self._rows(enrolment, person, "entered_at", "journal_seq")]

    def enrolments(self, person: str | None = None) -> list[Any]:
        return self._rows(enrolment, person, "entered_at")

    def refusals(self, person: str | None = None) -> list[str]:
        return [row.reason for row in self._rows(entry_refusal, person, "id")]

    def kinds(self, person: str) -> list[str]:
        """The kinds of the journal's entries."""
        return [row.kind for row in self.entries(person)]

    def entries(self, person: str) -> list[Any]:
        query = (
            select(journal, enrolment.c.profile_id)
            .join(enrolment, enrolment.c.id == journal.c.enrolment_id)
            .where(enrolment.c.profile_id == self.people[person])
            .order_by(enrolment.c.entered_at, journal.c.enrolment_id, journal.c.seq)
        )
        with self.runtime.database.read() as connection:
            return list(connection.execute(query))

    def due(self, person: str, kind: str = "step") -> str | None:
        query = select(timer.c.due_at).join(enrolment, enrolment.c.id == timer.c.enrolment_id)
        query = query.where(enrolment.c.profile_id == self.people[person], timer.c.kind == kind)
        with self.runtime.database.read() as connection:
            due_at = connection.execute(query).scalar()
        return f"{due_at:%Y-%m-%dT%H:%M}" if due_at else None

    def messages(self, person: str) -> list[Any]:
        return self._rows(message, person, "created_at")

    def story(self, person: str, journey: str) -> list[str]:
        """What `explain` says, with instants in UTC."""
        with self.runtime.database.read() as connection:
            _story, lines = explain(connection, self.workspace, self.people[person], journey)
        return [f"{line.at:%Y-%m-%d %H:%M:%S} {line.text}" for line in lines if not line.is_detail]

    def _rows(self, table: Table, person: str | None, *order: str) -> list[Any]:
        query = select(table).order_by(*(table.c[name] for name in order))
        if person is not None:
            query = query.where(table.c.profile_id == self.people[person])
        with self.runtime.database.read() as connection:
            return list(connection.execute(query))


def _words_after(text: str, word: str) -> list[str]:
    found = []
    for piece in text.split(word)[1:]:
        name = piece.split("\n")[0].split(",")[0].split("}")[0].strip()
        if name.isidentifier():
            found.append(name)
    return found
