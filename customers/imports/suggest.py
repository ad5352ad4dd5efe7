"""A mapping proposed from a file's header and its first rows, as YAML with remarks that a marketer edits.

Names decide first, values check them and find what names do not tell. What cannot be known is said beside the line and
never guessed in silence; no cell of a person is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from core.errors import InputError
from customers.imports.column_names import COLUMN_NAMES, find_tool, rank_of
from customers.imports.column_values import Look, Seen, look_at
from customers.imports.csv_source import CsvSource
from customers.imports.fields import ImportKind
from customers.imports.sources import open_file
from customers.imports.suggested_yaml import Suggestion, write_yaml
from customers.words import snake_case
from customers.workspace import Workspace

SAMPLE_ROWS = 1_000

# What a column must look like before its name is believed; other fields take anything.
_FITTING: Mapping[str, frozenset[Look]] = {
    "email": frozenset({Look.EMAIL}),
    "phone": frozenset({Look.PHONE, Look.NUMBER}),
    "country": frozenset({Look.COUNTRY}),
    "timezone": frozenset({Look.ZONE}),
    "currency": frozenset({Look.CURRENCY}),
    "birthday": frozenset({Look.DATE, Look.INSTANT}),
    "consent": frozenset({Look.CONSENT, Look.NUMBER, Look.TEXT}),
    "sms": frozenset({Look.CONSENT, Look.NUMBER, Look.TEXT}),
    "quantity": frozenset({Look.NUMBER, Look.DECIMAL_COMMA}),
    **dict.fromkeys(("unit_price", "amount", "price", "stock"), frozenset({Look.NUMBER, Look.DECIMAL_COMMA})),
    **dict.fromkeys(
        ("consent.at", "withdrawn.at", "placed_at", "occurred_at", "signed_up_at", "expires_at"),
        frozenset({Look.DATE, Look.INSTANT}),
    ),
}
# Looks that tell a field by themselves, whatever the column is called.
_TELLING: Mapping[str, Look] = {
    "email": Look.EMAIL,
    "phone": Look.PHONE,
    "currency": Look.CURRENCY,
    "timezone": Look.ZONE,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a file: what each column looks like, by its name, in the order of the file."""

    file: str
    columns: Mapping[str, Seen]
    row_count: int
    format: str | None = None  # where the file's ending does not tell
    delimiter: str | None = None
    encoding: str | None = None


def read_sample(file: Path) -> Sample:
    """The first rows of `file`. Raises InputError when it cannot be read."""
    source, fingerprint = open_file(file, None, None, None, ())
    try:
        names = _keys(file) if source.columns is None else list(dict.fromkeys(filter(None, source.columns)))
        batch = next(iter(source.iter_batches(names, SAMPLE_ROWS)), None)
    finally:
        source.close()
    rows = batch.rows if batch is not None else []
    if not rows:
        raise InputError(f"{file} has no rows below its header: nothing can be told from it.")
    is_csv = isinstance(source, CsvSource)
    if is_csv and any(look_at([name]).look in (Look.EMAIL, Look.DATE) for name in names):
        raise InputError(f"{file}: the first line holds data: write a line with the names of the columns above it.")
    seen = {name: look_at([cells[place] for cells in rows]) for place, name in enumerate(names)}
    delimiter = source.delimiter if isinstance(source, CsvSource) else None
    encoding = fingerprint.encoding if fingerprint.encoding not in ("", "utf-8-sig") else None
    return Sample(file.name, seen, len(rows), None, delimiter if delimiter != "," else None, encoding)


def suggest_mapping(kind: ImportKind, sample: Sample, workspace: Workspace) -> str:
    """The mapping as YAML text. Pure."""
    return write_yaml(suggest(kind, sample), workspace)


def suggest(kind: ImportKind, sample: Sample) -> Suggestion:
    """Which column is which field, and what remains."""
    tool = find_tool(sample.columns)
    stem = snake_case(sample.file.partition(".")[0])
    return Suggestion(
        kind=kind,
        file=sample.file,
        row_count=sample.row_count,
        source=tool or (stem if re.fullmatch(r"[a-z][a-z0-9_]{0,49}", stem) else "import"),
        fields=_fields(kind, sample),
        columns=sample.columns,
        delimiter=sample.delimiter,
        encoding=sample.encoding,
    )


def _fields(kind: ImportKind, sample: Sample) -> dict[str, str]:
    """The column of each field that is found: the best names first, then what values tell."""
    names = COLUMN_NAMES[kind]
    ranked = sorted(
        (rank, place, field, column)
        for place, column in enumerate(sample.columns)
        for field in names
        if (rank := rank_of(names, field, column)) is not None and _fits(field, sample.columns[column])
    )
    fields: dict[str, str] = {}
    for _, _, field, column in ranked:
        if field not in fields and column not in fields.values():
            fields[field] = column
    for field, look in _TELLING.items():
        if field in names and field not in fields:
            free = [name for name, seen in sample.columns.items() if seen.look is look and name not in fields.values()]
            if free:
                fields[field] = free[0]
    return {field: fields[field] for field in names if field in fields}


def _fits(field: str, seen: Seen) -> bool:
    return seen.filled > 0 and (field not in _FITTING or seen.look in _FITTING[field])


def _keys(file: Path) -> Sequence[str]:
    """The names that the first objects of a JSON Lines file have."""
    names: dict[str, Any] = {}
    with file.open("rb") as stream:
        for line, _ in zip(stream, range(SAMPLE_ROWS), strict=False):
            try:
                names |= msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
    return list(names)
