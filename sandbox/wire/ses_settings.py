"""SES v2 operations that send nothing: the account, the suppression list, configuration sets, identities."""

from __future__ import annotations

from typing import Any

import msgspec

from core.clock import to_micros
from sandbox.account import Account, ConfigurationSet, EventDestination, SuppressedAddress
from sandbox.feedback.mail_events import EVENT_TYPES
from sandbox.wire.protocols import AwsError, Call, Document

_LARGEST_PAGE = 1000


class _Suppress(msgspec.Struct, rename="pascal"):
    email_address: str
    reason: str


class _SnsDestination(msgspec.Struct, rename="pascal"):
    topic_arn: str


class _Destination(msgspec.Struct, rename="pascal"):
    enabled: bool = False
    matching_event_types: list[str] = []
    sns_destination: _SnsDestination | None = None


class _CreateDestination(msgspec.Struct, rename="pascal"):
    event_destination: _Destination
    event_destination_name: str = ""


_suppress = msgspec.json.Decoder(_Suppress)
_create_destination = msgspec.json.Decoder(_CreateDestination)
_any_object = msgspec.json.Decoder(dict[str, Any])


async def get_account(account: Account, _call: Call) -> Document:
    quota, behaviour = account.quota, account.behaviour
    return {
        "DedicatedIpAutoWarmupEnabled": False,
        "EnforcementStatus": "SHUTDOWN" if behaviour.suspended else "HEALTHY",
        "ProductionAccessEnabled": not behaviour.trial,
        "SendQuota": {
            "Max24HourSend": quota.max_24_hour_send,
            "MaxSendRate": quota.max_send_rate,
            "SentLast24Hours": float(quota.sent_last_24_hours(account.clock.now())),
        },
        "SendingEnabled": not (behaviour.paused or behaviour.suspended),
        "SuppressionAttributes": {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]},
    }


async def put_suppressed_destination(account: Account, call: Call) -> Document:
    request = call.read(_suppress)
    if request.reason not in ("BOUNCE", "COMPLAINT"):
        raise AwsError("BadRequestException", f"Reason {request.reason} is neither BOUNCE nor COMPLAINT.")
    address = request.email_address.lower()
    account.suppressed[address] = SuppressedAddress(request.email_address, request.reason, account.clock.now())
    return {}


async def get_suppressed_destination(account: Account, call: Call) -> Document:
    return {"SuppressedDestination": _suppressed_document(_suppressed(account, call))}


async def delete_suppressed_destination(account: Account, call: Call) -> Document:
    del account.suppressed[_suppressed(account, call).address.lower()]
    return {}


async def list_suppressed_destinations(account: Account, call: Call) -> Document:
    page_size = min(int(call.arguments.get("PageSize", _LARGEST_PAGE)), _LARGEST_PAGE)
    after = call.arguments.get("NextToken", "")
    reason = call.arguments.get("Reason", "")
    found = [
        one
        for address, one in sorted(account.suppressed.items())
        if address > after and (not reason or one.reason == reason)
    ]
    document: dict[str, Any] = {
        "SuppressedDestinationSummaries": [_suppressed_document(one) for one in found[:page_size]]
    }
    if len(found) > page_size:
        document["NextToken"] = found[page_size - 1].address.lower()
    return document


async def create_configuration_set(account: Account, call: Call) -> Document:
    document = call.read(_any_object)
    name = str(document.get("ConfigurationSetName", ""))
    if not name:
        raise AwsError("BadRequestException", "ConfigurationSetName is missing.")
    if name in account.mail_sets:
        raise AwsError("AlreadyExistsException", f"Configuration set <{name}> already exists.")
    account.mail_sets[name] = ConfigurationSet(name, document=document)
    return {}


async def get_configuration_set(account: Account, call: Call) -> Document:
    found = _mail_set(account, call)
    defaults = {"SendingOptions": {"SendingEnabled": True}, "ConfigurationSetName": found.name}
    return defaults | found.document


async def create_event_destination(account: Account, call: Call) -> Document:
    configuration_set, request = _mail_set(account, call), call.read(_create_destination)
    name = request.event_destination_name
    if name in configuration_set.destinations:
        raise AwsError("AlreadyExistsException", f"An event destination with name {name} already exists.")
    configuration_set.destinations[name] = _destination(account, name, request.event_destination)
    return {}


