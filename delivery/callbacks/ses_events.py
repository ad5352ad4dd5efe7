"""SES event publishing: the JSON of a configuration set's event destination, in our words.

Shapes: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html. Identity-level feedback
(`notificationType`) is understood too, but carries no tags and so finds its row by SES's message id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.clock import in_utc
from core.errors import InputError
from delivery.status import ReportKind

MESSAGE_TAG = "mid"

_KINDS = {
    "Send": ReportKind.SENT,
    "Delivery": ReportKind.DELIVERED,
    "Complaint": ReportKind.COMPLAINED,
    "Reject": ReportKind.REJECTED,
    "Rendering Failure": ReportKind.RENDER_FAILED,
    "DeliveryDelay": ReportKind.DELAYED,
    "Open": ReportKind.OPENED,
    "Click": ReportKind.CLICKED,
    "Subscription": ReportKind.UNSUBSCRIBED,
}
_DETAILS = {
    "Send": "send",
    "Delivery": "delivery",
    "Bounce": "bounce",
    "Complaint": "complaint",
    "Reject": "reject",
    "Rendering Failure": "failure",
    "DeliveryDelay": "deliveryDelay",
    "Open": "open",
    "Click": "click",
    "Subscription": "subscription",
}


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """One report about one message. `message_id` is ours, where the tag came back."""

    kind: ReportKind
    message_id: str | None
    provider_id: str
    occurred_at: datetime
    sub_kind: str | None = None


def read_ses_event(event: Mapping[str, Any], received_at: datetime) -> ProviderReport:
    """The report in one event; raises InputError when it is none of SES's."""
    try:
        mail = event["mail"]
        word = str(event.get("eventType") or event["notificationType"])
        provider_id = str(mail["messageId"])
    except (KeyError, TypeError):
        raise InputError("this is no SES event: it has no eventType or no mail.messageId.") from None
    detail = _mapping(event.get(_DETAILS.get(word, "")))
    ours = _mapping(mail.get("tags")).get(MESSAGE_TAG) or [None]
    return ProviderReport(
        kind=_kind(word, detail),
        message_id=str(ours[0]) if isinstance(ours, list) and ours[0] else None,
        provider_id=provider_id,
        occurred_at=_instant(detail.get("timestamp") or mail.get("timestamp"), received_at),
        sub_kind=_sub_kind(word, detail),
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _kind(word: str, detail: dict[str, Any]) -> ReportKind:
    if word == "Bounce":
        # An out-of-office answer is a Transient bounce that comes after the delivery.
        return ReportKind.BOUNCED if detail.get("bounceType") == "Permanent" else ReportKind.SOFT_BOUNCED
    return _KINDS.get(word, ReportKind.UNKNOWN)


def _sub_kind(word: str, detail: dict[str, Any]) -> str | None:
    if word == "Bounce":
        return f"{detail.get('bounceType')}/{detail.get('bounceSubType')}"[:50]
    if word == "Complaint":
        return str(detail.get("complaintFeedbackType") or "")[:50] or None
    return None


def _instant(text: Any, fallback: datetime) -> datetime:
    """SES's timestamp, never later than its arrival: clocks differ, and nothing happened in the future."""
    try:
        return min(in_utc(datetime.fromisoformat(str(text))), fallback)
    except ValueError:
        return fallback
