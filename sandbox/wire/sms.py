"""End User Messaging (pinpoint-sms-voice-v2): SendTextMessage, SendVoiceMessage, configuration sets and their event
destinations.
"""

from __future__ import annotations

import msgspec

from sandbox.account import Account, ConfigurationSet, EventDestination
from sandbox.wire.operations import Operation
from sandbox.wire.protocols import AwsError, Call, Document
from sandbox.wire.sms_acceptance import accept_call, accept_sms, is_phone_number

MAX_BODY = 1600
MAX_SPOKEN = 6000


class _SendTextMessage(msgspec.Struct, rename="pascal"):
    destination_phone_number: str
    message_body: str = ""
    origination_identity: str = "SANDBOX"
    message_type: str = "TRANSACTIONAL"
    configuration_set_name: str = ""
    context: dict[str, str] = {}
    dry_run: bool = False


class _SendVoiceMessage(msgspec.Struct, rename="pascal"):
    destination_phone_number: str
    origination_identity: str
    message_body: str = ""
    message_body_text_type: str = "TEXT"
    voice_id: str = "MATTHEW"
    configuration_set_name: str = ""
    context: dict[str, str] = {}
    dry_run: bool = False


class _CreateSet(msgspec.Struct, rename="pascal"):
    configuration_set_name: str


class _SnsDestination(msgspec.Struct, rename="pascal"):
    topic_arn: str


class _CreateDestination(msgspec.Struct, rename="pascal"):
    configuration_set_name: str
    event_destination_name: str
    matching_event_types: list[str]
    sns_destination: _SnsDestination | None = None


_send_text_message = msgspec.json.Decoder(_SendTextMessage)
_send_voice_message = msgspec.json.Decoder(_SendVoiceMessage)
_create_set = msgspec.json.Decoder(_CreateSet)
_create_destination = msgspec.json.Decoder(_CreateDestination)


async def send_text_message(account: Account, call: Call) -> Document:
    request = call.read(_send_text_message)
    _may_send(account)
    if not is_phone_number(request.destination_phone_number):
        raise _invalid("DestinationPhoneNumber", "is no phone number in E.164 format")
    if not 1 <= len(request.message_body) <= MAX_BODY:
        raise _invalid("MessageBody", f"must have 1 to {MAX_BODY} characters")
    if account.dice.falls("reject", account.behaviour.reject):
        raise _invalid("MessageBody", "was rejected")
    if request.configuration_set_name:
        _sms_set(account, request.configuration_set_name)
    if request.dry_run:
        return {"MessageId": "dry-run"}
    message_id = accept_sms(
        account,
        "SendTextMessage",
        request.destination_phone_number,
        request.message_body,
        request.origination_identity,
        request.message_type,
        request.context,
        request.configuration_set_name,
    )
    return {"MessageId": message_id}


async def send_voice_message(account: Account, call: Call) -> Document:
    request = call.read(_send_voice_message)
    _may_send(account)
    if not is_phone_number(request.destination_phone_number):
        raise _invalid("DestinationPhoneNumber", "is no phone number in E.164 format")
    if not is_phone_number(request.origination_identity) and not request.origination_identity.startswith("arn:"):
        raise _invalid("OriginationIdentity", "must be a number that is yours")
    if not 1 <= len(request.message_body) <= MAX_SPOKEN:
        raise _invalid("MessageBody", f"must have 1 to {MAX_SPOKEN} characters")
    if account.dice.falls("reject", account.behaviour.reject):
        raise _invalid("MessageBody", "was rejected")
    if request.configuration_set_name:
        _sms_set(account, request.configuration_set_name)
    if request.dry_run:
        return {"MessageId": "dry-run"}
    return {
        "MessageId": accept_call(
            account,
            request.destination_phone_number,
            request.message_body,
            request.origination_identity,
            request.voice_id,
            request.context,
            request.configuration_set_name,
        )
    }


async def create_configuration_set(account: Account, call: Call) -> Document:
    name = call.read(_create_set).configuration_set_name
    if name in account.sms_sets:
        raise AwsError("ConflictException", "The set exists.", fields={"Reason": "RESOURCE_ALREADY_EXISTS"})
    account.sms_sets[name] = ConfigurationSet(name)
    return {
        "ConfigurationSetName": name,
        "ConfigurationSetArn": account.arn("sms-voice", f"configuration-set/{name}"),
    }


async def create_event_destination(account: Account, call: Call) -> Document:
    request = call.read(_create_destination)
    configuration_set = _sms_set(account, request.configuration_set_name)
    if request.sns_destination is None or not account.topics.find(request.sns_destination.topic_arn):
        raise _invalid("SnsDestination", "must name a topic that exists")
    kinds = {"ALL" if kind in ("ALL", "TEXT_ALL") else kind for kind in request.matching_event_types}
    name, topic_arn = request.event_destination_name, request.sns_destination.topic_arn
    configuration_set.destinations[name] = EventDestination(name, True, frozenset(kinds), topic_arn)
    return {
        "ConfigurationSetName": configuration_set.name,
        "EventDestination": {
            "EventDestinationName": name,
            "Enabled": True,
            "MatchingEventTypes": request.matching_event_types,
            "SnsDestination": {"TopicArn": topic_arn},
        },
    }


def _may_send(account: Account) -> None:
    behaviour = account.behaviour
    if account.dice.falls("throttle", behaviour.throttle):
        raise AwsError("ThrottlingException", "Rate exceeded")
    if behaviour.suspended or behaviour.paused:
        raise AwsError("AccessDeniedException", "The account may not send.", fields={"Reason": "ACCOUNT_DISABLED"})


def _sms_set(account: Account, name: str) -> ConfigurationSet:
    if name not in account.sms_sets:
        raise AwsError(
            "ResourceNotFoundException",
            f"Configuration set {name} does not exist.",
            fields={"ResourceType": "configuration-set", "ResourceId": name},
        )
    return account.sms_sets[name]


def _invalid(field: str, fault: str) -> AwsError:
    return AwsError(
        "ValidationException",
        f"{field} {fault}.",
        fields={"Reason": "FIELD_VALIDATION_FAILED", "Fields": [{"Name": field, "Message": fault}]},
    )


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("SendTextMessage", send_text_message, sends=True),
        Operation("SendVoiceMessage", send_voice_message, sends=True),
        Operation("CreateConfigurationSet", create_configuration_set),
        Operation("CreateEventDestination", create_event_destination),
    )
}
