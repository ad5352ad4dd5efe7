"""Text messages that people send to one of our numbers (two-way SMS of AWS End User Messaging), in our words.

Shape: https://docs.aws.amazon.com/sms-voice/latest/userguide/two-way-sms-payload.html.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.errors import InputError

_MAX_TEXT = 5_000
_NOT_A_LETTER = re.compile(r"[\W\d_]+")


class Word(StrEnum):
    """What a whole message asks for, where it is one of the words that everybody may rely on."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    OTHER = "other"


# The Federal Communications Commission's list (47 CFR 64.1200(a)(10)) and the carriers' customary ones.
_WORDS = {
    **dict.fromkeys(("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke"), Word.STOP),
    **dict.fromkeys(("start", "unstop"), Word.START),
    **dict.fromkeys(("help", "info"), Word.HELP),
}
_REFUSING = re.compile(
    r"\b(stop|unsubscribe|cancel|quit|opt\W?out|revoke|remove|delete|leave me|no more|don.?t (text|call|send|contact))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class InboundText:
    """One message to us. `reply_to` is the provider's id of the message that was answered, where it is known."""

    provider_id: str
    origin: str = field(repr=False)
    destination: str
    text: str = field(repr=False)
    received_at: datetime
    reply_to: str | None = None

    @property
    def word(self) -> Word:
        return read_word(self.text)

    @property
    def may_refuse(self) -> bool:
        """Whether the text, though no word of the list, may well say that somebody wants to be left alone."""
        return _REFUSING.search(self.text) is not None


def read_word(text: str) -> Word:
    """What `text` as a whole asks for: letter case, blanks and signs do not matter (`Opt-out!` is OPTOUT)."""
    return _WORDS.get(_NOT_A_LETTER.sub("", text).casefold(), Word.OTHER)


def is_inbound_text(event: Mapping[str, Any]) -> bool:
    return "inboundMessageId" in event and "messageBody" in event


def read_inbound_text(event: Mapping[str, Any], received_at: datetime) -> InboundText:
    """Raises InputError when numbers or text are missing."""
    parts = [event.get(name) for name in ("inboundMessageId", "originationNumber", "destinationNumber", "messageBody")]
    if not all(isinstance(part, str) for part in parts) or not all(parts[:3]):
        raise InputError("this is no inbound text message: it lacks its id, a number or its text.")
    number, origin, destination, text = map(str, parts)
    previous = event.get("previousPublishedMessageId")
    return InboundText(
        number[:120],
        origin,
        destination,
        text[:_MAX_TEXT],
        received_at,
        previous[:120] if isinstance(previous, str) and previous else None,
    )
