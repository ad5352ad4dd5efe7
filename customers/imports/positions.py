"""Which line of its order a line is, in a file whose orders may be scattered: a counter an order, in bounded memory.

Lines that are refused count too: when they are corrected and the file is imported again, the others keep their numbers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

_IN_MEMORY = 200_000


class Positions:
    """Counts by key; what does not fit in memory lies in a temporary file that ends with the process."""

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        self._in_memory = in_memory
        self._counts: dict[str, int] = {}
        self._file: sqlite3.Connection | None = None

    def take(self, keys: Sequence[str]) -> list[int]:
        """The position, from 1, of each of the next lines within its order."""
        if self._file is not None:
            self._recall(self._file, keys)
        counts = self._counts
        taken = []
        for key in keys:
            position = counts.get(key, 0) + 1
            counts[key] = position
            taken.append(position)
        if len(counts) > self._in_memory:
            self._spill()
        return taken

    def _recall(self, file: sqlite3.Connection, keys: Sequence[str]) -> None:
        for key in set(keys).difference(self._counts):
            row = file.execute("SELECT line_count FROM positions WHERE key = ?", (key,)).fetchone()
            if row is not None:
                self._counts[key] = row[0]

    def _spill(self) -> None:
        if self._file is None:
            self._file = sqlite3.connect("", isolation_level=None)
            self._file.execute("CREATE TABLE positions (key TEXT PRIMARY KEY, line_count INTEGER) WITHOUT ROWID")
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", self._counts.items())
        self._file.execute("COMMIT")
        self._counts.clear()
