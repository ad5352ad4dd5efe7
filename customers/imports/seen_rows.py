"""What a dry run has met in a file so far, however long that is: keyed hashes in a temporary file, nothing else.

The key lives in memory only, and the file has no name any more while it is used: a process that dies leaves nothing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_CACHE_ROWS = 200_000
_CACHE_PAGES_KIB = 16_384


class SeenRows:
    """A map from hash to bytes that grows on disk."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file
        self._key = secrets.token_bytes(32)
        self._cache: dict[bytes, bytes | None] = {}  # None is known to be missing
        self._dirty: set[bytes] = set()

    def hash(self, *parts: object) -> bytes:
        """A keyed hash of `parts`, 96 bits: among a million rows no two meet by chance."""
        text = "\x1f".join(map(str, parts)).encode("utf-8", "replace")
        return hashlib.blake2b(text, digest_size=12, key=self._key).digest()

    def load(self, keys: Iterable[bytes]) -> None:
        """Have what is known of `keys` at hand: one look through the file for a whole batch."""
        if len(self._cache) > _CACHE_ROWS:
            self._store()
        for key in set(keys).difference(self._cache):
            self._cache[key] = self._find(key)

    def get(self, key: bytes) -> bytes | None:
        if key not in self._cache:
            self._cache[key] = self._find(key)
        return self._cache[key]

    def put(self, key: bytes, value: bytes) -> None:
        self._cache[key] = value
        self._dirty.add(key)

    def _find(self, key: bytes) -> bytes | None:
        row = self._file.execute("SELECT value FROM seen WHERE key = ?", (key,)).fetchone()
        return row[0] if row is not None else None

    def _store(self) -> None:
        self._file.execute("BEGIN")
        rows = ((key, self._cache[key]) for key in sorted(self._dirty))
        self._file.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", rows)
        self._file.execute("COMMIT")
        self._cache.clear()
        self._dirty.clear()


@contextmanager
def open_seen_rows(folder: Path) -> Iterator[SeenRows]:
    """A new, empty one in `folder`; its file is gone when the block ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"dry-run-{secrets.token_hex(8)}.db"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    file = sqlite3.connect(path, isolation_level=None)
    try:
        file.execute("PRAGMA journal_mode = OFF")
        file.execute("PRAGMA synchronous = OFF")
        file.execute(f"PRAGMA cache_size = -{_CACHE_PAGES_KIB}")
        file.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
        with suppress(OSError):  # some systems keep the name of an open file
            path.unlink()
        yield SeenRows(file)
    finally:
        file.close()
        path.unlink(missing_ok=True)
