"""SES event publishing: the JSON of a configuration set's event destination, in our words.

Shapes: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html. EventBridge has the
same in its `detail`. Identity-level feedback (`notificationType`) is understood too, but carries no tags and so finds
its row by SES's message id, or none: other programs may send under the same identity.
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
WHOLE_CHANNEL_LEFT, TOPIC_LEFT = "everything", "topic"  # sub kinds of a subscription event
_NO_COMPLAINT = "not-spam"  # somebody took the mail out of the spam folder

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
    """One report about one message. `message_id` is ours, where the tag came back.

    `is_untagged` tells feedback of an identity: it would carry no tag even if the message were ours.
    """

    kind: ReportKind
    message_id: str | None
    provider_id: str
    occurred_at: datetime
    sub_kind: str | None = None
    is_untagged: bool = False


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
        is_untagged="eventType" not in event,
    )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _kind(word: str, detail: dict[str, Any]) -> ReportKind:
    if word == "Bounce":
        # An out-of-office answer is a Transient bounce that comes after the delivery.
        return ReportKind.BOUNCED if detail.get("bounceType") == "Permanent" else ReportKind.SOFT_BOUNCED
    if word == "Complaint" and detail.get("complaintFeedbackType") == _NO_COMPLAINT:
        return ReportKind.UNKNOWN
    return _KINDS.get(word, ReportKind.UNKNOWN)


def _sub_kind(word: str, detail: dict[str, Any]) -> str | None:
    if word == "Bounce":
        return f"{detail.get('bounceType')}/{detail.get('bounceSubType')}"[:50]
    if word == "Complaint":
        return str(detail.get("complaintFeedbackType") or "")[:50] or None
    return _left(detail) if word == "Subscription" else None


def _left(detail: dict[str, Any]) -> str | None:
    """What somebody left by SES's own subscription pages: WHOLE_CHANNEL_LEFT, TOPIC_LEFT, or None for nothing."""
    new, old = _mapping(detail.get("newTopicPreferences")), _mapping(detail.get("oldTopicPreferences"))
    if new.get("unsubscribeAll") is True:
        return WHOLE_CHANNEL_LEFT
    return TOPIC_LEFT if _topics_left(new) - _topics_left(old) else None


def _topics_left(preferences: dict[str, Any]) -> set[str]:
    """The names of the topics of a contact list that are left; SES writes them in either of two ways."""
    listed = preferences.get("topicSubscriptionStatus") or preferences.get("topicPreferences")
    return {
        str(one.get("topicName"))
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and str(one.get("subscriptionStatus")).upper() in ("OPTOUT", "OPT_OUT")
    }


def _instant(text: Any, fallback: datetime) -> datetime:
    """SES's timestamp, never later than its arrival: clocks differ, and nothing happened in the future."""
    try:
        return min(in_utc(datetime.fromisoformat(str(text))), fallback)
    except ValueError:
        return fallback
