"""Data files as batches of rows, whatever their format: CSV, JSON Lines, Parquet.

A row is a tuple of cells in the order that was asked for, with the number of its line; a line that is no row is passed
on as refused, and never stops the others. Memory holds one batch.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec

from core.errors import InputError
from customers.imports.values import Reason
from customers.readers import ParquetFile

_DELIMITERS = (",", ";", "\t", "|")
_FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_CHUNK = 1 << 20
_LONGEST_CELL = 1 << 20


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that is not imported: its number in the file (the first is 1), why, and its cells as far as known."""

    line: int
    reason: Reason
    cells: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows with their line numbers; with `malformed`, everything that was read."""

    lines: Sequence[int]
    rows: list[tuple[Any, ...]]
    malformed: list[Refused]

    @property
    def read_count(self) -> int:
        return len(self.rows) + len(self.malformed)


class Source(Protocol):
    """One open data file. `columns` are the names it has; None when they differ from row to row."""

    columns: list[str] | None
    row_count: int | None

    def iter_batches(self, columns: Sequence[str], size: int) -> Iterator[Batch]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What one pass over the bytes tells: the content's hash, the encoding that fits, how many lines there are."""

    digest: str
    encoding: str
    line_count: int


@contextmanager
def open_source(
    file: Path, format_: str | None, encoding: str | None, delimiter: str | None, wanted: Sequence[str]
) -> Iterator[tuple[Source, Fingerprint]]:
    """The file, opened and looked through once. Raises InputError when it cannot be what it should be."""
    kind = format_ or _FORMATS.get(file.suffix.lower())
    if kind is None:
        raise InputError(
            f"{file} ends in no format that is known: write `format: csv` (or jsonl, parquet) in the mapping."
        )
    if not file.is_file():
        raise InputError(f"there is no file {file}: check the path.")
    fingerprint = _look_through(file, encoding, is_text=kind != "parquet")
    source: Source
    if kind == "parquet":
        source = ParquetSource(file)
    elif kind == "jsonl":
        source = JsonLinesSource(file, fingerprint)
    else:
        source = CsvSource(file, fingerprint, delimiter, wanted)
    try:
        yield source, fingerprint
    finally:
        source.close()


class ParquetSource:
    """Line numbers are row numbers, from 1."""

    def __init__(self, file: Path) -> None:
        self._file = ParquetFile(file)
        self.columns: list[str] | None = self._file.columns
        self.row_count: int | None = self._file.row_count

    def iter_batches(self, columns: Sequence[str], size: int) -> Iterator[Batch]:
        line = 1
        for rows in self._file.iter_batches(columns, size):
            yield Batch(range(line, line + len(rows)), rows, [])
            line += len(rows)

    def close(self) -> None:
        self._file.close()


class JsonLinesSource:
    """One JSON object a line; blank lines are nothing. Nested values stay as they are."""

    def __init__(self, file: Path, fingerprint: Fingerprint) -> None:
        self._stream = file.open("rb")
        self._encoding = fingerprint.encoding
        self.columns: list[str] | None = None
        self.row_count: int | None = fingerprint.line_count

    def iter_batches(self, columns: Sequence[str], size: int) -> Iterator[Batch]:
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        line = 0
        while texts := list(islice(self._stream, size)):
            lines: list[int] = []
            rows: list[tuple[Any, ...]] = []
            malformed: list[Refused] = []
            for text in texts:
                line += 1
                if not text.strip():
                    continue
                try:
                    document = decode(text if line > 1 else text.removeprefix(codecs.BOM_UTF8))
                except msgspec.DecodeError:
                    malformed.append(Refused(line, Reason("not_json")))
                    continue
                lines.append(line)
                rows.append(tuple([document.get(name) for name in columns]))
            yield Batch(lines, rows, malformed)

    def close(self) -> None:
        self._stream.close()


