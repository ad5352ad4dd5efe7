"""One request of whichever client, read into calls; what cannot be read is left out with its reason. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from core.errors import InputError
from tracking.events.envelope import FAULTS, Envelope, open_any, open_batch, open_single
from tracking.events.event_spec import Call, CallKind, Left, Posted, read_call
from tracking.events.posthog import read_event


class Dialect(StrEnum):
    SEGMENT = "segment"  # of RudderStack and Jitsu as well
    POSTHOG = "posthog"


@dataclass(frozen=True, slots=True)
class Door:
    """What the address says of a request: whose client writes, and which call it is; None is a batch."""

    dialect: Dialect = Dialect.SEGMENT
    kind: CallKind | None = None


class Unread(msgspec.Struct, frozen=True):
    """A call that could not be read, with all that is needed to read it again."""

    call: str
    dialect: Dialect
    kind: CallKind | None = None
    sent_at: str | None = None


def read_request(body: bytes, door: Door, received_at: datetime) -> Posted:
    """The calls of an unpacked body. Raises InputError when it holds nothing of ours, TooBigError for too much."""
    if door.dialect is Dialect.POSTHOG:
        envelope = open_any(body)
    else:
        envelope = open_batch(body) if door.kind is None else open_single(body)
    calls: list[tuple[int, Call]] = []
    left: list[Left] = []
    for index, raw in enumerate(envelope.calls):
        try:
            calls += [(index, call) for call in _read(raw, door, envelope, received_at)]
        except InputError as error:
            left.append(_left(index, str(error), raw, door, envelope))
        except FAULTS as error:
            left.append(_left(index, f"it cannot be read: {error}", raw, door, envelope))
    return Posted(tuple(calls), tuple(left), envelope.write_keys)


def read_again(unread: Unread, received_at: datetime) -> list[Call]:
    """What a call says that could not be read then, by the rules of now. Raises InputError when it still cannot."""
    try:
        return _read(
            unread.call.encode(), Door(unread.dialect, unread.kind), Envelope([], (), unread.sent_at), received_at
        )
    except FAULTS as error:
        raise InputError(f"it cannot be read: {error}") from None


def _read(raw: bytes, door: Door, envelope: Envelope, received_at: datetime) -> list[Call]:
    if door.dialect is Dialect.POSTHOG:
        return read_event(raw, envelope, received_at)
    return [read_call(raw, door.kind, envelope, received_at)]


def _left(index: int, reason: str, raw: bytes, door: Door, envelope: Envelope) -> Left:
    unread = Unread(raw.decode("utf-8", "replace"), door.dialect, door.kind, envelope.sent_at)
    return Left(index, reason, msgspec.json.encode(unread).decode())
