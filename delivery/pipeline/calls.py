"""One call of a provider and what it came to, in the ledger's words. Nothing is written here.

Whatever happens in a call is an outcome: an error that nobody foresaw is one message whose outcome is unknown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from delivery.envelope import Envelope, MessageRow
from delivery.facts import Gathered
from delivery.ledger import STUCK, Outcome, back_off
from delivery.pace import Pace
from delivery.providers.transport import Accepted, BulkTransport, Reaction, Transport, TransportError
from delivery.tables import MessageKind, MessageStatus

log = logging.getLogger(__name__)

_KEEPS_ITS_TURN = frozenset(
    {
        Reaction.RETRY,
        Reaction.SLOW_DOWN,
        Reaction.PAUSE_CHANNEL,
        Reaction.WAIT_FOR_QUOTA,
        Reaction.PAUSE_SENDER,
        Reaction.STOP,
    }
)


@dataclass(frozen=True, slots=True)
class Ready:
    """A composed message that waits for a caller, with what its composing was based on."""

    row: MessageRow
    envelope: Envelope
    gathered: Gathered


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is over."""

    row: MessageRow
    route: str
    outcome: Outcome
    error: TransportError | None = None


def call(
    transports: Mapping[str, Transport], parcel: Sequence[Ready], pace: Pace, clock: Callable[[], datetime]
) -> list[Call]:
    """Hand a parcel over, once, when its turn has come; answers what each of its messages came to."""
    route, now = parcel[0].envelope.route, clock()
    name, results = route, list[Accepted | TransportError]()
    try:
        transport = transports[route]
        name = transport.name
        pace.wait(route, len(parcel))
        results = _send(transport, [one.envelope for one in parcel])
    except TransportError as error:
        results = [error] * len(parcel)
    except Exception as error:  # a bug in one call must not leave others without outcomes
        log.exception("%s failed in an unforeseen way", name)
        results = [TransportError(Reaction.UNKNOWN, type(error).__name__)] * len(parcel)
    return [_ended(one.row, route, name, result, now) for one, result in zip(parcel, results, strict=True)]


def count_together(transport: Transport, envelopes: Sequence[Envelope]) -> int:
    """How many of `envelopes`, from the first on, go in one call."""
    return transport.count_together(envelopes) if _takes_several(type(transport)) else 1  # type: ignore[attr-defined]


@lru_cache
def _takes_several(kind: type[Transport]) -> bool:
    """Asked for each call, and slow to find out."""
    return issubclass(kind, BulkTransport)


def _send(transport: Transport, envelopes: Sequence[Envelope]) -> list[Accepted | TransportError]:
    if len(envelopes) > 1 and isinstance(transport, BulkTransport):
        return transport.send_together(envelopes)
    return [transport.send(envelope) for envelope in envelopes]


def _ended(row: MessageRow, route: str, name: str, result: Accepted | TransportError, now: datetime) -> Call:
    attempt = row.attempt_count + 1
    if isinstance(result, TransportError):
        return Call(row, route, _failure(row, attempt, name, result, now), result)
    taken = Outcome(
        row.id, attempt, MessageStatus.SENT, "accepted", name, provider_id=result.provider_id, started_at=now
    )
    return Call(row, route, taken)


def _failure(row: MessageRow, attempt: int, provider: str, error: TransportError, now: datetime) -> Outcome:
    def outcome(status: MessageStatus, word: str, until: datetime | None = None) -> Outcome:
        return Outcome(row.id, attempt, status, word, provider, error_code=error.code, until=until, started_at=now)

    if error.reaction in _KEEPS_ITS_TURN:
        again_at = now + back_off(attempt)
        return outcome(MessageStatus.DUE, "retry", min(again_at, row.expires_at) if row.expires_at else again_at)
    if error.reaction in (Reaction.REJECT, Reaction.OPT_OUT):
        return outcome(MessageStatus.FAILED, "failed")
    if row.kind == MessageKind.TRANSACTIONAL and attempt < 2:
        return outcome(MessageStatus.DUE, "unknown", now + STUCK)
    return outcome(MessageStatus.UNKNOWN, "unknown")