async def update_event_destination(account: Account, call: Call) -> Document:
    configuration_set, request = _mail_set(account, call), call.read(_create_destination)
    name = call.arguments["EventDestinationName"]
    if name not in configuration_set.destinations:
        raise AwsError("NotFoundException", f"Event destination {name} does not exist.", 404)
    configuration_set.destinations[name] = _destination(account, name, request.event_destination)
    return {}


def _destination(account: Account, name: str, wanted: _Destination) -> EventDestination:
    if wanted.sns_destination is None:
        raise AwsError("BadRequestException", "The sandbox publishes events to an SnsDestination only.")
    if account.topics.find(wanted.sns_destination.topic_arn) is None:
        raise AwsError("BadRequestException", f"Could not publish to topic {wanted.sns_destination.topic_arn}.")
    if unknown := sorted(set(wanted.matching_event_types) - EVENT_TYPES.keys()):
        raise AwsError("BadRequestException", f"Unknown event type {unknown[0]}.")
    kinds = frozenset(EVENT_TYPES[event_type] for event_type in wanted.matching_event_types)
    return EventDestination(name, wanted.enabled, kinds, wanted.sns_destination.topic_arn)


async def get_event_destinations(account: Account, call: Call) -> Document:
    return {
        "EventDestinations": [
            {
                "Name": destination.name,
                "Enabled": destination.enabled,
                "MatchingEventTypes": [
                    event_type for event_type, kind in EVENT_TYPES.items() if {kind, "ALL"} & destination.kinds
                ],
                "SnsDestination": {"TopicArn": destination.topic_arn},
            }
            for destination in _mail_set(account, call).destinations.values()
        ]
    }


async def create_email_identity(account: Account, call: Call) -> Document:
    name = str(call.read(_any_object).get("EmailIdentity", ""))
    if not name:
        raise AwsError("BadRequestException", "EmailIdentity is missing.")
    if name in account.identities:
        raise AwsError("AlreadyExistsException", f"Email identity {name} already exist.")
    account.identities.add(name)
    return _identity_document(account, name)


async def get_email_identity(account: Account, call: Call) -> Document:
    name = call.arguments["EmailIdentity"]
    if name not in account.identities:
        raise AwsError("NotFoundException", f"Email identity {name} does not exist.", 404)
    document = _identity_document(account, name)
    return document | {
        "FeedbackForwardingStatus": True,
        "MailFromAttributes": {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"},
        "VerificationStatus": document["DkimAttributes"]["Status"],
        "Policies": {},
    }


def _identity_document(account: Account, name: str) -> dict[str, Any]:
    is_verified = name.rpartition("@")[2].lower() not in account.behaviour.unverified
    return {
        "IdentityType": "EMAIL_ADDRESS" if "@" in name else "DOMAIN",
        "VerifiedForSendingStatus": is_verified,
        "DkimAttributes": {
            "SigningEnabled": True,
            "Status": "SUCCESS" if is_verified else "PENDING",
            "Tokens": [f"sandbox{number}" for number in (1, 2, 3)],
            "SigningAttributesOrigin": "AWS_SES",
            "CurrentSigningKeyLength": "RSA_2048_BIT",
        },
    }


def _mail_set(account: Account, call: Call) -> ConfigurationSet:
    name = call.arguments["ConfigurationSetName"]
    if name not in account.mail_sets:
        raise AwsError("NotFoundException", f"Configuration set <{name}> does not exist.", 404)
    return account.mail_sets[name]


def _suppressed(account: Account, call: Call) -> SuppressedAddress:
    address = call.arguments["EmailAddress"]
    found = account.suppressed.get(address.lower())
    if found is None:
        raise AwsError("NotFoundException", f"Email address {address} does not exist on your suppression list.", 404)
    return found


def _suppressed_document(found: SuppressedAddress) -> dict[str, Any]:
    return {
        "EmailAddress": found.address,
        "Reason": found.reason,
        "LastUpdateTime": to_micros(found.since) / 1_000_000,
    }
