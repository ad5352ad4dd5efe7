"""Provider reports: recorded once, in any order, and acted upon at once."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, update

from core.errors import InputError, NotFoundError
from core.runtime import Runtime
from customers.suppression import find_suppressed
from delivery.callbacks.events import read_event
from delivery.callbacks.ses_events import ProviderReport
from delivery.feedback import open_document, record_report
from delivery.providers.transport import Reaction, TransportError
from delivery.status import ReportKind
from delivery.tables import MessageKind, MessageStatus, delivery_event
from tests.delivery.ledger_shop import MINUTE, NOW, ScriptedTransport, add_person, deliver, events_of, queue, row_of

LATER = NOW + timedelta(hours=1)


def ses_event(word: str, *, mid: str | None = "m1", provider_id: str = "provider-m1", **detail: Any) -> str:
    """The JSON that SES publishes; details are the members of the part that is named like the event."""
    part = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}.get(word, word.lower())
    mail: dict[str, Any] = {"messageId": provider_id, "timestamp": "2026-06-10T08:00:00.000Z"}
    if mid is not None:
        mail["tags"] = {"mid": [mid]}
    body = {"timestamp": "2026-06-10T08:05:00.000Z", **detail}
    return msgspec.json.encode({"eventType": word, "mail": mail, part: body}).decode()


BOUNCE = ses_event("Bounce", bounceType="Permanent", bounceSubType="General")


def take(runtime: Runtime, text: str, key: str) -> bool:
    report = read_event(text, LATER)
    assert isinstance(report, ProviderReport)
    with runtime.database.transaction() as connection:
        return record_report(connection, runtime.vault, report, key=key, document=text, received_at=LATER)


def sent_message(runtime: Runtime) -> int:
    alice = add_person(runtime, "alice")
    queue(runtime, alice)
    deliver(runtime, ScriptedTransport())
    return alice


def unknown_message(runtime: Runtime, **changes: Any) -> None:
    def lose(_envelope: object) -> None:
        raise TransportError(Reaction.UNKNOWN, "ReadTimeoutError")

    queue(runtime, add_person(runtime, "alice"), **changes)
    deliver(runtime, ScriptedTransport(answer=lose))


@pytest.mark.parametrize(
    ("word", "detail", "kind", "sub_kind"),
    [
        ("Send", {}, ReportKind.SENT, None),
        ("Delivery", {}, ReportKind.DELIVERED, None),
        ("Bounce", {"bounceType": "Permanent", "bounceSubType": "General"}, ReportKind.BOUNCED, "Permanent/General"),
        ("Bounce", {"bounceType": "Transient", "bounceSubType": "Full"}, ReportKind.SOFT_BOUNCED, "Transient/Full"),
        ("Complaint", {"complaintFeedbackType": "abuse"}, ReportKind.COMPLAINED, "abuse"),
        ("Reject", {}, ReportKind.REJECTED, None),
        ("Rendering Failure", {}, ReportKind.RENDER_FAILED, None),
        ("DeliveryDelay", {}, ReportKind.DELAYED, None),
        ("Open", {}, ReportKind.OPENED, None),
        ("Click", {}, ReportKind.CLICKED, None),
        ("Subscription", {}, ReportKind.UNSUBSCRIBED, None),
        ("Something New", {}, ReportKind.UNKNOWN, None),
    ],
)  # fmt: skip
def test_every_event_of_ses_has_our_word_when_it_is_read(
    word: str, detail: dict[str, str], kind: ReportKind, sub_kind: str | None
) -> None:
    report = read_event(ses_event(word, **detail), LATER)
    assert isinstance(report, ProviderReport)
    assert (report.kind, report.sub_kind, report.message_id, report.provider_id) == (
        kind,
        sub_kind,
        "m1",
        "provider-m1",
    )
    if kind is not ReportKind.UNKNOWN:
        assert report.occurred_at == NOW + 5 * MINUTE


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"eventType": "Send"}', '{"mail": {"messageId": "x"}}', "not json"])
def test_a_document_is_refused_when_it_is_no_event(text: str) -> None:
    with pytest.raises(InputError):
        read_event(text, LATER)


def test_an_instant_is_never_later_than_its_arrival_when_clocks_differ() -> None:
    text = ses_event("Delivery", timestamp="2031-01-01T00:00:00Z")
    report = read_event(text, LATER)
    assert isinstance(report, ProviderReport)
    assert report.occurred_at == LATER


def test_a_hard_bounce_stops_the_address_also_for_messages_in_the_queue(runtime: Runtime) -> None:
    alice = sent_message(runtime)
    queue(runtime, alice, "m2")
    assert take(runtime, BOUNCE, "sns:1")

    row = row_of(runtime)
    assert (row.status, row.bounced_at) == (MessageStatus.SENT, NOW + 5 * MINUTE)
    with runtime.database.read() as connection:
        assert find_suppressed(connection, "email", [row.lookup]) == {row.lookup: "bounced"}
    assert dict(deliver(runtime, ScriptedTransport(), now=LATER).counts) == {"suppressed": 1}
    assert [name for name, _ in events_of(runtime)] == ["message_sent", "message_bounced", "message_skipped"]


def test_nothing_is_stopped_when_the_bounce_was_transient(runtime: Runtime) -> None:
    sent_message(runtime)
    take(runtime, ses_event("Bounce", bounceType="Transient", bounceSubType="General"), "sns:1")
    row = row_of(runtime)
    with runtime.database.read() as connection:
        assert find_suppressed(connection, "email", [row.lookup]) == {}
    assert row.bounced_at is None


def test_a_report_counts_once_when_it_arrives_twice(runtime: Runtime) -> None:
    sent_message(runtime)
    assert take(runtime, ses_event("Delivery"), "sns:1")
    assert not take(runtime, ses_event("Delivery"), "sns:1")
    assert take(runtime, ses_event("Delivery"), "sns:2")  # another notification about the same thing
    assert [name for name, _ in events_of(runtime)] == ["message_sent", "message_delivered"]
    with runtime.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(delivery_event)).scalar_one() == 2


@pytest.mark.parametrize("order", list(permutations(["Send", "Delivery", "Complaint"])))
def test_the_row_is_the_same_when_reports_come_in_another_order(runtime: Runtime, order: tuple[str, ...]) -> None:
    sent_message(runtime)
    for word in order:
        take(runtime, ses_event(word), f"sns:{word}")
    row = row_of(runtime)
    at = NOW + 5 * MINUTE
    assert (row.status, row.sent_at, row.delivered_at, row.complained_at) == (MessageStatus.SENT, NOW, at, at)


def test_an_unknown_message_is_sent_when_any_report_proves_it(runtime: Runtime) -> None:
    unknown_message(runtime)
    assert row_of(runtime).status == MessageStatus.UNKNOWN
    take(runtime, ses_event("Delivery"), "sns:1")
    row = row_of(runtime)
    assert (row.status, row.sent_at, row.delivered_at) == (MessageStatus.SENT, NOW + 5 * MINUTE, NOW + 5 * MINUTE)
    assert [name for name, _ in events_of(runtime)] == ["message_unknown", "message_delivered", "message_sent"]


def test_a_transactional_message_is_not_sent_twice_when_its_first_call_is_proven(runtime: Runtime) -> None:
    unknown_message(runtime, kind=MessageKind.TRANSACTIONAL, topic="orders")
    assert row_of(runtime).status == MessageStatus.DUE  # it waits to be sent once more
    take(runtime, ses_event("Send"), "sns:1")
    assert row_of(runtime).status == MessageStatus.SENT
    assert deliver(runtime, ScriptedTransport(), now=LATER).claimed == 0


def test_a_sent_message_has_failed_when_the_provider_rejects_it_afterwards(runtime: Runtime) -> None:
    sent_message(runtime)
    take(runtime, ses_event("Reject"), "sns:1")
    assert row_of(runtime).status == MessageStatus.FAILED
    assert [name for name, _ in events_of(runtime)] == ["message_sent", "message_failed"]


def test_the_row_is_found_by_the_provider_s_id_when_no_tag_came_back(runtime: Runtime) -> None:
    sent_message(runtime)
    take(runtime, ses_event("Complaint", mid=None), "sns:1")
    assert row_of(runtime).complained_at is not None


def test_a_report_is_kept_when_its_message_is_not_ours(runtime: Runtime) -> None:
    assert take(runtime, ses_event("Delivery", mid="other", provider_id="other"), "sns:1")
    with runtime.database.read() as connection:
        row = connection.execute(select(delivery_event)).one()
    assert (row.message_id, row.kind) == ("other", "delivered")
    assert b"provider" not in row.sealed_document
    assert events_of(runtime) == []


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("TEXT_DELIVERED", ReportKind.DELIVERED),
        ("TEXT_INVALID", ReportKind.BOUNCED),
        ("TEXT_NOVEL", ReportKind.UNKNOWN),
    ],
)
def test_event_of_a_text_message_has_our_word_and_our_id_when_it_is_read(word: str, kind: ReportKind) -> None:
    event = {"eventType": word, "messageId": "sms-1", "eventTimestamp": 1_781_078_400_000, "context": {"mid": "ours"}}
    report = read_event(msgspec.json.encode(event).decode(), LATER)
    assert isinstance(report, ProviderReport)
    assert (report.kind, report.message_id, report.provider_id) == (kind, "ours", "sms-1")


@pytest.mark.parametrize(
    "text", ['{"eventType": "TEXT_SENT"}', '{"eventType": "TEXT_SENT", "messageId": "x", "context": 7}']
)
def test_event_of_a_text_message_is_refused_when_it_names_no_message(text: str) -> None:
    with pytest.raises(InputError, match="no SMS event"):
        read_event(text, LATER)


def test_the_provider_s_words_go_with_the_person_when_she_is_erased(runtime: Runtime) -> None:
    alice = sent_message(runtime)
    take(runtime, BOUNCE, "sns:1")
    assert read_document(runtime) == BOUNCE
    runtime.vault.destroy(alice)
    with pytest.raises(NotFoundError, match="erased"):
        read_document(runtime)
    take(runtime, ses_event("Delivery"), "sns:2")
    assert not runtime.vault.has_key(alice)  # a late report makes her no new one


def test_the_provider_s_words_end_with_the_day_when_nobody_knows_the_message(runtime: Runtime) -> None:
    text = ses_event("Delivery", mid="other", provider_id="other")
    take(runtime, text, "sns:1")
    assert read_document(runtime) == text
    assert runtime.vault.destroy_day_keys(LATER.date()) == 0
    assert runtime.vault.destroy_day_keys(LATER.date() + timedelta(days=1)) == 1
    with pytest.raises(NotFoundError, match="key of the day"):
        read_document(runtime)


def test_a_report_from_before_is_read_when_it_was_sealed_for_the_workspace(runtime: Runtime) -> None:
    sent_message(runtime)
    take(runtime, BOUNCE, "sns:1")
    old_form = runtime.vault.seal_for_workspace("provider_document", BOUNCE)[1:]  # it had no format byte
    with runtime.database.transaction() as connection:
        connection.execute(update(delivery_event).values(sealed_document=old_form))
    assert read_document(runtime) == BOUNCE


def read_document(runtime: Runtime) -> str | None:
    """What the provider wrote in its first report."""
    with runtime.database.read() as connection:
        number = connection.execute(select(func.min(delivery_event.c.id))).scalar_one()
        return open_document(connection, runtime.vault, number)
