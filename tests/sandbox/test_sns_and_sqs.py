"""Topics, queues, and the way from one to the other."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.sandbox.conftest import Client, Receiver, mail_to, wait_until


def receive(sqs: Any, url: str, **arguments: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=3, **arguments
    ).get("Messages", [])
    return found


def queue_for(aws: Client, name: str, **attributes: str) -> tuple[str, str]:
    """The URL of a new queue and the ARN of a new topic that it is subscribed to."""
    sqs, sns = aws("sqs"), aws("sns")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
    return url, topic


def test_queue_gets_an_envelope_when_a_topic_is_published_to(aws: Client) -> None:
    url, topic = queue_for(aws, "enveloped")
    sent = aws("sns").publish(TopicArn=topic, Message="Hello <&> Alice", Subject="Greeting")

    [message] = receive(aws("sqs"), url)
    envelope = json.loads(message["Body"])
    assert (envelope["Type"], envelope["Message"], envelope["Subject"]) == (
        "Notification",
        "Hello <&> Alice",
        "Greeting",
    )
    assert envelope["MessageId"] == sent["MessageId"]
    assert envelope["TopicArn"] == topic


def test_queue_gets_the_bare_event_when_raw_delivery_is_asked_for(aws: Client) -> None:
    url, topic = queue_for(aws, "raw", RawMessageDelivery="true")
    ses = aws("sesv2")
    ses.create_configuration_set(ConfigurationSetName="raw")
    ses.create_configuration_set_event_destination(
        ConfigurationSetName="raw",
        EventDestinationName="queue",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": ["DELIVERY"],
            "SnsDestination": {"TopicArn": topic},
        },
    )
    ses.send_email(**mail_to("alice@example.com", ConfigurationSetName="raw"))

    [message] = receive(aws("sqs"), url)
    assert json.loads(message["Body"])["eventType"] == "Delivery"


def test_message_is_hidden_then_seen_again_until_it_is_deleted(aws: Client) -> None:
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName="seen-again")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="one")
    sqs.send_message(QueueUrl=url, MessageBody="two")

    first, second = receive(sqs, url, VisibilityTimeout=0)
    assert (first["Body"], second["Body"]) == ("one", "two")
    assert len(receive(sqs, url, VisibilityTimeout=30)) == 2
    assert sqs.receive_message(QueueUrl=url).get("Messages", []) == []

    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    sqs.delete_message_batch(QueueUrl=url, Entries=[{"Id": "a", "ReceiptHandle": second["ReceiptHandle"]}])
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesNotVisible"] == "0"


def test_queue_does_not_exist_is_raised_when_its_name_is_unknown(aws: Client) -> None:
    sqs = aws("sqs")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="nowhere")


def test_endpoint_hears_nothing_when_it_has_not_confirmed(aws: Client, receiver: Receiver) -> None:
    sns = aws("sns")
    topic = sns.create_topic(Name="unconfirmed")["TopicArn"]
    subscribed = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=receiver.url)
    assert subscribed["SubscriptionArn"] == "pending confirmation"
    asked = wait_until(lambda: receiver.of_kind("SubscriptionConfirmation"))[0]

    sns.publish(TopicArn=topic, Message="lost, as with AWS")
    with pytest.raises(sns.exceptions.InvalidParameterException):
        sns.confirm_subscription(TopicArn=topic, Token="guessed")
    arn = sns.confirm_subscription(TopicArn=topic, Token=asked["Token"])["SubscriptionArn"]
    sns.publish(TopicArn=topic, Message="heard")

    [heard] = wait_until(lambda: receiver.of_kind("Notification"))
    assert heard["Message"] == "heard"
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["SubscriptionArn"] == arn
    sns.unsubscribe(SubscriptionArn=arn)
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_signature_version_changes_when_the_topic_is_told(aws: Client) -> None:
    url, topic = queue_for(aws, "version")
    aws("sns").set_topic_attributes(TopicArn=topic, AttributeName="SignatureVersion", AttributeValue="1")
    aws("sns").publish(TopicArn=topic, Message="Hello")

    [message] = receive(aws("sqs"), url)
    assert json.loads(message["Body"])["SignatureVersion"] == "1"


def test_not_found_is_raised_when_a_topic_does_not_exist(aws: Client) -> None:
    sns = aws("sns")
    with pytest.raises(sns.exceptions.NotFoundException):
        sns.publish(TopicArn="arn:aws:sns:eu-central-1:000000000000:nowhere", Message="Hello")
    topic = sns.create_topic(Name="protocols")["TopicArn"]
    with pytest.raises(ClientError, match="protocol"):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="alice@example.com")


def test_publishing_to_a_number_is_an_sms(aws: Client, web: httpx.Client) -> None:
    sent = aws("sns").publish(PhoneNumber="+491701234567", Message="Hello Alice")

    [kept] = web.get("/sandbox/messages", params={"kind": "sms"}).json()["messages"]
    assert (kept["message_id"], kept["to"], kept["text"]) == (sent["MessageId"], ["+491701234567"], "Hello Alice")
