"""Reads a raw MIME message as far as a person wants to look at it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import getaddresses


@dataclass(frozen=True, slots=True)
class RawMail:
    """The first text and HTML part; `recipients` are those of To and Cc as bare addresses."""

    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]


def read_mime(data: bytes) -> RawMail:
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    headers = tuple((name, str(value)) for name, value in message.items())
    addressed = [str(value) for name in ("To", "Cc") for value in message.get_all(name, [])]
    return RawMail(
        sender=str(message.get("From", "")),
        recipients=tuple(address for _, address in getaddresses(addressed) if address),
        subject=str(message.get("Subject", "")),
        text=_part(message, "plain"),
        html=_part(message, "html"),
        headers=headers,
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part else ""
