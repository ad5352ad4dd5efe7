"""The JSON of one request, taken apart into its calls, which stay bytes: one that makes no sense spoils no other. Pure.

Three shapes are in use: one call, a list of calls, and an object with a `batch` and what holds for all of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from core.errors import InputError
from tracking.events.packing import TooBigError

MAX_CALL: Final = 64_000  # bytes
MAX_CALLS: Final = 2_500
MAX_DEPTH: Final = 32
FAULTS: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)

_NO_NUMBER: Final = "\uf8ffno number\uf8ff"  # stands for NaN and Infinity, of which JSON knows nothing
_NO_NUMBER_BYTES: Final = _NO_NUMBER.encode()
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_LONG_NUMBER: Final = re.compile(rb"\d{19}")
_MAX_INTEGER: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Envelope:
    """The calls of a request; `write_keys` are those found in it, `sent_at` and `context` hold for every call."""

    calls: Sequence[bytes]
    write_keys: tuple[str, ...] = ()
    sent_at: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)


class _Properties(msgspec.Struct):
    token: Any = None


class _Head(msgspec.Struct):
    """What stands beside the calls, or within a single one: each client has its own spelling."""

    batch: list[msgspec.Raw] | None = None
    key: Any = msgspec.field(name="writeKey", default=None)
    api_key: Any = None
    token: Any = None
    sent: Any = msgspec.field(name="sentAt", default=None)
    sent_at: Any = None
    context: Any = None


class _CallHead(msgspec.Struct):
    key: Any = msgspec.field(name="writeKey", default=None)
    api_key: Any = None
    token: Any = None
    properties: _Properties | None = None


_read_head = msgspec.json.Decoder(_Head).decode
_read_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_call_head = msgspec.json.Decoder(_CallHead).decode


def open_batch(body: bytes) -> Envelope:
    """A `batch` or a bare list. Raises InputError when the body is neither, TooBigError for too many calls."""
    envelope = _open(body)
    if envelope is None:
        raise InputError('the body is no batch: send {"batch": [ … ]} as JSON.')
    return envelope


def open_any(body: bytes) -> Envelope:
    """Whatever of the three shapes it is. Raises InputError when the body is no JSON of ours."""
    return _open(body) or open_single(body)


def open_single(body: bytes) -> Envelope:
    """One call. Raises InputError when the body is no JSON object."""
    head, body = _lenient(body, _read_head, "the body is no JSON object: send one call")
    return Envelope([body], _keys(head.key, head.api_key, head.token) or _keys_within([body]))


def check_storable(raw: bytes, documents: Sequence[Mapping[str, Any]]) -> None:
    """Refuse what no database holds. `raw` is the call as it was sent, `documents` what was read of it.

    Looks at bytes first, because nearly every call is harmless and each costs.
    """
    if len(raw) > MAX_CALL:
        raise InputError(f"it is larger than {MAX_CALL:,} bytes.")
    if b"\\u0000" in raw and _NUL.search(raw):
        raise InputError("it holds the character U+0000, which no database stores.")
    if _NO_NUMBER_BYTES in raw:
        raise InputError("it holds NaN or Infinity, which are no numbers in JSON.")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_deep(documents):
        raise InputError(f"it is nested deeper than {MAX_DEPTH} levels.")
    if _LONG_NUMBER.search(raw) and any(
        isinstance(leaf, int) and abs(leaf) > _MAX_INTEGER for leaf in _leaves(documents)
    ):
        raise InputError("it holds a number that is too large.")


def _open(body: bytes) -> Envelope | None:
    """A list or a batch; None for a single call."""
    if body.lstrip()[:1] == b"[":
        listed, _ = _lenient(body, _read_list, "the body is no list of calls")
        head = _Head(batch=listed)
    else:
        head, _ = _lenient(body, _read_head, 'the body is no batch: send {"batch": [ … ]} as JSON')
    if head.batch is None:
        return None
    if len(head.batch) > MAX_CALLS:
        raise TooBigError(f"the batch has more than {MAX_CALLS:,} calls: send smaller batches.")
    calls = [bytes(raw) for raw in head.batch]
    sent = head.sent or head.sent_at
    return Envelope(
        calls,
        _keys(head.key, head.api_key, head.token) or _keys_within(calls),
        sent if isinstance(sent, str) else None,
        head.context if isinstance(head.context, dict) else {},
    )


def _lenient(body: bytes, read: Any, what: str) -> tuple[Any, bytes]:
    """What `read` makes of `body`, and the body.

    Python's `json.dumps` writes NaN and half characters, which would cost the whole batch: NaN gets a mark in its
    place and half characters their bytes, so that only the call that holds them is refused.
    """
    try:
        return read(body), body
    except FAULTS as error:
        fault = InputError(f"{what} ({error}).")
    if not any(word in body for word in (b"NaN", b"Infinity", b"\\u")):
        raise fault
    try:
        text = json.dumps(json.loads(body, parse_constant=lambda _word: _NO_NUMBER), ensure_ascii=False)
        marked = text.encode("utf-8", "surrogatepass")
        return read(marked), marked
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise fault from None


def _keys(*found: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(key for key in found if key and isinstance(key, str)))


def _keys_within(calls: Sequence[bytes]) -> tuple[str, ...]:
    """The keys in the first call: clients that put one into each put the same one."""
    try:
        head = _read_call_head(calls[0]) if calls else None
    except FAULTS:
        return ()
    if head is None:
        return ()
    return _keys(head.key, head.api_key, head.token, head.properties.token if head.properties else None)


def _is_deep(documents: Sequence[Any]) -> bool:
    level: Sequence[Any] = documents
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in _children(node) if isinstance(child, Mapping | list)]
        if not level:
            return False
    return True


def _leaves(documents: Sequence[Any]) -> Iterator[Any]:
    for node in documents:
        if isinstance(node, Mapping | list):
            yield from _leaves(list(_children(node)))
        else:
            yield node


def _children(node: Mapping[str, Any] | list[Any]) -> Iterable[Any]:
    return node.values() if isinstance(node, Mapping) else node
