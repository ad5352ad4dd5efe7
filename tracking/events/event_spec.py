"""Segment's HTTP event spec, read from the wire: what was called, about whom, and when by our clock. Pure.

A call that makes no sense is answered with its reason beside the good ones, because an SDK that is told 400 throws its
whole batch away. What calls mean for profiles, log and orders is the business of `event_mapping` and `record_calls`;
`posthog` reads the calls of PostHog's clients into the same `Call`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec

from core.clock import in_utc
from core.errors import InputError
from tracking.events.envelope import Envelope, check_storable

_MAX_ID: Final = 120
_FIRST_INSTANT: Final = datetime(2000, 1, 1, tzinfo=UTC)  # before it clocks are wrong
_MAX_AHEAD: Final = timedelta(days=366)  # by so much a clock may be fast; a year away it says nothing


class CallKind(StrEnum):
    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"


class Call(msgspec.Struct, frozen=True):
    """One call. `occurred_at` is when it happened by our clock; `key` names it among the calls of its source."""

    kind: CallKind
    key: str
    occurred_at: datetime
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    group_id: str | None = None
    name: str | None = None
    properties: Mapping[str, Any] = {}
    traits: Mapping[str, Any] = {}
    context: Mapping[str, Any] = {}
    is_unnamed: bool = False  # counted without a person, as whoever did it wishes


class Left(msgspec.Struct, frozen=True):
    """A call that was left out: its place in the batch, from 0, why, and what was sent."""

    index: int
    reason: str
    document: str = ""

    def __repr__(self) -> str:
        return f"Left({self.index}, {self.reason!r})"  # the document is personal


@dataclass(frozen=True, slots=True)
class Posted:
    """What one request holds; `write_keys` are those in its body."""

    calls: tuple[tuple[int, Call], ...]
    left: tuple[Left, ...]
    write_keys: tuple[str, ...] = ()


class _WireCall(msgspec.Struct, rename="camel"):
    kind: str | None = msgspec.field(name="type", default=None)
    message_id: str | None = None
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    previous_id: str | int | None = None
    group_id: str | int | None = None
    event: str | None = None
    name: str | None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    sent_at: str | None = None
    properties: dict[str, Any] | None = None
    traits: dict[str, Any] | None = None
    context: dict[str, Any] | None = None


_read_call = msgspec.json.Decoder(_WireCall).decode


def read_call(raw: bytes, kind: CallKind | None, envelope: Envelope, received_at: datetime) -> Call:
    """One call; `kind` is the one that the address names. Raises InputError, or one of `envelope.FAULTS`."""
    wire = _read_call(raw)
    kind = kind or _kind(wire.kind)
    context = {**envelope.context, **(wire.context or {})}
    properties, traits = wire.properties or {}, wire.traits or {}
    check_storable(raw, (properties, traits, context))
    if kind is CallKind.IDENTIFY and isinstance(context.get("traits"), dict):
        traits = {**context["traits"], **traits}  # where RudderStack's clients put them
    return Call(
        kind,
        call_key(wire.message_id, raw),
        occurred_at(
            happened=wire.original_timestamp or wire.timestamp,
            sent=wire.sent_at or envelope.sent_at,
            received_at=received_at,
        ),
        user_id=read_id(wire.user_id),
        anonymous_id=read_id(wire.anonymous_id),
        previous_id=read_id(wire.previous_id),
        group_id=read_id(wire.group_id),
        name=wire.event or wire.name,
        properties=properties,
        traits=traits,
        context=context,
    )


def occurred_at(*, happened: str | None, sent: str | None, received_at: datetime) -> datetime:
    """When a call happened by our clock: `received - (sent - happened)`, as Segment does, and never in the future.

    A device's clock may be years off, but the time between happening and sending is right by any clock. Raises
    InputError for what is no instant, and for one that comes out before 2000 or a year ahead.
    """
    if happened is None:
        return received_at
    happened_at = _instant(happened, "timestamp")
    try:
        instant = received_at - (_instant(sent, "sentAt") - happened_at) if sent is not None else happened_at
    except OverflowError:
        raise InputError("its timestamp and sentAt are ages apart.") from None
    if not _FIRST_INSTANT <= instant <= received_at + _MAX_AHEAD:
        raise InputError(f"its timestamp is of the year {instant.year}: set the sender's clock, or send sentAt.")
    return min(instant, received_at)


def call_key(message_id: str | None, raw: bytes) -> str:
    """What makes the same call, sent again, the same: its id, or for want of one its content."""
    if message_id and len(message_id) <= _MAX_ID and message_id.isprintable():
        return message_id
    return hashlib.sha256(message_id.encode("utf-8", "replace") if message_id else raw).hexdigest()


def read_id(value: str | int | None) -> str | None:
    return None if value is None else str(value).strip() or None


def _instant(text: str, name: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text.strip())
        return in_utc(instant if instant.tzinfo else instant.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise InputError(f"its {name} is no instant: write 2026-06-10T08:00:00.000Z.") from None


def _kind(text: str | None) -> CallKind:
    try:
        return CallKind(text or "")
    except ValueError:
        raise InputError(f"its type {text!r} is unknown: it is one of {', '.join(CallKind)}.") from None
