"""The contract of a transport: one call hands one envelope over, or says exactly what is known about the failure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

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
    OPT_OUT = "opt_out"  # permanent, because the recipient has told the provider to stop
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


@dataclass(frozen=True, slots=True)
class SendQuota:
    """What a provider allows, in recipients: a second, and still within these 24 hours. None is unlimited."""

    rate: float | None = None
    day_left: int | None = None


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


@runtime_checkable
class QuotaReader(Protocol):
    """A transport that also knows what is left of the day's quota."""

    def read_quota(self) -> SendQuota:
        """Raises TransportError."""
        ...


def read_quota(transport: Transport) -> SendQuota:
    """What `transport` allows now. Raises TransportError."""
    return transport.read_quota() if isinstance(transport, QuotaReader) else SendQuota(transport.read_rate())


@runtime_checkable
class Closeable(Protocol):
    """A transport that keeps connections of its own."""

    def close(self) -> None: ...


@runtime_checkable
class BulkTransport(Protocol):
    """A transport that also hands over several messages in one call; each has its own outcome."""

    def count_together(self, envelopes: Sequence[Envelope]) -> int:
        """How many of `envelopes`, from the first on, fit into one call: at least 1."""
        ...

    def send_together(self, envelopes: Sequence[Envelope]) -> list[Accepted | TransportError]:
        """What each came to, in their order. Raises TransportError when the whole call failed."""
        ...
