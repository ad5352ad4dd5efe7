"""SendTextMessage: what is kept, what is refused, how parts are counted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sandbox.feedback.sms_events import encoding_and_parts
from tests.sandbox.conftest import Client

HELLO = {"DestinationPhoneNumber": "+491701234567", "MessageBody": "Hello Alice"}


def test_sms_is_kept_with_its_context_when_it_is_accepted(aws: Client, web: httpx.Client) -> None:
    sent = aws("pinpoint-sms-voice-v2").send_text_message(
        **HELLO, OriginationIdentity="FERN", MessageType="PROMOTIONAL", Context={"mid": "m-1"}
    )
    [kept] = web.get("/sandbox/messages").json()["messages"]
    assert (kept["kind"], kept["message_id"], kept["from"]) == ("sms", sent["MessageId"], "FERN")
    assert kept["tags"] == {"mid": "m-1"}
    events = web.get(f"/sandbox/messages/{kept['seq']}").json()["events"]
    assert [event["kind"] for event in events] == ["TEXT_SUCCESSFUL", "TEXT_DELIVERED"]


@pytest.mark.parametrize(
    ("changes", "behaviour", "name"),
    [
        ({}, {"throttle": 1}, "ThrottlingException"),
        ({}, {"suspended": True}, "AccessDeniedException"),
        ({}, {"reject": 1}, "ValidationException"),
        ({"DestinationPhoneNumber": "0170 1234567"}, {}, "ValidationException"),
        ({"MessageBody": "x" * 1601}, {}, "ValidationException"),
        ({"ConfigurationSetName": "nowhere"}, {}, "ResourceNotFoundException"),
    ],
)
def test_boto3_raises_the_class_of_the_refusal_when_an_sms_is_refused(
    aws: Client, web: httpx.Client, changes: dict[str, Any], behaviour: dict[str, Any], name: str
) -> None:
    web.put("/sandbox/behaviour", json=behaviour).raise_for_status()
    sms = aws("pinpoint-sms-voice-v2")
    with pytest.raises(getattr(sms.exceptions, name)):
        sms.send_text_message(**{**HELLO, **changes})


def test_events_go_to_the_topic_when_a_set_has_a_destination(aws: Client) -> None:
    sms, sns, sqs = aws("pinpoint-sms-voice-v2"), aws("sns"), aws("sqs")
    url = sqs.create_queue(QueueName="sms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="sms")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sms.create_configuration_set(ConfigurationSetName="texts")
    sms.create_event_destination(
        ConfigurationSetName="texts",
        EventDestinationName="queue",
        MatchingEventTypes=["TEXT_ALL"],
        SnsDestination={"TopicArn": topic},
    )
    sms.send_text_message(**{**HELLO, "DestinationPhoneNumber": "+14254147167"}, ConfigurationSetName="texts")

    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=3)["Messages"]
    assert "TEXT_CARRIER_UNREACHABLE" in message["Body"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("GSM", 1)),
        ("a" * 160, ("GSM", 1)),
        ("a" * 161, ("GSM", 2)),
        ("€" * 80, ("GSM", 1)),
        ("a" * 152 + "€" + "a" * 10, ("GSM", 2)),
        ("a" * 306, ("GSM", 2)),
        ("a" * 152 + "€" + "a" * 152, ("GSM", 3)),
        ("ł" * 70, ("Unicode", 1)),
        ("🙂" * 35, ("Unicode", 1)),
        ("🙂" * 36, ("Unicode", 2)),
    ],
)
def test_parts_are_counted_as_carriers_do_when_a_text_is_measured(text: str, expected: tuple[str, int]) -> None:
    assert encoding_and_parts(text) == expected
