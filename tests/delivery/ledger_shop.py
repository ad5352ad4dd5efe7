"""People, messages and a transport for the tests of the send ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import Connection, select

from core.runtime import Runtime
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of, resolve
from customers.tables import IdentityKind, customer_event
from delivery.envelope import Composed, Envelope, MessageRow
from delivery.facts import Gathered
from delivery.outbox import NewMessage, enqueue
from delivery.providers.transport import Accepted
from delivery.tables import MessageKind, OriginKind, delivery_attempt, message
from delivery.worker import DeliveryResult, DeliveryWorker

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

WORKSPACE: dict[str, Any] = {
    "workspace": "shop",
    "timezone": "Europe/London",
    "currency": "GBP",
    "topics": {"marketing": {"kind": "marketing"}, "orders": {"kind": "transactional"}},
    "senders": {
        "letters": {"from": "Shop <letters@shop.example>", "channel": "email"},
        "other": {"from": "Other <other@shop.example>", "channel": "email"},
        "texts": {"from": "Shop", "channel": "sms"},
    },
}


def add_person(
    runtime: Runtime, name: str, *, consent: ConsentStatus | None = ConsentStatus.GRANTED, phone: str | None = None
) -> int:
    """Somebody with an address (or the number `phone`), and what they said about marketing."""
    channel, kind, value = "email", IdentityKind.EMAIL, f"{name}@people.example"
    if phone is not None:
        channel, kind, value = "sms", IdentityKind.PHONE, phone
    with runtime.database.transaction() as connection:
        number = resolve(connection, runtime.vault, {kind: value}, NOW)
        assert number is not None
        if consent is not None:
            basis = Basis.OPT_IN if consent is ConsentStatus.GRANTED else None
            lookup = lookup_of(runtime.vault, kind, value)
            entry = NewConsent(
                lookup, channel, "marketing", consent, basis, "test", NOW - MINUTE, number, f"{channel}:{name}"
            )
            record_consents(connection, [entry], NOW)
    return number


def queue(runtime: Runtime, profile_id: int, name: str = "m1", **changes: Any) -> str:
    """One message that is due now; answers its id."""
    values: dict[str, Any] = {
        "id": name,
        "profile_id": profile_id,
        "channel": "email",
        "topic": "marketing",
        "template": "letter",
        "origin_kind": OriginKind.CAMPAIGN,
        "origin": "summer",
        "origin_id": "launch-1",
        "due_at": NOW,
        **changes,
    }
    with runtime.database.transaction() as connection:
        enqueue(connection, runtime.vault, [NewMessage(**values)], NOW)
    return name


@dataclass
class ScriptedTransport:
    """Accepts, unless `answer` raises; keeps what it was given."""

    channel: str = "email"
    name: str = "scripted"
    answer: Callable[[Envelope], None] | None = None
    rate: float | None = None
    sent: list[Envelope] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def send(self, envelope: Envelope) -> Accepted:
        with self.lock:
            self.sent.append(envelope)
        if self.answer is not None:
            self.answer(envelope)
        return Accepted(f"provider-{envelope.message_id}")

    def read_rate(self) -> float | None:
        return self.rate


def compose(rows: Sequence[MessageRow], gathered: Mapping[str, Gathered]) -> list[Composed]:
    """A plain envelope for each message."""
    composed: list[Composed] = []
    for row in rows:
        address = gathered[row.id].address
        assert address is not None
        composed.append(
            Envelope(
                row.id,
                row.channel,
                MessageKind(row.kind),
                address.value,
                address.lookup,
                "Shop <letters@shop.example>" if row.channel == "email" else "Shop",
                "Hello",
                subject="Hello",
                html="<p>Hello</p>",
                tags={"mid": row.id},
                links={"7": "https://shop.example/mine"},
                template_hash="hash",
            )
        )
    return composed


def deliver(
    runtime: Runtime, *transports: ScriptedTransport, now: datetime = NOW, composer: Any = compose, name: str = "w1"
) -> DeliveryResult:
    """One round of a new worker."""
    by_channel = {transport.channel: transport for transport in transports}
    worker = DeliveryWorker(runtime, by_channel, composer, name=name)
    try:
        return worker.deliver(now)
    finally:
        worker.close()


def row_of(runtime: Runtime, message_id: str = "m1") -> Any:
    with runtime.database.read() as connection:
        return connection.execute(select(message).where(message.c.id == message_id)).one()


def attempts_of(runtime: Runtime, message_id: str = "m1") -> list[str | None]:
    with runtime.database.read() as connection:
        query = select(delivery_attempt.c.outcome).where(delivery_attempt.c.message_id == message_id)
        return list(connection.execute(query.order_by(delivery_attempt.c.attempt_no)).scalars())


def events_of(runtime: Runtime) -> list[tuple[str, dict[str, Any]]]:
    """The log as (name, properties)."""
    with runtime.database.read() as connection:
        return _events(connection)


def _events(connection: Connection) -> list[tuple[str, dict[str, Any]]]:
    query = select(customer_event.c.name, customer_event.c.properties).order_by(customer_event.c.id)
    return list(connection.execute(query).tuples().all())
