"""Opens what rows come from, whatever its format: CSV, JSON Lines, Parquet, or a query of another database.

A row is a tuple of cells in the order that was asked for, with the number of its line; a line that is no row is passed
on as refused, and never stops the others. Memory holds one batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.errors import InputError
from core.ids import random_id
from customers.imports.batch import Batch, Fingerprint, Refused, Source
from customers.imports.csv_source import CsvSource
from customers.imports.decimal_commas import DecimalCommas
from customers.imports.encodings import look_through
from customers.imports.json_source import JsonLinesSource
from customers.imports.mapping import Mapping
from customers.imports.mistaken_files import refuse_mistaken
from customers.imports.sql_source import Query, QuerySource, parse_query
from customers.readers import ParquetFile
from customers.workspace import Workspace

__all__ = ["Batch", "Fingerprint", "Origin", "Query", "Refused", "Source", "open_file", "open_source", "parse_query"]

Origin = Path | Query  # what an import reads; both have a `name`

_FORMATS = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


@contextmanager
def open_source(origin: Origin, mapping: Mapping, workspace: Workspace) -> Iterator[tuple[Source, Fingerprint]]:
    """What `mapping` describes, opened and looked through once. Raises InputError when it cannot be read.

    Two runs of one query are two imports, because nobody knows what it will answer.
    """
    if isinstance(origin, Query):
        source: Source = QuerySource(origin)
        fingerprint = Fingerprint(random_id(), "", 0)
    else:
        source, fingerprint = open_file(
            origin, mapping.format, mapping.encoding, mapping.delimiter, mapping.column_names()
        )
    if mapping.has_decimal_commas:
        source = DecimalCommas(source, mapping.number_columns(workspace))
    try:
        yield source, fingerprint
    finally:
        source.close()


def open_file(
    file: Path, format_: str | None, encoding: str | None, delimiter: str | None, wanted: Sequence[str]
) -> tuple[Source, Fingerprint]:
    """A file whose mapping is not known, or only in part; the caller closes the source."""
    kind = format_ or _FORMATS.get(file.suffix.lower())
    refuse_mistaken(file, kind)
    if kind is None:
        raise InputError(
            f"{file} ends in no format that is known: write `format: csv` (or jsonl, parquet) in the mapping."
        )
    fingerprint = look_through(file, encoding, is_text=kind != "parquet")
    if kind == "parquet":
        return ParquetSource(file), fingerprint
    if kind == "jsonl":
        return JsonLinesSource(file, fingerprint), fingerprint
    return CsvSource(file, fingerprint, delimiter, wanted), fingerprint


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
