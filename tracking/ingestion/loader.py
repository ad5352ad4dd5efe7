"""Brings the log into the database: each record once, whatever is killed in between.

What is stored and how far the log is loaded are committed together, and the position moves on only from where it was
read, so that a second loader of the same slot stores nothing. While the database is away the loader waits. A record
that cannot be stored goes into quarantine with its reason, and stops nobody.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from core.clock import Clock
from core.database import Database
from core.errors import ConflictError, NotFoundError, PermanentError
from core.vault import Vault
from tracking.ingestion.group_commit import STORE_FAULTS
from tracking.ingestion.log_reading import AbandonedSegments, OwnSegments, Segments, iter_batches
from tracking.ingestion.log_records import LoggedRecords, open_records
from tracking.ingestion.poison import Store, keep_unreadable, store_each
from tracking.ingestion.positions import LogPosition, advance, drop_log_position, get_log_position
from tracking.ingestion.segment_writer import SegmentWriter
from tracking.ingestion.slots import Slot, iter_abandoned

log = logging.getLogger(__name__)

_GATHER_S = 0.2
_LOOK_S = 10.0  # for the slots of processes that have ended
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_STUBBORN = 5  # so often a batch may fail before each of its records is tried alone
_END_S = 5.0
_OWN, _ABANDONED = "own", "abandoned"

Unreadable = list[tuple[bytes | None, str]]


@dataclass(slots=True)
class LoadCounts:
    """Since the start: acts and calls brought into the database, and those that went into quarantine instead."""

    loaded: int = 0
    poison: int = 0


class Loader:
    """One for a process, in a thread of its own: loads its own slot, and those that were left behind below `root`."""

    def __init__(self, database: Database, vault: Vault, clock: Clock, store: Store, root: Path) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._store = store
        self._root = root
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failures: Counter[str] = Counter()  # in a row, by what was to be loaded
        self._failure_count = 0  # of what is being loaded
        self.counts = LoadCounts()

    def start(self, writer: SegmentWriter) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, args=(writer,), name="loader", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is more in the log."""
        self._woken.set()

    def stop(self) -> None:
        """Load what the database takes within a few seconds, and end; the writer has finished by now."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def load_abandoned(self) -> None:
        """Load what processes that have ended left behind, and remove their slots."""
        for slot in iter_abandoned(self._root):
            try:
                self._load(AbandonedSegments(slot))
                self._remove(slot)
            finally:
                slot.close()

    # -- the thread ---------------------------------------------------------------------------------------------

    def _run(self, writer: SegmentWriter) -> None:
        own = OwnSegments(writer)
        looked_at = float("-inf")
        while not self._stopping.is_set():
            self._woken.clear()
            if monotonic() - looked_at >= _LOOK_S and self._try(_ABANDONED, self.load_abandoned):
                looked_at = monotonic()
            if not self._try(_OWN, lambda: self._load(own)):
                self._stopping.wait(_RETRY_S[min(self._failures[_OWN], len(_RETRY_S)) - 1])
            elif self._woken.wait(_LOOK_S):
                self._stopping.wait(_GATHER_S)  # a transaction for a few is dear
        if self._try(_OWN, lambda: self._load(own, until=monotonic() + _END_S)) and not writer.extents():
            self._try(_OWN, lambda: self._remove(writer.slot))
        writer.slot.close()

    def _try(self, what: str, step: Callable[[], None]) -> bool:
        """Whether `step` could be done; the thread goes on whatever happens in it."""
        self._failure_count = self._failures[what]
        try:
            step()
        except Exception as error:  # noqa: BLE001 - a loader that ends would leave everything lying
            log.warning("the log cannot be loaded at the moment and waits: %s", type(error).__name__)
            self._failures[what] += 1
            return False
        self._failures[what] = 0
        return True

    def _load(self, segments: Segments, until: float = float("inf")) -> None:
        """Load everything that is durable, or as much as can be begun before `until` (monotonic seconds)."""
        with self._database.read() as connection:
            position = get_log_position(connection, segments.name)
        for extent in segments.extents():
            start = 0
            if extent.segment <= position.segment:
                start = position.byte if extent.segment == position.segment else extent.end
            for payloads, end in iter_batches(segments.path(extent.segment), start, extent.end):
                if monotonic() > until:
                    return
                behind = LogPosition(extent.segment, end)
                self._load_batch(segments.name, position, behind, payloads)
                position = behind
            if extent.is_finished:
                segments.forget(extent.segment)

    def _load_batch(
        self, slot: str, before: LogPosition, behind: LogPosition, payloads: Sequence[bytes | None]
    ) -> None:
        """Bring these records in, together or, where one is to blame, each on its own."""
        records, unreadable = self._open(payloads)
        poison_count = 0
        try:
            with self._database.transaction() as connection:
                advance(connection, slot, before, behind)
                if self._failure_count >= _STUBBORN:
                    # What looks like the database's trouble may be a record's. If it is not, nothing is committed.
                    poison_count = store_each(connection, self._vault, self._store, records, spares=())
                else:
                    self._store(connection, records)
                keep_unreadable(connection, self._vault, unreadable, self._clock.now())
        except (*STORE_FAULTS, ConflictError):
            raise
        except Exception as error:  # noqa: BLE001 - one record is to blame and must not stop the others
            log.warning("the log holds a record that cannot be stored: %s", type(error).__name__)
            with self._database.transaction() as connection:
                advance(connection, slot, before, behind)
                poison_count = store_each(connection, self._vault, self._store, records, spares=STORE_FAULTS)
                keep_unreadable(connection, self._vault, unreadable, self._clock.now())
        self.counts.loaded += records.weight - poison_count
        self.counts.poison += poison_count + len(unreadable)

    def _open(self, payloads: Sequence[bytes | None]) -> tuple[LoggedRecords, Unreadable]:
        """The records of all payloads together, and which of these cannot be read, and why."""
        together, unreadable = LoggedRecords(), Unreadable()
        for payload in payloads:
            try:
                records = open_records(self._vault, payload)
            except NotFoundError:
                log.warning("records of the log are left out: the key of their day was destroyed")
            except PermanentError as error:
                log.warning("records of the log cannot be read: %s", error)
                unreadable.append((payload, str(error)))
            else:
                together.engagements += records.engagements
                together.opens += records.opens
                together.calls += records.calls
        return together, unreadable

    def _remove(self, slot: Slot) -> None:
        """Remove a slot that is loaded: first its files, because without its position they would be loaded again."""
        for segment in slot.segments():
            slot.delete(segment)
        slot.remove()
        with self._database.transaction() as connection:
            drop_log_position(connection, slot.name)
