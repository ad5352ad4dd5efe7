"""Takes one request of the event spec: finds the write key, reads the calls, and answers once they are durable.

It knows no web framework; `web` hands it headers and body. SDKs try again on 429 and 5xx with the same ids and throw
their batch away on 400, so only a body that is no JSON of ours gets a 400.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from core.errors import EnvironmentFaultError, InputError, PermanentError, TransientError
from core.runtime import Runtime
from tracking.event_spec import CallKind, Posted, TooBigError, read_batch, read_single, unpack
from tracking.ingestion import Ingestion
from tracking.record_calls import CallBatch, Taken
from tracking.write_keys import WriteKey, find_write_key

_KEY_LIFE_S: Final = 30.0  # so long a revoked key may still be believed
_REMEMBERED_KEYS: Final = 1_000
_MAX_REASONS: Final = 20


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    document: Mapping[str, Any]
    retry_after_s: int | None = None


class Collector:
    """One for a process; `take` is called by every request."""

    def __init__(self, runtime: Runtime, ingestion: Ingestion[Any]) -> None:
        self._runtime = runtime
        self._ingestion = ingestion
        self._keys: dict[str, tuple[float, WriteKey | None]] = {}

    async def take(self, kind: CallKind | None, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to `POST /v1/batch` (`kind` None) or to a single call; header names in small letters."""
        received_at = self._runtime.clock.now()
        try:
            body = unpack(body, headers.get("content-encoding", ""))
            posted = read_batch(body, received_at) if kind is None else read_single(body, kind, received_at)
            written_by = await self._authenticate(headers, posted)
            if written_by is None:
                return Answer(401, {"error": "the write key is missing or unknown."})
            taken = await self._ingestion.submit(CallBatch(posted.calls, written_by, received_at, posted.left))
        except TooBigError as error:
            return Answer(413, {"error": str(error)})
        except InputError as error:
            return Answer(400, {"error": str(error)})
        except PermanentError as error:
            return _tell(posted, Taken(0), str(error))
        except (TransientError, EnvironmentFaultError, SQLAlchemyError):
            return Answer(503, {"error": "nothing can be stored at the moment: send it again."}, retry_after_s=5)
        return _tell(posted, taken)

    async def _authenticate(self, headers: Mapping[str, str], posted: Posted) -> WriteKey | None:
        key = _basic_user(headers.get("authorization", "")) or headers.get("x-write-key") or posted.write_key
        if not key:
            return None
        known_until, written_by = self._keys.get(key, (0.0, None))
        if known_until < time.monotonic():
            written_by = await asyncio.to_thread(self._find, key)
            if len(self._keys) >= _REMEMBERED_KEYS:
                self._keys.clear()  # only somebody who guesses keys gets here
            self._keys[key] = (time.monotonic() + _KEY_LIFE_S, written_by)
        return written_by

    def _find(self, key: str) -> WriteKey | None:
        with self._runtime.database.read() as connection:
            return find_write_key(connection, self._runtime.vault, key)


def _tell(posted: Posted, taken: Taken, refusal: str | None = None) -> Answer:
    """200, whatever was left out: the good calls are stored, and sending the others again would not help them."""
    left = sorted((*posted.left, *taken.left), key=lambda item: item.index)
    reasons = [{"index": item.index, "reason": item.reason} for item in left]
    refused_count = len(left)
    if refusal is not None:
        reasons = [{"index": index, "reason": refusal} for index, _ in posted.calls] + reasons
        refused_count += len(posted.calls)
    document: dict[str, Any] = {"success": True, "accepted": taken.accepted, "left_out": refused_count}
    if reasons:
        document["reasons"] = reasons[:_MAX_REASONS]
    if taken.remarks:
        document["remarks"] = list(taken.remarks[:_MAX_REASONS])
    return Answer(200, document)


def _basic_user(authorization: str) -> str | None:
    """The user name of Basic authentication (RFC 7617), which is where SDKs put the write key."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[0] or None
    except (binascii.Error, UnicodeDecodeError):
        return None
