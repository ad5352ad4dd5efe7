"""What a call of the transactional API may say: its shape and bounds, and the hash that tells two calls apart.

Pure: nothing is looked up here. Faults name the place in the body, never a value.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from core.errors import InputError
from core.ids import derived_id

MAX_BODY: Final = 1_000_000
MAX_ENTRIES: Final = 100
_MAX_DATA: Final = 64_000
_MAX_AHEAD: Final = timedelta(days=366)
_HASH_DIGITS: Final = 36
_MAX_KEY: Final = 200
_KEY_HINT: Final = "give it an Idempotency-Key (a header, or `key`), such as order-4711, so that no retry sends twice"

_Template = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,100}\Z")]
_Name = Annotated[str, Meta(min_length=1, max_length=254)]
_Key = Annotated[str, Meta(min_length=1, max_length=_MAX_KEY)]
_T = TypeVar("_T")


class Recipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who gets it: our own number, or what the shop knows of them. An address that is given is the one written to."""

    external_id: _Name | None = None
    email: _Name | None = None
    phone: _Name | None = None
    profile_id: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)] | None = None


class MessageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One message; templates read `data` as `entry`."""

    template: _Template
    to: Recipient
    data: dict[str, Any] = {}
    send_at: Annotated[datetime, Meta(tz=True)] | None = None
    key: _Key | None = None


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    messages: Annotated[list[MessageRequest], Meta(min_length=1, max_length=MAX_ENTRIES)]


@dataclass(frozen=True, slots=True)
class Submission:
    """A request with its idempotency key, and when it came."""

    request: MessageRequest
    key: str
    received_at: datetime

    @property
    def message_id(self) -> str:
        """The same for the same key, whoever asks, so that a retry through another server is still a retry."""
        return derived_id("api", self.key)

    def fingerprint(self, secret: bytes) -> str:
        """What tells the same call from another under the same key; keyed, because bodies can be guessed."""
        body = msgspec.json.encode(msgspec.structs.replace(self.request, key=None), order="deterministic")
        return hmac.new(secret, body, hashlib.sha256).hexdigest()[:_HASH_DIGITS]


_single: msgspec.json.Decoder[MessageRequest] = msgspec.json.Decoder(MessageRequest)
_batch: msgspec.json.Decoder[_Batch] = msgspec.json.Decoder(_Batch)


def read_message(body: bytes, header_key: str | None, received_at: datetime) -> Submission:
    """`POST /v1/messages`. Raises InputError."""
    request = _decode(_single, body)
    if header_key and request.key and header_key != request.key:
        raise InputError("the header Idempotency-Key and `key` differ: leave one of them out.")
    return _submission(request, request.key or header_key, received_at)


def read_messages(body: bytes, header_key: str | None, received_at: datetime) -> list[Submission]:
    """`POST /v1/messages/batch`: an entry without a key has the request's, with its place. Raises InputError."""
    requests = _decode(_batch, body).messages
    return [
        _submission(request, request.key or (f"{header_key}:{place}" if header_key else None), received_at)
        for place, request in enumerate(requests)
    ]


def _decode(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InputError(f"this is no message: {error}.") from None
    except (msgspec.DecodeError, RecursionError):
        raise InputError('write a JSON object such as {"template": "…", "to": {"email": "…"}, "data": {}}.') from None


def _submission(request: MessageRequest, key: str | None, received_at: datetime) -> Submission:
    to = request.to
    if not key or len(key) > _MAX_KEY:
        raise InputError(f"{_KEY_HINT}; it has at most {_MAX_KEY} characters.")
    if to.profile_id is None and not (to.external_id or to.email or to.phone):
        raise InputError("`to` names nobody: write external_id, email, phone or profile_id.")
    if to.profile_id is not None and (to.external_id or to.email or to.phone):
        raise InputError("`to` has a profile_id beside other names: leave one of them out.")
    if len(msgspec.json.encode(request.data)) > _MAX_DATA:
        raise InputError(f"`data` has more than {_MAX_DATA:,} bytes: send what the template shows, and no more.")
    if request.send_at is not None and request.send_at > received_at + _MAX_AHEAD:
        raise InputError("`send_at` is more than a year ahead.")
    return Submission(request, key, received_at)
