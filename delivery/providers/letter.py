"""A mail-merge file for a print house: one CSV a day and campaign, one row a letter.

A row is there whole or not at all, once a message, whoever asks again and from whichever process. The file holds
addresses in clear, because somebody asked for it: its owner alone may read it. `delivery/letter_pages.py` makes pages.
"""

from __future__ import annotations

import csv
import fcntl
import io
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.clock import Clock, SystemClock
from delivery.envelope import Envelope
from delivery.providers.transport import Accepted, Reaction, TransportError

FOLDER = "letters"
ID, SENDER, TEXT = "message", "sender", "text"

_NO_FILE_NAME = re.compile(r"[^A-Za-z0-9_-]")
# A spreadsheet takes what begins so for a formula.
_FORMULA = "=+-@\t\r"
_ORIGINS = ("campaign", "journey")


@dataclass(slots=True)
class _File:
    """What is known of one file: how far it was read, its columns, and the messages in it."""

    end: int = 0
    columns: tuple[str, ...] = ()
    messages: set[str] = field(default_factory=set)


class LetterTransport:
    """`folder` is made when it is missing; `details["columns"]` of an envelope are the cells of its address."""

    name = "letter"
    channel = "letter"

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder = folder
        self._clock = clock or SystemClock()
        self._files: dict[Path, _File] = {}
        self._lock = threading.Lock()

    def send(self, envelope: Envelope) -> Accepted:
        """Append one row and make it durable."""
        cells = envelope.details.get("columns") or {}
        columns = (ID, *cells, SENDER, TEXT)
        row = (envelope.message_id, *cells.values(), envelope.sender, envelope.text)
        try:
            with self._lock, self._alone():
                self._append(_slug(envelope), columns, row)
        except OSError as error:
            raise TransportError(Reaction.RETRY, type(error).__name__) from None
        return Accepted(f"letter-{envelope.message_id}")

    def read_rate(self) -> float | None:
        return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes letters, in this process or another."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _append(self, slug: str, columns: tuple[str, ...], row: Sequence[str]) -> None:
        """A letter of yesterday that is tried again today must not be printed twice, so all days are asked."""
        known = [self._read(path) for path in sorted(self._folder.glob(f"????-??-??-{slug}.*csv"))]
        if any(row[0] in file.messages for file in known):
            return
        path = self._free_path(f"{self._clock.now():%Y-%m-%d}-{slug}", columns)
        file = self._files.setdefault(path, _File())
        written = b"" if file.columns else _record(columns)
        _write_at(path, file.end, written + _record([row[0], *map(_harmless, row[1:])]))
        self._read(path)

    def _free_path(self, name: str, columns: tuple[str, ...]) -> Path:
        """The file of today with these columns: a template that was changed during the day begins another."""
        number = 1
        while True:
            path = self._folder / (f"{name}.csv" if number == 1 else f"{name}.{number}.csv")
            file = self._files.get(path)
            if not path.exists() or file is None or file.columns in ((), columns):
                if not path.exists():
                    self._files[path] = _File()
                return path
            number += 1

    def _read(self, path: Path) -> _File:
        """What `path` holds, from where it was left; a row that was broken off is not counted, and overwritten."""
        file = self._files.setdefault(path, _File())
        if path.stat().st_size < file.end:  # somebody has put another in its place
            file = self._files[path] = _File()
        with path.open("rb") as opened:
            opened.seek(file.end)
            new = opened.read()
        whole = new[: _whole_length(new)]
        records = list(csv.reader(io.StringIO(whole.decode("utf-8", "replace"), newline="")))
        if records and not file.columns:
            file.columns = tuple(records.pop(0))
        file.messages.update(record[0] for record in records if record)
        file.end += len(whole)
        return file


def _slug(envelope: Envelope) -> str:
    named = next((envelope.tags[kind] for kind in _ORIGINS if envelope.tags.get(kind)), "letters")
    return _NO_FILE_NAME.sub("-", named)[:100]


def _record(cells: Sequence[str]) -> bytes:
    """One record as RFC 4180 has it."""
    written = io.StringIO(newline="")
    csv.writer(written).writerow([cell.replace("\0", "") for cell in cells])
    return written.getvalue().encode("utf-8", "replace")


def _harmless(cell: str) -> str:
    return cell.lstrip(_FORMULA)


def _whole_length(data: bytes) -> int:
    """How many bytes of `data` are whole records: a line end outside quotes ends one."""
    end = start = quotes = 0
    while (at := data.find(b"\r\n", start)) >= 0:
        quotes += data.count(b'"', start, at)
        start = at + 2
        if quotes % 2 == 0:
            end = start
    return end


def _write_at(path: Path, end: int, data: bytes) -> None:
    """Put `data` behind the last whole record and wait until the disk has it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.ftruncate(descriptor, end)
        os.lseek(descriptor, end, os.SEEK_SET)
        with os.fdopen(descriptor, "wb", closefd=False) as opened:
            opened.write(data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
