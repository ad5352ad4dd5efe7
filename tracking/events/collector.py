"""Takes one request of a client: reads its calls, finds the write key, and answers once they are durable.

It knows no web framework; `web` hands it headers and body. SDKs try again on 429 and 5xx with the same ids and throw
their batch away on 400, so only a body that is no JSON of ours gets a 400.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from core.errors import EnvironmentFaultError, InputError, PermanentError, TransientError
from core.runtime import Runtime
from tracking.events.event_spec import Posted
from tracking.events.packing import TooBigError, unpack
from tracking.events.rate_limit import Buckets
from tracking.events.record_calls import CallBatch, Taken
from tracking.events.request import Door, read_request
from tracking.events.secret_keys import SecretKeys
from tracking.events.write_keys import WriteKey, WriteKeyKind
from tracking.ingestion.group_commit import Ingestion
from tracking.visitor_cookie import Visit, receive

_MAX_REASONS: Final = 20


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    document: Mapping[str, Any]
    retry_after_s: int | None = None
    set_cookie: str | None = None


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request: header names in small letters, the keys that stand in its address, and the client's network."""

    headers: Mapping[str, str]
    body: bytes
    keys: Sequence[str] = ()
    network: str = ""


class Collector:
    """One for a process; `take` is called by every request."""

    def __init__(self, runtime: Runtime, ingestion: Ingestion[Any]) -> None:
        self._runtime = runtime
        self._ingestion = ingestion
        self._keys = SecretKeys(runtime)
        self._of_keys = Buckets(runtime.settings.events_per_key_number)
        self._of_networks = Buckets(runtime.settings.events_per_network_number)

    async def take(self, door: Door, arrived: Arrived) -> Answer:
        received_at = self._runtime.clock.now()
        try:
            body = unpack(arrived.body, arrived.headers.get("content-encoding", ""))
            posted = read_request(body, door, received_at)
            written_by = await self.find_key(arrived, posted.write_keys)
            wait_s = self._wait_s(written_by, arrived.network, len(posted.calls) + len(posted.left))
            if wait_s:
                return Answer(429, {"error": f"too many events: send them again in {wait_s} s."}, retry_after_s=wait_s)
            if written_by is None:
                return Answer(401, {"error": "the write key is missing or unknown."})
            visit = Visit(posted.calls)
            if written_by.kind is WriteKeyKind.PUBLIC:
                visit = receive(arrived.headers, posted.calls, self._runtime.settings.unasked_countries)
            taken = await self._ingestion.submit(CallBatch(visit.calls, written_by, received_at, posted.left))
        except TooBigError as error:
            return Answer(413, {"error": str(error)})
        except InputError as error:
            return Answer(400, {"error": str(error)})
        except PermanentError as error:
            return _tell(posted, Taken(0), str(error))
        except (TransientError, EnvironmentFaultError, SQLAlchemyError):
            return Answer(503, {"error": "nothing can be stored at the moment: send it again."}, retry_after_s=5)
        return replace(_tell(posted, taken), set_cookie=visit.set_cookie)

    async def find_key(self, arrived: Arrived, of_body: Sequence[str] = ()) -> WriteKey | None:
        return await self._keys.find(arrived.headers, [*of_body, *arrived.keys])

    def _wait_s(self, written_by: WriteKey | None, network: str, count: int) -> int:
        """Seconds until this many may be posted. Whoever holds no secret key answers for the network as well."""
        now_s = time.monotonic()
        if written_by is None:
            return self._of_networks.take(network, 1, now_s)
        if written_by.kind is WriteKeyKind.PUBLIC and (wait_s := self._of_networks.take(network, count, now_s)):
            return wait_s
        return self._of_keys.take(written_by.name, count, now_s, written_by.events_per_second)


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
