"""Appends to the segments of a slot and comes back when the disk has it.

A failed write or `fdatasync` acknowledges nothing: what the kernel holds of the batch afterwards is unknown, so the
segment is cut back and left, and the next batch goes into a new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from tracking.ingestion.slots import Slot, sync_folder

SEGMENT_BYTES = 16 * 1024 * 1024
SEGMENT_S = 60.0


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a segment is durable; a finished one grows no more."""

    segment: int
    end: int
    is_finished: bool


class SegmentWriter:
    """For one thread; `extents` may be asked by others."""

    def __init__(
        self,
        slot: Slot,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segment_s: float = SEGMENT_S,
        sync: Callable[[int], None] | None = None,
    ) -> None:
        self.slot = slot
        self._segment_bytes = segment_bytes
        self._segment_s = segment_s
        self._sync = sync or os.fdatasync
        self._descriptor = -1
        self._number = 0
        self._end = 0
        self._began = 0.0
        self._ends: dict[int, int] = {}
        self._lock = Lock()

    def append(self, data: bytes) -> None:
        """Write `data` behind what is there. Raises OSError: then nothing of it counts as written."""
        if self._descriptor < 0 or self._end >= self._segment_bytes or self._is_old:
            self._open_next()
        try:
            _write_all(self._descriptor, data)
            self._sync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            self.finish()
            raise
        self._end += len(data)
        with self._lock:
            self._ends[self._number] = self._end

    def extents(self) -> list[Extent]:
        """What is durable of each segment that is not forgotten, in order."""
        with self._lock:
            return [
                Extent(number, end, is_finished=number != self._number or self._descriptor < 0)
                for number, end in sorted(self._ends.items())
            ]

    def forget(self, segment: int) -> None:
        """Delete a finished segment that was loaded."""
        with self._lock:
            self._ends.pop(segment, None)
        self.slot.delete(segment)

    def finish_if_old(self) -> None:
        if self._is_old:
            self.finish()

    def finish(self) -> None:
        """Close the segment in hand; another append begins the next one."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    @property
    def _is_old(self) -> bool:
        return monotonic() - self._began >= self._segment_s

    def _open_next(self) -> None:
        self.finish()
        number = self._number + 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.slot.path(number), flags, 0o600)
        with self._lock:
            self._number, self._descriptor = number, descriptor
            self._ends[number] = 0
        self._end, self._began = 0, monotonic()
        try:
            sync_folder(self.slot.folder)
        except OSError:
            self.finish()
            raise


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
