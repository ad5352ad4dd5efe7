"""Segment's HTTP event spec, read from the wire: what was called, about whom, and when by our clock. Pure.

A call that makes no sense is answered with its reason beside the good ones, because an SDK that is told 400 throws its
whole batch away. What calls mean for profiles, log and orders is the business of `event_mapping` and `record_calls`.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import msgspec

from core.clock import in_utc
from core.errors import InputError

MAX_BODY: Final = 1_000_000  # bytes as they arrive
MAX_UNPACKED: Final = 5_000_000
MAX_CALL: Final = 64_000
MAX_CALLS: Final = 2_500
_MAX_ID: Final = 120
_GZIP: Final = b"\x1f\x8b"
_FAULTS: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class CallKind(StrEnum):
    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    GROUP = "group"
    ALIAS = "alias"


class TooBigError(InputError):
    """More bytes than a request may have."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `occurred_at` is when it happened by our clock; `key` names it among the calls of its source."""

    kind: CallKind
    key: str
    occurred_at: datetime
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None
    group_id: str | None = None
    name: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    traits: Mapping[str, Any] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Left:
    """A call that was left out: its place in the batch, from 0, why, and what was sent."""

    index: int
    reason: str
    document: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Posted:
    """What one request holds; `write_key` is the one in its body."""

    calls: tuple[tuple[int, Call], ...]
    left: tuple[Left, ...]
    write_key: str | None


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


class _WireBatch(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw]
    sent_at: str | None = None
    write_key: str | None = None
    context: dict[str, Any] | None = None


class _WireHead(msgspec.Struct, rename="camel"):
    """What a single call has beside the call."""

    write_key: str | None = None


_read_call = msgspec.json.Decoder(_WireCall).decode
_read_batch = msgspec.json.Decoder(_WireBatch).decode
_read_head = msgspec.json.Decoder(_WireHead).decode


def unpack(body: bytes, encoding: str) -> bytes:
    """`body` without its gzip, which is told by its header or, as some SDKs mislabel it, by its first bytes.

    Raises TooBigError, and InputError for a body that does not unpack.
    """
    if encoding.strip().lower() != "gzip" and not body.startswith(_GZIP):
        return body
    unpacker = zlib.decompressobj(wbits=31)
    try:
        unpacked = unpacker.decompress(body, MAX_UNPACKED + 1)
    except zlib.error:
        raise InputError("the body is no gzip: send it plain, or packed and labelled so.") from None
    if len(unpacked) > MAX_UNPACKED:
        raise TooBigError(f"the body is unpacked larger than {MAX_UNPACKED:,} bytes: send smaller batches.")
    if not unpacker.eof:
        raise InputError("the body's gzip ends too early: send it again.")
    return unpacked


def read_batch(body: bytes, received_at: datetime) -> Posted:
    """The calls of `POST /v1/batch`. Raises InputError when the body is no batch at all."""
    try:
        wire = _read_batch(body)
    except _FAULTS as error:
        raise InputError(f'the body is no batch: send {{"batch": [ … ]}} as JSON ({error}).') from None
    if len(wire.batch) > MAX_CALLS:
        raise TooBigError(f"the batch has more than {MAX_CALLS:,} calls: send smaller batches.")
    return _posted([bytes(raw) for raw in wire.batch], None, wire, received_at)


def read_single(body: bytes, kind: CallKind, received_at: datetime) -> Posted:
    """The one call of `POST /v1/track` and its like. Raises InputError when the body is no JSON object."""
    try:
        head = _read_head(body)
    except _FAULTS as error:
        raise InputError(f"the body is no JSON object: send one call ({error}).") from None
    return _posted([body], kind, _WireBatch(batch=[], write_key=head.write_key), received_at)


def _posted(raws: list[bytes], kind: CallKind | None, wire: _WireBatch, received_at: datetime) -> Posted:
    calls, left = [], []
    for index, raw in enumerate(raws):
        try:
            calls.append((index, _call(raw, kind, wire, received_at)))
        except InputError as error:
            left.append(Left(index, str(error), raw.decode("utf-8", "replace")))
        except _FAULTS as error:
            left.append(Left(index, f"it cannot be read: {error}", raw.decode("utf-8", "replace")))
    return Posted(tuple(calls), tuple(left), wire.write_key)


def _call(raw: bytes, kind: CallKind | None, batch: _WireBatch, received_at: datetime) -> Call:
    if len(raw) > MAX_CALL:
        raise InputError(f"it is larger than {MAX_CALL:,} bytes.")
    wire = _read_call(raw)
    documents = (wire.properties or {}, wire.traits or {}, {**(batch.context or {}), **(wire.context or {})})
    _check_storable(documents)
    return Call(
        kind or _kind(wire.kind),
        _key(wire.message_id, raw),
        occurred_at(
            happened=wire.original_timestamp or wire.timestamp,
            sent=wire.sent_at or batch.sent_at,
            received_at=received_at,
        ),
        user_id=_id(wire.user_id),
        anonymous_id=_id(wire.anonymous_id),
        previous_id=_id(wire.previous_id),
        group_id=_id(wire.group_id),
        name=wire.event or wire.name,
        properties=documents[0],
        traits=documents[1],
        context=documents[2],
    )


def occurred_at(*, happened: str | None, sent: str | None, received_at: datetime) -> datetime:
    """When a call happened by our clock: `received - (sent - happened)`, as Segment does, and never in the future.

    A device's clock may be years off, but the time between happening and sending is right by any clock.
    """
    if happened is None:
        return received_at
    happened_at = _instant(happened, "timestamp")
    try:
        instant = received_at - (_instant(sent, "sentAt") - happened_at) if sent is not None else happened_at
    except OverflowError:
        raise InputError("its timestamp and sentAt are ages apart.") from None
    return min(instant, received_at)


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


def _key(message_id: str | None, raw: bytes) -> str:
    """What makes the same call, sent again, the same: its id, or for want of one its content."""
    if message_id and len(message_id) <= _MAX_ID and message_id.isprintable():
        return message_id
    return hashlib.sha256(message_id.encode("utf-8", "replace") if message_id else raw).hexdigest()


def _id(value: str | int | None) -> str | None:
    return None if value is None else str(value).strip() or None


def _check_storable(documents: tuple[Mapping[str, Any], ...]) -> None:
    """Refuse what a database cannot hold as text or number."""
    try:
        encoded = msgspec.json.encode(documents)
    except (OverflowError, msgspec.EncodeError, RecursionError):
        raise InputError("it holds a number that is too large.") from None
    if b"\\u0000" in encoded:
        raise InputError("it holds the character U+0000, which no database stores.")
