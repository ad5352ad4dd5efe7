"""SNS: topics, subscriptions, confirmation, publishing; and an SMS straight to a phone number."""

from __future__ import annotations

import re
import uuid

from sandbox.account import Account
from sandbox.feedback.publisher import Publication
from sandbox.feedback.topics import Topic
from sandbox.wire.operations import Operation
from sandbox.wire.protocols import AwsError, Call, Document
from sandbox.wire.sms_acceptance import accept_sms, is_phone_number

_TOPIC_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_PROTOCOLS = ("http", "https", "sqs")


async def create_topic(account: Account, call: Call) -> Document:
    name = call.argument("Name")
    if not _TOPIC_NAME.fullmatch(name):
        raise AwsError("InvalidParameter", "Invalid parameter: Topic Name")
    version = _attributes(call).get("SignatureVersion", account.options.signature_version)
    return {"TopicArn": account.topics.create(name, _signature_version(version)).arn}


async def set_topic_attributes(account: Account, call: Call) -> Document:
    topic, name = _topic(account, call.argument("TopicArn")), call.argument("AttributeName")
    match name:
        case "SignatureVersion":
            topic.signature_version = _signature_version(call.argument("AttributeValue"))
        case "Policy":
            topic.policy = call.argument("AttributeValue")
        case _:
            text = f"Invalid parameter: AttributeName {name} is not offered by the sandbox."
            raise AwsError("InvalidParameter", text)
    return {}


async def get_topic_attributes(account: Account, call: Call) -> Document:
    topic = _topic(account, call.argument("TopicArn"))
    attributes = {"TopicArn": topic.arn, "SignatureVersion": topic.signature_version, "Policy": topic.policy}
    return {"Attributes": tuple((name, value) for name, value in attributes.items() if value)}


async def list_topics(account: Account, _call: Call) -> Document:
    return {"Topics": [{"TopicArn": arn} for arn in account.topics.arns()]}


async def subscribe(account: Account, call: Call) -> Document:
    topic, protocol = _topic(account, call.argument("TopicArn")), call.argument("Protocol")
    endpoint = call.argument("Endpoint")
    if protocol not in _PROTOCOLS:
        raise AwsError("InvalidParameter", f"Invalid parameter: the sandbox offers no protocol {protocol}.")
    if protocol == "sqs" and endpoint not in account.queues:
        raise AwsError("InvalidParameter", "Invalid parameter: SQS endpoint ARN")
    if protocol != "sqs" and not endpoint.startswith(f"{protocol}://"):
        raise AwsError("InvalidParameter", "Invalid parameter: Endpoint must match the specified protocol")
    raw = _attributes(call).get("RawMessageDelivery", "false").lower() == "true"
    subscription = account.subscribe(topic.arn, protocol, endpoint, raw, held=False)
    told = subscription.confirmed or call.arguments.get("ReturnSubscriptionArn") == "true"
    return {"SubscriptionArn": subscription.arn if told else "pending confirmation"}


async def confirm_subscription(account: Account, call: Call) -> Document:
    topic = _topic(account, call.argument("TopicArn"))
    subscription = account.topics.confirm(topic, call.argument("Token"))
    if subscription is None:
        raise AwsError("InvalidParameter", "Invalid parameter: Token")
    account.publisher.confirmed(subscription)
    return {"SubscriptionArn": subscription.arn}


async def unsubscribe(account: Account, call: Call) -> Document:
    account.topics.unsubscribe(call.argument("SubscriptionArn"))
    return {}


async def list_subscriptions(account: Account, call: Call) -> Document:
    topic = _topic(account, call.argument("TopicArn"))
    return {
        "Subscriptions": [
            {
                "SubscriptionArn": one.arn if one.confirmed else "PendingConfirmation",
                "Owner": account.options.account_id,
                "Protocol": one.protocol,
                "Endpoint": one.endpoint,
                "TopicArn": one.topic_arn,
            }
            for one in account.topics.subscriptions(topic)
        ]
    }


async def publish_to_topic(account: Account, call: Call) -> Document:
    message = call.argument("Message")
    if number := call.arguments.get("PhoneNumber"):
        if not is_phone_number(number):
            raise AwsError(
                "InvalidParameter",
                f"Invalid parameter: PhoneNumber Reason: {number} is not valid to publish to",
            )
        return {"MessageId": _accept_text(account, call, number, message)}
    topic = _topic(account, call.arguments.get("TopicArn") or call.argument("TargetArn"))
    message_id = str(uuid.uuid4())
    subject = call.arguments.get("Subject", "")
    account.publisher.publish(Publication(topic.arn, lambda: message, message_id, subject, message_id))
    return {"MessageId": message_id}


def _accept_text(account: Account, call: Call, number: str, message: str) -> str:
    behaviour = account.behaviour
    if account.dice.falls("throttle", behaviour.throttle):
        raise AwsError("Throttled", "Rate exceeded", 429)
    if behaviour.suspended or behaviour.paused:
        raise AwsError("AuthorizationError", "The account may not send.", 403)
    if account.dice.falls("reject", behaviour.reject):
        raise AwsError("InvalidParameter", "Invalid parameter: Message")
    said = _message_attributes(call)
    sender = said.get("AWS.MM.SMS.OriginationNumber") or said.get("AWS.SNS.SMS.SenderID") or "SNS"
    message_type = said.get("AWS.SNS.SMS.SMSType", "Promotional").upper()
    return accept_sms(account, "Publish", number, message, sender, message_type)


def _message_attributes(call: Call) -> dict[str, str]:
    """The map that query strings spell `MessageAttributes.entry.1.Name=…&….1.Value.StringValue=…`."""
    return {
        value: call.arguments.get(name.removesuffix("Name") + "Value.StringValue", "")
        for name, value in call.arguments.items()
        if name.startswith("MessageAttributes.entry.") and name.endswith(".Name")
    }


def _topic(account: Account, arn: str) -> Topic:
    topic = account.topics.find(arn)
    if topic is None:
        raise AwsError("NotFound", "Topic does not exist", 404)
    return topic


def _attributes(call: Call) -> dict[str, str]:
    """The map that query strings spell `Attributes.entry.1.key=…&Attributes.entry.1.value=…`."""
    arguments = call.arguments
    return {
        value: arguments.get(name.removesuffix("key") + "value", "")
        for name, value in arguments.items()
        if name.startswith("Attributes.entry.") and name.endswith(".key")
    }


def _signature_version(version: str) -> str:
    if version not in ("1", "2"):
        raise AwsError("InvalidParameter", "Invalid parameter: SignatureVersion must be 1 or 2")
    return version


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("CreateTopic", create_topic),
        Operation("SetTopicAttributes", set_topic_attributes),
        Operation("GetTopicAttributes", get_topic_attributes),
        Operation("ListTopics", list_topics),
        Operation("Subscribe", subscribe),
        Operation("ConfirmSubscription", confirm_subscription),
        Operation("Unsubscribe", unsubscribe),
        Operation("ListSubscriptionsByTopic", list_subscriptions),
        Operation("Publish", publish_to_topic, sends=True),
    )
}
