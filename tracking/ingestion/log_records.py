"""Records as they lie in the log: many together in one sealed payload, so that one seal is paid for by a whole batch.

Nobody knows yet whose they are, so they are sealed under the key of the day on which they came, which is destroyed
a day after that day has ended, and never before they are loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import msgspec

from core.errors import PermanentError
from core.vault import Vault
from tracking.engagement import Engagement
from tracking.events.record_calls import CallBatch
from tracking.open_counts import CountedOpen

LOGGED: Final = (Engagement, CountedOpen, CallBatch)
PAYLOAD_BYTES: Final = 256 * 1024  # of calls; larger batches are split into several payloads

_PURPOSE: Final = "ingestion.segment"
_ENGAGEMENT_BYTES: Final = 300  # about


class LoggedRecords(msgspec.Struct, array_like=True):
    """What one payload holds, each kind in the order in which it came."""

    engagements: list[Engagement] = []
    opens: list[CountedOpen] = []
    calls: list[CallBatch] = []

    @property
    def weight(self) -> int:
        """How many acts and calls there are to be stored."""
        return len(self.engagements) + len(self.opens) + sum(len(batch.calls) for batch in self.calls)


class _Payload(msgspec.Struct, array_like=True):
    engagements: list[Engagement]
    opens: list[CountedOpen]
    calls: list[msgspec.Raw]


Queued = Engagement | CountedOpen | msgspec.Raw

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LoggedRecords).decode


def to_queued(record: Engagement | CountedOpen | CallBatch) -> tuple[Queued, int]:
    """`record` as it waits to be written, and its size in bytes; calls are encoded at once, to bound what waits.

    Raises PermanentError for calls with values that cannot be encoded.
    """
    if not isinstance(record, CallBatch):
        return record, _ENGAGEMENT_BYTES
    try:
        encoded = _encode(record)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise PermanentError(f"it cannot be stored ({type(error).__name__}): check its values.") from None
    return msgspec.Raw(encoded), len(encoded)


def seal_records(vault: Vault, records: Sequence[Queued], day: date) -> list[bytes]:
    """The payloads that hold `records`, of moderate size each."""
    payloads = []
    payload, size = _Payload([], [], []), 0
    for record in records:
        if isinstance(record, msgspec.Raw):
            payload.calls.append(record)
            size += len(memoryview(record))
        elif isinstance(record, Engagement):
            payload.engagements.append(record)
            size += _ENGAGEMENT_BYTES
        else:
            payload.opens.append(record)
            size += _ENGAGEMENT_BYTES
        if size >= PAYLOAD_BYTES:
            payloads.append(payload)
            payload, size = _Payload([], [], []), 0
    if size:
        payloads.append(payload)
    return [vault.seal_bytes_for_day(_PURPOSE, _encode(one), day) for one in payloads]


def open_records(vault: Vault, payload: bytes | None) -> LoggedRecords:
    """What `seal_records` sealed; None is a payload whose checksum does not fit.

    Raises NotFoundError when its day's key was destroyed, and PermanentError when it does not open or is not readable.
    """
    if payload is None:
        raise PermanentError("a record of the log is damaged: its checksum does not fit.")
    opened = vault.open_bytes_for_day(_PURPOSE, payload)
    try:
        return _decode(opened)
    except (msgspec.DecodeError, RecursionError) as error:
        # Its text may quote what was sent.
        raise PermanentError(f"records of the log are of no form that we know ({type(error).__name__}).") from None
