"""The contract of a transport: one call hands one envelope over, or says exactly what is known about the failure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from delivery.envelope import Envelope


class Reaction(StrEnum):
    """What the worker does about a failed call; docs/delivery.md has the table."""

    RETRY = "retry"  # not accepted: due again after a back-off
    SLOW_DOWN = "slow_down"  # not accepted: due again, at half the rate
    PAUSE_CHANNEL = "pause_channel"  # not accepted, and nobody is marked failed
    WAIT_FOR_QUOTA = "wait_for_quota"  # the day's amount is used up: the channel pauses, and goes on by itself
    PAUSE_SENDER = "pause_sender"
    STOP = "stop"  # everything, no automatic resume
    REJECT = "reject"  # permanent for this message
    UNKNOWN = "unknown"  # accepted or not: nobody can tell


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message under its own id."""

    provider_id: str


class TransportError(Exception):
    """The call failed; `code` is the provider's word, `reaction` ours. Never carries an address."""

    def __init__(self, reaction: Reaction, code: str, text: str = "") -> None:
        super().__init__(f"{code}: {text}" if text else code)
        self.reaction = reaction
        self.code = code
        self.text = text


class Transport(Protocol):
    """One provider for one channel; `send` is called by several threads at once."""

    @property
    def name(self) -> str: ...

    @property
    def channel(self) -> str: ...

    def send(self, envelope: Envelope) -> Accepted:
        """Hand over one envelope, once; never retries by itself. Raises TransportError."""
        ...

    def read_rate(self) -> float | None:
        """The provider's limit in recipients a second, None for unlimited; raises TransportError."""
        ...
