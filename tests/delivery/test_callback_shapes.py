"""The same event, however it is wrapped; and what is no report about a message of ours."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from core.errors import InputError
from core.runtime import Runtime
from customers.consent import ConsentStatus, consent_of
from delivery.callbacks.events import read_event
from delivery.callbacks.inbound_mails import InboundMail
from delivery.callbacks.inbound_texts import InboundText, Word, read_word
from delivery.callbacks.notifications import open_notification
from delivery.callbacks.ses_events import ProviderReport
from delivery.status import ReportKind
from delivery.tables import delivery_event
from tests.delivery.ledger_shop import NOW, row_of
from tests.delivery.test_feedback import BOUNCE, LATER, sent_message, ses_event, take


def encoded(document: Any) -> str:
    return msgspec.json.encode(document).decode()


def in_sns(text: str, message_id: str = "b1f0") -> str:
    return encoded({"Type": "Notification", "MessageId": message_id, "TopicArn": "arn:topic", "Message": text})


def in_eventbridge(text: str, event_id: str = "e1") -> str:
    detail = msgspec.json.decode(text)
    return encoded(
        {"version": "0", "id": event_id, "detail-type": "Email Bounced", "source": "aws.ses", "detail": detail}
    )


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (in_sns(BOUNCE), "sns:b1f0"),
        (in_eventbridge(BOUNCE), "eventbridge:e1"),
        (in_sns(in_eventbridge(BOUNCE)), "sns:b1f0"),
    ],
)
def test_the_event_is_the_same_when_it_is_wrapped(body: str, key: str) -> None:
    notification = open_notification(body)
    assert notification.key == key
    assert read_event(notification.text, LATER) == read_event(BOUNCE, LATER)


def test_copies_of_a_raw_event_have_one_key_when_nothing_wraps_it() -> None:
    assert open_notification(BOUNCE) == open_notification(BOUNCE)
    assert open_notification(BOUNCE).key != open_notification(ses_event("Delivery")).key


@pytest.mark.parametrize(
    "body", ["", "[]", "7", "not json", '{"Type": "Notification", "Message": "hello"}', "[" * 50_000, '{"a":' * 50_000]
)
def test_a_body_is_refused_when_it_holds_no_object(body: str) -> None:
    with pytest.raises(InputError):
        read_event(open_notification(body).text, LATER)


def test_a_body_is_refused_when_it_is_wrapped_without_end() -> None:
    body = BOUNCE
    for _ in range(5):
        body = in_sns(body)
    with pytest.raises(InputError, match="more often"):
        open_notification(body)


def identity_feedback(provider_id: str) -> str:
    """What an identity's own notification says: no tags, and another word for its kind."""
    event = msgspec.json.decode(BOUNCE)
    event["notificationType"] = event.pop("eventType")
    del event["mail"]["tags"]
    event["mail"]["messageId"] = provider_id
    return encoded(event)


def test_identity_feedback_finds_its_message_when_the_provider_s_id_is_ours(runtime: Runtime) -> None:
    sent_message(runtime)
    assert take(runtime, identity_feedback("provider-m1"), "sns:1")
    assert row_of(runtime).bounced_at is not None


def test_identity_feedback_is_counted_as_foreign_when_another_program_sent_the_mail(runtime: Runtime) -> None:
    assert take(runtime, identity_feedback("somebody-else-s"), "sns:1")
    with runtime.database.read() as connection:
        row = connection.execute(select(delivery_event)).one()
    assert (row.kind, row.message_id, row.sealed_document) == (ReportKind.FOREIGN, None, None)


def test_a_complaint_is_none_when_somebody_took_the_mail_out_of_the_spam_folder(runtime: Runtime) -> None:
    sent_message(runtime)
    take(runtime, ses_event("Complaint", complaintFeedbackType="not-spam"), "sns:1")
    assert row_of(runtime).complained_at is None


def subscription(*, everything: bool = False, topic: str = "OptIn") -> str:
    topics = [{"topicName": "offers", "subscriptionStatus": topic}]
    return ses_event(
        "Subscription",
        newTopicPreferences={"unsubscribeAll": everything, "topicSubscriptionStatus": topics},
        oldTopicPreferences={"unsubscribeAll": False, "topicSubscriptionStatus": []},
    )


@pytest.mark.parametrize(
    ("text", "topic", "state"),
    [
        (subscription(everything=True), "anything", ConsentStatus.WITHDRAWN),
        (subscription(topic="OptOut"), "marketing", ConsentStatus.WITHDRAWN),
        (subscription(topic="OptOut"), "anything", ConsentStatus.UNKNOWN),
        (subscription(), "marketing", ConsentStatus.GRANTED),
    ],
)
def test_what_was_left_with_ses_is_left_with_us_when_it_reports_a_subscription(
    runtime: Runtime, text: str, topic: str, state: ConsentStatus
) -> None:
    sent_message(runtime)
    take(runtime, text, "sns:1")
    lookup = row_of(runtime).lookup
    with runtime.database.read() as connection:
        assert consent_of(connection, "email", topic, [lookup], LATER) == {lookup: state}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("STOP", Word.STOP),
        (" stop. ", Word.STOP),
        ("Stop all", Word.STOP),
        ("Opt-out!", Word.STOP),
        ("REVOKE", Word.STOP),
        ("quit", Word.STOP),
        ("Start", Word.START),
        ("help?", Word.HELP),
        ("please stop", Word.OTHER),
        ("do not stop", Word.OTHER),
        ("", Word.OTHER),
    ],
)
def test_a_word_counts_when_it_is_the_whole_message(text: str, word: Word) -> None:
    assert read_word(text) is word


def test_an_inbound_text_is_told_apart_when_it_comes_on_the_topic_of_reports() -> None:
    event = {
        "originationNumber": "+447700900123",
        "destinationNumber": "+447700900999",
        "messageKeyword": "KEYWORD_1",
        "messageBody": "STOP",
        "inboundMessageId": "in-1",
        "previousPublishedMessageId": "sms-1",
    }
    text = read_event(encoded(event), NOW)
    assert isinstance(text, InboundText)
    assert (text.word, text.reply_to) == (Word.STOP, "sms-1")
    assert "447700900123" not in repr(text)
    with pytest.raises(InputError):
        read_event(encoded({**event, "originationNumber": 7}), NOW)


def test_a_received_mail_is_told_apart_when_it_comes_on_the_topic_of_reports() -> None:
    event = {
        "notificationType": "Received",
        "mail": {"messageId": "in-1", "destination": ["a@b.example"], "commonHeaders": {"subject": "hello"}},
        "receipt": {"recipients": ["leave+x@in.shop.example"]},
        "content": "…",
    }
    mail = read_event(encoded(event), NOW)
    assert isinstance(mail, InboundMail)
    assert (mail.recipients, mail.subject) == (("leave+x@in.shop.example",), "hello")
    with pytest.raises(InputError):
        read_event(encoded({"notificationType": "Received", "mail": {}}), NOW)


@pytest.mark.parametrize(
    ("word", "kind"), [("VOICE_COMPLETED", ReportKind.DELIVERED), ("VOICE_BUSY", ReportKind.SOFT_BOUNCED)]
)
def test_a_call_has_our_word_when_its_event_is_read(word: str, kind: ReportKind) -> None:
    report = read_event(encoded({"eventType": word, "messageId": "v1", "context": {"mid": "m1"}}), NOW)
    assert isinstance(report, ProviderReport)
    assert (report.kind, report.message_id) == (kind, "m1")