class CsvSource:
    """Quoted as in RFC 4180; the first line names the columns."""

    def __init__(self, file: Path, fingerprint: Fingerprint, delimiter: str | None, wanted: Sequence[str]) -> None:
        csv.field_size_limit(_LONGEST_CELL)
        self._file = file
        self._stream = file.open(encoding=fingerprint.encoding, newline="")
        first = self._stream.readline()
        if not first.strip():
            self._stream.close()
            raise InputError(f"{file} is empty: its first line must name the columns.")
        self._stream.seek(0)
        self._reader = csv.reader(self._stream, delimiter=delimiter or _delimiter(first, wanted))
        self.columns: list[str] | None = [name.strip() for name in next(self._reader)]
        self.row_count: int | None = max(fingerprint.line_count - self._reader.line_num, 0)

    def iter_batches(self, columns: Sequence[str], size: int) -> Iterator[Batch]:
        header = self.columns or []
        places = [header.index(name) for name in columns]
        while True:
            before = self._reader.line_num
            try:
                texts = list(islice(self._reader, size))
            except csv.Error as error:
                place = f"{self._file} line {self._reader.line_num}"
                raise InputError(f"{place}: {error}: look for a quote that is never closed.") from None
            except UnicodeDecodeError:
                place = f"{self._file} line {self._reader.line_num + 1} or later"
                raise InputError(
                    f"{place}: neither UTF-8 nor Windows-1252: write its `encoding` in the mapping."
                ) from None
            if not texts:
                return
            yield _csv_batch(texts, _lines(texts, before, self._reader.line_num), places, len(header))

    def close(self) -> None:
        self._stream.close()


def _csv_batch(texts: list[list[str]], lines: Sequence[int], places: Sequence[int], width: int) -> Batch:
    if all(len(cells) == width for cells in texts):
        return Batch(lines, [tuple([cells[place] for place in places]) for cells in texts], [])
    kept: list[int] = []
    rows: list[tuple[Any, ...]] = []
    malformed: list[Refused] = []
    for line, cells in zip(lines, texts, strict=True):
        if len(cells) == width:
            kept.append(line)
            rows.append(tuple([cells[place] for place in places]))
        elif cells:  # a blank line is nothing
            malformed.append(Refused(line, Reason("wrong_cell_count")))
    return Batch(kept, rows, malformed)


def _lines(texts: list[list[str]], before: int, after: int) -> Sequence[int]:
    """The line on which each row begins; cells may hold line ends."""
    if after - before == len(texts):
        return range(before + 1, after + 1)
    lines, line = [], before + 1
    for cells in texts:
        lines.append(line)
        line += 1 + sum(cell.count("\n") or cell.count("\r") for cell in cells)
    return lines


def _delimiter(first: str, wanted: Sequence[str]) -> str:
    """The delimiter that finds most of the wanted columns in the first line."""

    def score(delimiter: str) -> tuple[int, int]:
        names = {name.strip() for name in next(csv.reader([first], delimiter=delimiter))}
        return len(names & set(wanted)), first.count(delimiter)

    return max(_DELIMITERS, key=score)


def _look_through(file: Path, encoding: str | None, *, is_text: bool) -> Fingerprint:
    """One pass: hash, lines, and whether the bytes are what `encoding` says (by default UTF-8, else Windows-1252)."""
    digest = hashlib.sha256()
    stated = _known_encoding(encoding)
    line_count, last = 0, b"\n"
    decoder = codecs.getincrementaldecoder(stated or "utf-8")() if is_text else None
    failure: tuple[int, int] | None = None  # line and byte
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            if decoder is not None and failure is None:
                try:
                    decoder.decode(chunk, final=len(chunk) < _CHUNK)
                except UnicodeDecodeError as error:
                    at = max(error.start, 0)
                    failure = (line_count + 1 + error.object[:at].count(b"\n"), error.object[at])
            line_count += chunk.count(b"\n")
            last = chunk[-1:]
    line_count += last != b"\n"
    if failure is not None and stated is not None:
        line, byte = failure
        place = f"{file} line {line}"
        raise InputError(f"{place}: the byte 0x{byte:02x} is not {encoding}: correct the mapping's `encoding`.")
    return Fingerprint(digest.hexdigest(), _encoding(stated, failed=failure is not None), line_count)


def _encoding(stated: str | None, *, failed: bool) -> str:
    if failed:
        return "cp1252"
    return stated if stated and codecs.lookup(stated).name != "utf-8" else "utf-8-sig"


def _known_encoding(encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise InputError(f"the mapping's encoding {encoding!r} is not known: write utf-8 or cp1252.") from None
    return encoding
