"""One event of AWS, of whichever service: told apart by its shape, because one topic may carry them all."""

from __future__ import annotations

from datetime import datetime

import msgspec

from core.errors import InputError
from delivery.callbacks.ses_events import ProviderReport, read_ses_event
from delivery.callbacks.sms_events import is_sms_event, read_sms_event


def read_event(text: str, received_at: datetime) -> ProviderReport:
    """The report in the text of a notification; raises InputError when it is of no known shape."""
    try:
        event = msgspec.json.decode(text, type=dict)
    except msgspec.DecodeError as error:
        raise InputError(f"this notification holds no JSON object: {error}.") from None
    return read_sms_event(event, received_at) if is_sms_event(event) else read_ses_event(event, received_at)
