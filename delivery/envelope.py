"""What composing makes of a message: an envelope that a transport can hand over, or the reason there is none.

An envelope is never stored: it holds the address and the rendered content in clear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from delivery.pieces import Pieces
from delivery.tables import MessageKind


@dataclass(frozen=True, slots=True, repr=False)
class Envelope:
    """Everything one delivery attempt needs.

    `sender` and `reply_to` are in RFC 5322 form (`Anna <anna@acme.example>`) for e-mail, a number or sender id for SMS.
    `links` maps the numbers of links that were made for this message alone to their destinations. `opens` says what
    the picture of a mail tells (individual, aggregate or off), None where a channel has no pictures. `pieces` and
    `text_pieces` tell the template's own words in `html` and `text` from the recipient's. `transport` is the sender's
    own choice, empty for the one that serves the channel; `details` is what one channel alone knows: the columns of a
    letter, the method of a webhook, the voice of a call, `ttl_s` for how long a provider may try.
    """

    message_id: str
    channel: str
    kind: MessageKind
    recipient: str
    lookup: str
    sender: str
    text: str
    subject: str = ""
    html: str = ""
    reply_to: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    configuration_set: str = ""
    template_hash: str = ""
    opens: str | None = None
    decision_id: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    pieces: Pieces | None = None
    text_pieces: Pieces | None = None
    transport: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def route(self) -> str:
        """Under which name the registry of transports has the one for this envelope."""
        return f"{self.channel}:{self.transport}" if self.transport else self.channel

    @property
    def recipient_domain(self) -> str:
        return self.recipient.rpartition("@")[2].lower() if self.channel == "email" else ""

    def __repr__(self) -> str:
        return f"Envelope({self.message_id}, {self.channel})"


@dataclass(frozen=True, slots=True)
class NotSent:
    """A message that cannot be composed, with the reason that its row will carry."""

    message_id: str
    reason: str
    detail: str = ""


Composed = Envelope | NotSent
MessageRow = Any  # a row of `delivery.tables.message`
