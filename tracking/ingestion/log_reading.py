"""Reading a slot's segments in order, and no further than they are durable."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from tracking.ingestion.frames import iter_frames, whole_length
from tracking.ingestion.segment_writer import Extent, SegmentWriter
from tracking.ingestion.slots import Slot

log = logging.getLogger(__name__)

BATCH_BYTES = 512 * 1024  # of payloads that are stored in one transaction, about
_READ_BYTES = 1024 * 1024


class Segments(Protocol):
    """The segments of one slot as its loader sees them."""

    name: str

    def extents(self) -> list[Extent]: ...

    def path(self, segment: int) -> Path: ...

    def forget(self, segment: int) -> None:
        """Delete a segment that is loaded."""


class OwnSegments:
    """Those that are still being written: read as far as the writer says."""

    def __init__(self, writer: SegmentWriter) -> None:
        self.name = writer.slot.name
        self.extents = writer.extents
        self.path = writer.slot.path
        self.forget = writer.forget


class AbandonedSegments:
    """Those of a process that has ended; what it did not write to the end is cut off."""

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self.name = slot.name
        self.path = slot.path
        self.forget = slot.delete
        for number in slot.segments()[-1:]:
            _cut(slot.path(number))

    def extents(self) -> list[Extent]:
        sizes = [(number, self._slot.path(number).stat().st_size) for number in self._slot.segments()]
        return [Extent(number, size, is_finished=True) for number, size in sizes]


def iter_batches(path: Path, start: int, end: int) -> Iterator[tuple[list[bytes | None], int]]:
    """The payloads of a segment from `start` to `end`, some at a time, and the place behind them.

    A payload is None where its checksum does not fit.
    """
    at, data = start, b""  # the place in the file of the first byte of `data`
    if at >= end:
        return
    with path.open("rb") as file:
        file.seek(at)
        while at < end:
            piece = file.read(min(_READ_BYTES, end - at - len(data)))
            data += piece
            payloads: list[bytes | None] = []
            begun = behind = at
            for one in iter_frames(data, at):
                payloads.append(one.payload)
                behind = one.end
                if behind - begun >= BATCH_BYTES:
                    yield payloads, behind
                    payloads, begun = [], behind
            if payloads:
                yield payloads, behind
            if behind == at and not piece:
                log.error("the rest of %s cannot be read: %d bytes", path.name, end - at)
                return
            data, at = data[behind - at :], behind


def _cut(path: Path) -> None:
    length = whole_length(path.read_bytes())
    if length < path.stat().st_size:
        log.warning("a record that was not written to the end, and that nobody was told of, is cut off")
        os.truncate(path, length)
