"""How simulated people answer to what they are sent: whether and when they open and click, by a hash.

A stated model and no forecast. The same message gets the same answer in every run, and another seed gives another
population of answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from struct import unpack

from core.errors import InputError

_WHOLE = 2**32
_SOON = timedelta(hours=48)  # within which nearly everybody answers who answers at all
_AFTER_OPENING = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Response:
    name: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Responses:
    """`opens` and `clicks` are shares of the messages sent, 0 to 1; a click comes after an opening where there is one.

    Half of the openings come within three hours, and all within two days.
    """

    opens: float = 0.0
    clicks: float = 0.0
    seed: str = ""

    def of(self, message_id: str, channel: str, sent_at: datetime) -> Iterator[Response]:
        """What follows one message, in order of time."""
        if not (self.opens or self.clicks):
            return
        digest = hashlib.sha256(f"{self.seed}:{message_id}".encode()).digest()
        opening, delay, clicking, pause = (lot / _WHOLE for lot in unpack(">4I", digest[:16]))
        clicks, opens = clicking < self.clicks, opening < self.opens
        if not (clicks or opens):
            return
        opened_at = sent_at + _whole_seconds(_SOON * delay**4)
        if channel == "email" and (opens or (clicks and self.opens > 0)):
            yield Response("message_opened", opened_at)
        if clicks:
            yield Response("link_clicked", opened_at + _whole_seconds(_AFTER_OPENING * pause))


def parse_responses(text: str) -> Responses:
    """`opens=0.3,clicks=0.03,seed=spring`. Raises InputError for what it does not know."""
    values = {"opens": "0", "clicks": "0", "seed": ""}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, sign, value = part.partition("=")
        if name not in values or not sign:
            raise InputError(f"'{part}' is no response: write opens=0.3,clicks=0.03,seed=any-word.")
        values[name] = value
    return Responses(_share("opens", values["opens"]), _share("clicks", values["clicks"]), values["seed"])


def _share(name: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise InputError(f"{name}={text} is no share: write a number from 0 to 1, such as {name}=0.3.")
    return share


def _whole_seconds(duration: timedelta) -> timedelta:
    return timedelta(seconds=1 + int(duration.total_seconds()))
