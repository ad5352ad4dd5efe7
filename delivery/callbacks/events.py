"""One event of AWS, of whichever service: told apart by its shape, because one topic may carry them all."""

from __future__ import annotations

from datetime import datetime

from delivery.callbacks.inbound_mails import InboundMail, is_inbound_mail, read_inbound_mail
from delivery.callbacks.inbound_texts import InboundText, is_inbound_text, read_inbound_text
from delivery.callbacks.notifications import decode_object
from delivery.callbacks.ses_events import ProviderReport, read_ses_event
from delivery.callbacks.sms_events import is_sms_event, read_sms_event

Incoming = ProviderReport | InboundText | InboundMail


def read_event(text: str, received_at: datetime) -> Incoming:
    """What the text of a notification tells; raises InputError when it is of no known shape."""
    event = decode_object(text)
    if is_sms_event(event):
        return read_sms_event(event, received_at)
    if is_inbound_text(event):
        return read_inbound_text(event, received_at)
    if is_inbound_mail(event):
        return read_inbound_mail(event, received_at)
    return read_ses_event(event, received_at)
