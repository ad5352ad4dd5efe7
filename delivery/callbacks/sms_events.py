"""AWS End User Messaging's events of text messages and calls, in our words; our message id returns in `context`.

Shapes: https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-format.html.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from core.clock import from_micros
from core.errors import InputError
from delivery.callbacks.ses_events import MESSAGE_TAG, ProviderReport
from delivery.status import ReportKind

_KINDS = {
    "TEXT_QUEUED": ReportKind.SENT,
    "TEXT_SENT": ReportKind.SENT,
    "TEXT_PENDING": ReportKind.SENT,
    "TEXT_SUCCESSFUL": ReportKind.SENT,
    "TEXT_DELIVERED": ReportKind.DELIVERED,
    # A number that does not exist, or whose carrier will not take it, is a hard bounce.
    "TEXT_INVALID": ReportKind.BOUNCED,
    "TEXT_UNREACHABLE": ReportKind.SOFT_BOUNCED,
    "TEXT_TTL_EXPIRED": ReportKind.SOFT_BOUNCED,
    "TEXT_CARRIER_UNREACHABLE": ReportKind.SOFT_BOUNCED,
    "TEXT_CARRIER_BLOCKED": ReportKind.REJECTED,
    "TEXT_BLOCKED": ReportKind.REJECTED,
    "TEXT_INVALID_MESSAGE": ReportKind.REJECTED,
    "TEXT_SPAM": ReportKind.REJECTED,
    "TEXT_PROTECT_BLOCKED": ReportKind.REJECTED,
    "TEXT_UNKNOWN": ReportKind.UNKNOWN,
    "VOICE_INITIATED": ReportKind.SENT,
    "VOICE_RINGING": ReportKind.SENT,
    "VOICE_ANSWERED": ReportKind.DELIVERED,
    "VOICE_COMPLETED": ReportKind.DELIVERED,
    "VOICE_BUSY": ReportKind.SOFT_BOUNCED,
    "VOICE_NO_ANSWER": ReportKind.SOFT_BOUNCED,
    "VOICE_FAILED": ReportKind.SOFT_BOUNCED,
    "VOICE_TTL_EXPIRED": ReportKind.SOFT_BOUNCED,
}
_MILLISECOND = 1_000


def is_sms_event(event: dict[str, Any]) -> bool:
    return str(event.get("eventType", "")).startswith(("TEXT_", "VOICE_"))


def read_sms_event(event: dict[str, Any], received_at: datetime) -> ProviderReport:
    """The report in one event; raises InputError when it names no message."""
    try:
        word, provider_id = str(event["eventType"]), str(event["messageId"])
        context = event.get("context") or {}
        stamped = event.get("eventTimestamp")
        occurred_at = min(from_micros(int(stamped) * _MILLISECOND), received_at) if stamped else received_at
        ours = context.get(MESSAGE_TAG)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise InputError("this is no SMS event: it has no messageId, or a timestamp that is none.") from None
    return ProviderReport(
        kind=_KINDS.get(word, ReportKind.UNKNOWN),
        message_id=str(ours) if ours else None,
        provider_id=provider_id,
        occurred_at=occurred_at,
        sub_kind=word[:50],
    )
