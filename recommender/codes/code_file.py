"""Codes from a file: one on each line, or one column of a CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from core.errors import InputError


def read_codes(lines: Iterable[str], column: str | None = None) -> Iterator[str]:
    """The codes in `lines`, blank ones left out; with `column`, that column of a CSV with a heading.

    Raises InputError for a CSV that has no such column, and for more than one word on a line without `column`.
    """
    if column is None:
        for number, line in enumerate(lines, start=1):
            code = line.removeprefix("\ufeff").strip() if number == 1 else line.strip()
            if any(mark in code for mark in (",", ";", "\t")):
                raise InputError(f"line {number} has more than a code: name the column of a CSV with --column.")
            if code:
                yield code
        return
    rows = csv.DictReader(line.removeprefix("\ufeff") if first else line for first, line in _first(lines))
    if column not in (rows.fieldnames or ()):
        known = ", ".join(rows.fieldnames or ()) or "none"
        raise InputError(f"the file has no column {column!r}; its columns are: {known}.")
    for row in rows:
        if code := (row[column] or "").strip():
            yield code


def _first(lines: Iterable[str]) -> Iterator[tuple[bool, str]]:
    for number, line in enumerate(lines):
        yield number == 0, line
