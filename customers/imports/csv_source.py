"""CSV as the world writes it: quoted as in RFC 4180, with commas, semicolons, tabs or bars, in any encoding.

A quote that is never closed would swallow everything after it: the line where it opens is refused, and reading goes on
with the next one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from core.errors import InputError
from customers.imports.batch import Batch, Fingerprint, Refused
from customers.imports.encodings import is_damaged
from customers.imports.values import Reason

_DELIMITERS = (",", ";", "\t", "|")
_LONGEST_CELL = 1 << 20
_MOST_OPEN_QUOTES = 100
# Read after the last line: when it comes back as a row of its own, no quote is open.
_END = "\x1d\x1d\x1d"
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*')  # Excel's own first line


class CsvSource:
    """The first line names the columns."""

    def __init__(self, file: Path, fingerprint: Fingerprint, delimiter: str | None, wanted: Sequence[str]) -> None:
        csv.field_size_limit(_LONGEST_CELL)
        self._file = file
        self._encoding = fingerprint.encoding
        self._is_dirty = fingerprint.bad_line_count > 0
        self._stream = _open(file, fingerprint.encoding)
        first = self._stream.readline()
        self._base = 0  # lines before the reader's first one
        separator = _SEPARATOR_LINE.fullmatch(first)
        if separator is not None:
            delimiter, first, self._base = delimiter or separator[1], self._stream.readline(), 1
        if not first.strip():
            self._stream.close()
            raise InputError(f"{file} is empty: its first line must name the columns.")
        self.delimiter = delimiter or find_delimiter(first, wanted)
        self._read_from(self._base)
        try:
            names = next(self._reader)
        except csv.Error:
            self._stream.close()
            raise InputError(f"{file} line {self._base + 1}: the names of the columns have an open quote.") from None
        self.columns: list[str] | None = [_legible(name).strip().strip("\ufeff\u200b") for name in names]
        self.row_count: int | None = max(fingerprint.line_count - self._line, 0)

    @property
    def _line(self) -> int:
        """The last line that was read."""
        return self._base + self._reader.line_num

    def iter_batches(self, columns: Sequence[str], size: int) -> Iterator[Batch]:
        header = self.columns or []
        places = [header.index(name) for name in columns]
        open_count, is_over = 0, False
        while not is_over:
            rows, lines, broken, is_over = self._take(size)
            batch = self._batch(rows, lines, places, len(header))
            if broken is not None:
                batch.malformed.append(broken)
                open_count += 1
                if open_count > _MOST_OPEN_QUOTES:
                    raise InputError(f"{self._file} has more than {_MOST_OPEN_QUOTES} open quotes: export it again.")
            if batch.read_count:
                yield batch

    def close(self) -> None:
        self._stream.close()

    def _take(self, size: int) -> tuple[list[list[str]], Sequence[int], Refused | None, bool]:
        """The next rows with their lines, the line with an open quote that ended them, and whether the file ended."""
        before = self._line
        rows: list[list[str]] = []
        is_broken, is_over = False, False
        try:
            rows.extend(islice(self._reader, size))
        except csv.Error:  # a cell grew too long; the rows before it have been taken
            is_broken = True
        if rows and rows[-1] and rows[-1][-1].endswith(_END):
            is_broken = rows.pop() != [_END]
            is_over = not is_broken
        lines, following = _lines(rows, before, None if is_broken or is_over else self._line)
        if not is_broken:
            return rows, lines, None, is_over
        length = self._read_from(following)
        reason = "cell_too_long" if length > _LONGEST_CELL else "open_quote"
        return rows, lines, Refused(following, Reason(reason)), False

    def _read_from(self, line: int) -> int:
        """Let the reader begin behind `line`; answers the length of that line."""
        self._stream.close()
        self._stream = _open(self._file, self._encoding)
        length = 0
        for text in islice(self._stream, line):
            length = len(text)
        self._base = line
        self._reader = csv.reader(chain(self._stream, [_END]), delimiter=self.delimiter)
        return length

    def _batch(self, texts: Sequence[list[str]], lines: Sequence[int], places: Sequence[int], width: int) -> Batch:
        if not self._is_dirty and all(len(cells) == width for cells in texts):
            return Batch(lines, [tuple([cells[place] for place in places]) for cells in texts], [])
        kept: list[int] = []
        rows: list[tuple[Any, ...]] = []
        malformed: list[Refused] = []
        for line, cells in zip(lines, texts, strict=True):
            if len(cells) != width:
                if cells:  # a blank line is nothing
                    malformed.append(Refused(line, Reason("wrong_cell_count")))
                continue
            row = tuple([cells[place] for place in places])
            if self._is_dirty and is_damaged("".join(row)):
                malformed.append(Refused(line, Reason("wrong_encoding"), tuple(map(_legible, row))))
                continue
            kept.append(line)
            rows.append(row)
        return Batch(kept, rows, malformed)


def find_delimiter(first: str, wanted: Sequence[str]) -> str:
    """The delimiter that finds most of the wanted columns in the first line, or else most cells."""

    def score(delimiter: str) -> tuple[int, int]:
        names = {name.strip() for name in next(csv.reader([first], delimiter=delimiter))}
        return len(names & set(wanted)), first.count(delimiter)

    return max(_DELIMITERS, key=score)


def _open(file: Path, encoding: str) -> IO[str]:
    # Bytes that are no text stay recognisable, so that only their rows are refused.
    return file.open(encoding=encoding, errors="surrogateescape", newline="")


def _legible(text: str) -> str:
    """`text` with a mark in the place of bytes that are no text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if is_damaged(text) else text


def _lines(rows: Sequence[list[str]], before: int, after: int | None) -> tuple[Sequence[int], int]:
    """The line on which each row begins, and the one behind the last; cells may hold line ends."""
    if after is not None and after - before == len(rows):
        return range(before + 1, after + 1), after + 1
    lines, line = [], before + 1
    for cells in rows:
        lines.append(line)
        line += 1 + sum(cell.count("\n") or cell.count("\r") for cell in cells)
    return lines, line
