"""The file of rows that were not imported: line, reason, and the mapped cells with everything personal masked.

It is made when the first row is refused. Its length is part of the checkpoint, so that an import which was killed goes
on exactly where its last committed batch ended.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from core.log import mask
from customers.imports.sources import Refused

_MASK = "***"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?[\d.,]+")


class RejectsFile:
    """`personal` are the places of the cells that nobody may see."""

    def __init__(self, file: Path, columns: Sequence[str], personal: frozenset[int]) -> None:
        self._file = file
        self._columns = columns
        self._personal = personal

    def length(self) -> int:
        return self._file.stat().st_size if self._file.exists() else 0

    def cut(self, length: int) -> None:
        """Forget what was written after the last checkpoint, or all of it."""
        if length == 0:
            self._file.unlink(missing_ok=True)
        elif self.length() > length:
            with self._file.open("r+b") as stream:
                stream.truncate(length)

    def append(self, refused: Sequence[Refused]) -> None:
        if not refused:
            return
        is_new = not self._file.exists()
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            if is_new:
                writer.writerow(["line", "reason", *map(neutralised, self._columns)])
            for one in refused:
                cells = (self._shown(place, cell) for place, cell in enumerate(one.cells))
                writer.writerow([one.line, one.reason, *cells])

    def _shown(self, place: int, cell: object) -> str:
        if cell is None or cell == "":
            return ""
        return _MASK if place in self._personal else neutralised(mask(str(cell)))


def neutralised(text: str) -> str:
    """`text` as no spreadsheet takes it for a formula (CWE-1236); a number keeps its sign."""
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
