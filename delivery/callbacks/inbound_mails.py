"""Mail that SES received for us, as its SNS or S3 action announces it: only where it went and its subject are read.

Shape: https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html. The content of the mail is
neither needed nor kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.errors import InputError

_MAX_RECIPIENTS = 50
_MAX_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class InboundMail:
    """One mail to us. `recipients` are the envelope's: what a List-Unsubscribe address may carry stands there."""

    provider_id: str
    recipients: tuple[str, ...] = field(repr=False)
    subject: str = field(repr=False)
    received_at: datetime


def is_inbound_mail(event: Mapping[str, Any]) -> bool:
    return event.get("notificationType") == "Received"


def read_inbound_mail(event: Mapping[str, Any], received_at: datetime) -> InboundMail:
    """Raises InputError when it names no mail or nobody whom it was for."""
    try:
        mail = event["mail"]
        recipients = (event.get("receipt") or {}).get("recipients") or mail["destination"]
        subject = (mail.get("commonHeaders") or {}).get("subject") or ""
        provider_id = str(mail["messageId"])
        addresses = tuple(str(one)[:_MAX_LENGTH] for one in recipients[:_MAX_RECIPIENTS])
    except (KeyError, TypeError, AttributeError):
        raise InputError("this is no received mail: it has no mail.messageId or no recipients.") from None
    return InboundMail(provider_id[:120], addresses, str(subject)[:_MAX_LENGTH], received_at)
