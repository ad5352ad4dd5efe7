"""The values that the sandbox keeps: one message as it was accepted, and one thing that then happened to
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"


@dataclass(frozen=True, slots=True)
class Message:
    """A mail, an SMS or a call. `headers` keep their order and duplicates; `tags` are the sender's (EmailTags, or the
    Context of the others).
    """

    seq: int
    kind: Kind
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    tags: dict[str, str]
    configuration_set: str
    received_at: datetime
    operation: str
    message_type: str = ""
    """TRANSACTIONAL or PROMOTIONAL for an SMS, empty for a mail."""


@dataclass(frozen=True, slots=True)
class Happening:
    """An event of one message, in the provider's words (`Delivery`, `TEXT_DELIVERED`)."""

    seq: int
    kind: str
    recipient: str
    occurred_at: datetime
    note: str = ""


def bare_address(address: str) -> str:
    """`name@domain` of `Name <name@domain>`."""
    return address.rpartition("<")[2].rstrip("> ").strip() if "<" in address else address.strip()
