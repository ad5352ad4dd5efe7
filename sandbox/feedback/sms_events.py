"""The events of one SMS in the words and shapes of End User Messaging, with the sender's Context. Pure.

Shape: AWS End User Messaging User Guide, "Messaging events". Parts are counted as carriers do: GSM-7 160 or
153, else 70 or 67 UTF-16 units.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.clock import to_micros
from sandbox.message import Message
from sandbox.simulator import Outcome, sms_outcome

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
_DESCRIPTIONS = {
    "SUCCESSFUL": "Message has been accepted by phone carrier",
    "DELIVERED": "Message has been accepted by phone",
    "CARRIER_UNREACHABLE": "Phone carrier is currently unreachable/unavailable",
}


@dataclass(frozen=True, slots=True)
class SmsEvent:
    """`status` is the message status; the event type is `TEXT_` and the status."""

    status: str
    final: bool

    @property
    def kind(self) -> str:
        return f"TEXT_{self.status}"

    @property
    def note(self) -> str:
        return _DESCRIPTIONS[self.status]


def sms_events_of(number: str) -> list[SmsEvent]:
    if sms_outcome(number) is Outcome.BOUNCED:
        return [SmsEvent("CARRIER_UNREACHABLE", True)]
    return [SmsEvent("SUCCESSFUL", False), SmsEvent("DELIVERED", True)]


def sms_event_document(event: SmsEvent, message: Message, now: datetime) -> dict[str, Any]:
    encoding, part_count = encoding_and_parts(message.text)
    return {
        "eventType": event.kind,
        "eventVersion": "1.0",
        "eventTimestamp": to_micros(now) // 1000,
        "isFinal": event.final,
        "originationPhoneNumber": message.sender,
        "destinationPhoneNumber": message.recipients[0],
        "isInternationalSend": False,
        "messageId": message.message_id,
        "messageRequestTimestamp": to_micros(message.received_at) // 1000,
        "messageEncoding": encoding,
        "messageType": message.message_type,
        "messageStatus": event.status,
        "messageStatusDescription": event.note,
        "context": message.tags,
        "totalMessageParts": part_count,
        "totalMessagePrice": 0.0,
        "totalCarrierFee": 0.0,
    }


def encoding_and_parts(text: str) -> tuple[str, int]:
    """(`GSM` or `Unicode`, the number of parts). An extension character counts two and is never split."""
    if all(character in _GSM or character in _GSM_EXTENSION for character in text):
        return "GSM", _parts([2 if character in _GSM_EXTENSION else 1 for character in text], 160, 153)
    return "Unicode", _parts([2 if ord(character) > 0xFFFF else 1 for character in text], 70, 67)


def _parts(sizes: list[int], alone: int, joined: int) -> int:
    if sum(sizes) <= alone:
        return 1
    part_count, filled = 1, 0
    for size in sizes:
        if filled + size > joined:
            part_count, filled = part_count + 1, 0
        filled += size
    return part_count
