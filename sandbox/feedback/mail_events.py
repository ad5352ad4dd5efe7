"""The events of one mail in the words and shapes of SES. Pure.

Shapes: Amazon SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS". These
are the events of a configuration set (`eventType`), which carry tags; identity feedback (`notificationType`)
is not made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.feedback.publisher import timestamp
from sandbox.message import Message, bare_address
from sandbox.simulator import Outcome, mail_outcome

EVENT_TYPES = {
    "SEND": "Send",
    "REJECT": "Reject",
    "BOUNCE": "Bounce",
    "COMPLAINT": "Complaint",
    "DELIVERY": "Delivery",
    "OPEN": "Open",
    "CLICK": "Click",
    "RENDERING_FAILURE": "Rendering Failure",
    "DELIVERY_DELAY": "DeliveryDelay",
    "SUBSCRIPTION": "Subscription",
}
"""What a configuration set calls an event, and what the event calls itself."""

_MTA = "dsn; mta.sandbox.invalid"
_SUPPRESSED = (
    "Amazon SES did not send the message to this address because it is on the suppression list for your account."
)


@dataclass(frozen=True, slots=True)
class MailEvent:
    """One thing that SES would report; `recipient` is empty where it concerns the whole mail."""

    kind: str
    recipient: str = ""
    sub_kind: str = ""
    note: str = ""


def events_of(recipients: tuple[str, ...], suppressed: frozenset[str]) -> list[MailEvent]:
    """What happens to an accepted mail, in order. `suppressed` holds the bare addresses on the account's
    list.
    """
    events = [MailEvent("Send")]
    for recipient in recipients:
        address = bare_address(recipient)
        outcome = Outcome.SUPPRESSED if address.lower() in suppressed else mail_outcome(address)
        events += _events_for(address, outcome)
    return events


def _events_for(address: str, outcome: Outcome) -> list[MailEvent]:
    delivery = MailEvent("Delivery", address, note="250 2.6.0 Message received")
    match outcome:
        case Outcome.BOUNCED:
            return [MailEvent("Bounce", address, "Permanent/General", "smtp; 550 5.1.1 user unknown")]
        case Outcome.SUPPRESSED:
            return [MailEvent("Bounce", address, "Permanent/OnAccountSuppressionList", _SUPPRESSED)]
        case Outcome.OUT_OF_OFFICE:
            return [
                delivery,
                MailEvent("Bounce", address, "Transient/General", "smtp; 250 out of the office"),
            ]
        case Outcome.COMPLAINED:
            return [delivery, MailEvent("Complaint", address, "abuse", "marked as spam")]
        case Outcome.DELIVERED:
            return [delivery]


def event_document(event: MailEvent, message: Message, now: datetime, region: str, account_id: str) -> dict[str, Any]:
    """The JSON document of `event`, which happened at `now`."""
    document: dict[str, Any] = {"eventType": event.kind, "mail": _mail(event, message, region, account_id)}
    match event.kind:
        case "Send":
            document["send"] = {}
        case "Delivery":
            document["delivery"] = {
                "timestamp": timestamp(now),
                "processingTimeMillis": max(0, (now - message.received_at) // timedelta(milliseconds=1)),
                "recipients": [event.recipient],
                "smtpResponse": event.note,
                "reportingMTA": "mta.sandbox.invalid",
            }
        case "Bounce":
            document["bounce"] = _bounce(event, message, now)
        case "Complaint":
            document["complaint"] = {
                "arrivalDate": timestamp(now),
                "complainedRecipients": [{"emailAddress": event.recipient}],
                "complaintFeedbackType": event.sub_kind,
                "complaintSubType": None,
                "feedbackId": f"{message.message_id}-complaint",
                "timestamp": timestamp(now),
                "userAgent": "Amazon SES Mailbox Simulator",
            }
        case "Rendering Failure":
            document["failure"] = {"errorMessage": event.note, "templateName": event.sub_kind}
    return document


def _bounce(event: MailEvent, message: Message, now: datetime) -> dict[str, Any]:
    bounce_type, _, sub_type = event.sub_kind.partition("/")
    permanent = bounce_type == "Permanent"
    return {
        "bounceType": bounce_type,
        "bounceSubType": sub_type,
        "bouncedRecipients": [
            {
                "emailAddress": event.recipient,
                "action": "failed" if permanent else "delayed",
                "status": "5.1.1" if permanent else "4.0.0",
                "diagnosticCode": event.note,
            }
        ],
        "timestamp": timestamp(now),
        "feedbackId": f"{message.message_id}-bounce",
        "reportingMTA": _MTA,
    }


def _mail(event: MailEvent, message: Message, region: str, account_id: str) -> dict[str, Any]:
    sender = bare_address(message.sender)
    tags = {
        "ses:operation": [message.operation],
        "ses:configuration-set": [message.configuration_set],
        "ses:source-ip": ["127.0.0.1"],
        "ses:from-domain": [sender.rpartition("@")[2]],
        "ses:caller-identity": ["sandbox"],
    }
    if event.kind == "Delivery":
        tags["ses:outgoing-ip"] = ["192.0.2.1"]
    common: dict[str, Any] = {
        "from": [message.sender],
        "messageId": message.message_id,
        "subject": message.subject,
    }
    for name, value in message.headers:
        if name.lower() in ("to", "cc", "reply-to"):
            common["replyTo" if name.lower() == "reply-to" else name.lower()] = value.split(", ")
    return {
        "timestamp": timestamp(message.received_at),
        "source": message.sender,
        "sourceArn": f"arn:aws:ses:{region}:{account_id}:identity/{sender.rpartition('@')[2]}",
        "sendingAccountId": account_id,
        "messageId": message.message_id,
        "destination": [bare_address(recipient) for recipient in message.recipients],
        "headersTruncated": False,
        "headers": [{"name": name, "value": value} for name, value in message.headers],
        "commonHeaders": common,
        "tags": tags | {name: [value] for name, value in message.tags.items()},
    }
