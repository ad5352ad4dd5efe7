"""A marked copy for whoever made the template: sent for real, and in nobody's history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from campaigns.trial import send_copy
from core.errors import ConflictError, InputError
from core.runtime import Runtime
from customers.identities import lookup_of
from customers.suppression import find_suppressed, suppress
from customers.tables import IdentityKind, customer_event, profile
from customers.workspace import get_workspace
from delivery.callbacks.ses_events import ProviderReport
from delivery.envelope import Envelope
from delivery.facts import gather_facts
from delivery.feedback import record_report
from delivery.ledger import claim_due, settle_stuck
from delivery.pauses import pause
from delivery.providers.transport import Accepted, Reaction, Transport, TransportError
from delivery.status import ReportKind
from delivery.tables import MessageKind, MessageStatus, OriginKind, message
from tests.campaigns.shop import NOW, open_shop

ME = "me@studio.example"


@dataclass
class Provider:
    error: TransportError | None = None
    name: str = "scripted"
    channel: str = "email"
    sent: list[Envelope] = field(default_factory=list)

    def send(self, envelope: Envelope) -> Accepted:
        self.sent.append(envelope)
        if self.error is not None:
            raise self.error
        return Accepted("p1")

    def read_rate(self) -> float | None:
        return None

    @property
    def transports(self) -> Mapping[str, Transport]:
        return {self.channel: self}


def test_a_marked_copy_goes_to_the_address_when_somebody_asks_for_it(runtime: Runtime) -> None:
    someone = open_shop(runtime)[0]
    provider = Provider()
    copy = send_copy(runtime, provider.transports, "letter", someone, ME.upper())
    (envelope,) = provider.sent
    assert (envelope.recipient, envelope.subject) == (ME, "[Test] Picked for you, Person00")
    assert "https://shop.example/new" in envelope.html
    assert "/c/" not in envelope.html
    assert "List-Unsubscribe" not in envelope.headers
    with runtime.database.read() as connection:
        row = connection.execute(select(message)).one()
        assert (row.id, row.kind, row.origin_kind, row.status) == (
            copy.message_id,
            MessageKind.TRANSACTIONAL,
            OriginKind.TEST,
            MessageStatus.SENT,
        )
        gathered = gather_facts(connection, runtime.vault, get_workspace(connection), [row], NOW)
        address = gathered[row.id].address
        assert address is not None
        assert address.value == ME
        assert ME.encode() not in row.context
        assert connection.scalar(select(func.count()).select_from(profile)) == 6


def test_nothing_of_it_is_counted_when_its_reports_come_back(runtime: Runtime) -> None:
    someone = open_shop(runtime)[0]
    with runtime.database.read() as connection:
        before = connection.scalar(select(func.count()).select_from(customer_event))
    copy = send_copy(runtime, Provider().transports, "letter", someone, ME)
    with runtime.database.transaction() as connection:
        report = ProviderReport(ReportKind.BOUNCED, copy.message_id, "p1", NOW, "General")
        assert record_report(connection, runtime.vault, report, key="k", document="{}", received_at=NOW)
        assert connection.scalar(select(func.count()).select_from(customer_event)) == before
        assert find_suppressed(connection, "email", [lookup_of(runtime.vault, IdentityKind.EMAIL, ME)])


def test_never_sent_again_when_the_process_dies_in_the_middle(runtime: Runtime) -> None:
    someone = open_shop(runtime)[0]
    provider = Provider(TransportError(Reaction.UNKNOWN, "ReadTimeoutError"))
    with pytest.raises(ConflictError, match="may or may not have"):
        send_copy(runtime, provider.transports, "letter", someone, ME)
    with runtime.database.transaction() as connection:
        connection.execute(message.update().values(status=MessageStatus.SENDING, ended_at=None))
        (row,) = settle_stuck(connection, NOW + timedelta(hours=1))
        assert row.status == MessageStatus.UNKNOWN
        assert claim_due(connection, worker="w", limit=10, now=NOW + timedelta(days=1), paused={}) == []


def test_failed_with_the_cause_when_the_provider_refuses_it(runtime: Runtime) -> None:
    someone = open_shop(runtime)[0]
    provider = Provider(TransportError(Reaction.PAUSE_CHANNEL, "SendingPausedException"))
    with pytest.raises(ConflictError, match="has not taken the test: it answered SendingPaused"):
        send_copy(runtime, provider.transports, "letter", someone, ME)
    with runtime.database.read() as connection:
        assert connection.execute(select(message.c.status)).scalars().all() == [MessageStatus.FAILED]


def test_refused_when_the_address_is_suppressed_or_sending_is_paused(runtime: Runtime) -> None:
    someone = open_shop(runtime)[0]
    provider = Provider()
    with pytest.raises(InputError, match="not an e-mail address"):
        send_copy(runtime, provider.transports, "letter", someone, "nobody")
    with runtime.database.transaction() as connection:
        suppress(connection, "email", lookup_of(runtime.vault, IdentityKind.EMAIL, ME), "bounced", "test", NOW)
    with pytest.raises(ConflictError, match="suppressed"):
        send_copy(runtime, provider.transports, "letter", someone, ME)
    with runtime.database.transaction() as connection:
        pause(connection, "channel:email", "the provider answered X", NOW)
    with pytest.raises(ConflictError, match="channel:email is paused"):
        send_copy(runtime, provider.transports, "letter", someone, "other@studio.example")
    assert provider.sent == []
