"""The file that somebody gets who asks what is known about them: a ZIP with one readable document and one CSV a table.

Written in a stream: ten thousand events cost no more memory than ten.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

import msgspec

from console.rights.records import Record

READ_ME = "README.txt"
DOCUMENT = "profile.json"

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Part:
    """One table: its name, what its rows tell in the person's words, and how to read them (as often as asked)."""

    name: str
    about: str
    read: Callable[[], Iterator[Record]] = field(repr=False)


def write_archive(
    path: Path, parts: Sequence[Part], heading: str, facts: Mapping[str, Any], now: datetime
) -> dict[str, int]:
    """Write the ZIP to `path`, readable by its owner alone; answers how many rows each part has.

    `facts` stand at the top of the document. The file appears whole or not at all.
    """
    unfinished = path.with_name(f"{path.name}.part")
    handle = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w+b") as file:
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            counts = {part.name: _write_table(archive, part) for part in parts}
            filled = [part for part in parts if counts[part.name]]
            with _entry(archive, DOCUMENT) as entry:
                _write_document(entry, filled, facts, now)
            archive.writestr(READ_ME, _read_me(filled, counts, heading, now))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return {name: count for name, count in counts.items() if count}


def _write_table(archive: ZipFile, part: Part) -> int:
    """One CSV, unless there is nothing to write; answers how many rows."""
    columns, count = _survey(part)
    if count:
        with _entry(archive, f"{part.name}.csv") as entry, TextIOWrapper(entry, "utf-8-sig", newline="") as text:
            writer = csv.writer(text)
            writer.writerow(columns)
            writer.writerows([_cell(row.get(name)) for name in columns] for row in part.read())
    return count


def _survey(part: Part) -> tuple[list[str], int]:
    """Every name that occurs (what was sealed is missing where nothing was), and how many rows there are."""
    names: dict[str, None] = {}
    count = 0
    for row in part.read():
        names.update(dict.fromkeys(row))
        count += 1
    return list(names), count


def _cell(value: Any) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe stands before what could be one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    return f"'{text}" if text.startswith(_FORMULA) else text


def _write_document(entry: IO[bytes], parts: Sequence[Part], facts: Mapping[str, Any], now: datetime) -> None:
    """One JSON document, a row a line, without ever holding more than one row."""
    head = {"made_at": now.astimezone(UTC).isoformat(), **facts}
    entry.write(msgspec.json.encode(head, enc_hook=str)[:-1] + b',\n"records": {')
    for number, part in enumerate(parts):
        name, about = (msgspec.json.encode(text) for text in (part.name, part.about))
        entry.write((b"," if number else b"") + b"\n" + name + b': {"about": ' + about + b', "rows": [')
        for place, row in enumerate(part.read()):
            entry.write((b"," if place else b"") + b"\n  " + msgspec.json.encode(row, enc_hook=str))
        entry.write(b"\n]}")
    entry.write(b"\n}}\n")


def _read_me(parts: Sequence[Part], counts: Mapping[str, int], heading: str, now: datetime) -> str:
    width = max([_WIDTH, *(len(part.name) + 6 for part in parts)])
    lines = [
        heading,
        f"Made on {now.astimezone(UTC):%d %B %Y, %H:%M} UTC.",
        "",
        f"{DOCUMENT:<{width}}everything below in one document, to be read by people and by programs",
        *(f"{part.name + '.csv':<{width}}{part.about} ({_rows(counts[part.name])})" for part in parts),
        "",
        "Times are in UTC. Amounts are whole numbers of the currency's smallest unit: 2500 GBP is 25.00 pounds.",
        "A cell of a CSV that a spreadsheet could take for a formula begins with an apostrophe that is not part of it.",
        "",
    ]
    return "\r\n".join(lines)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


@contextmanager
def _entry(archive: ZipFile, name: str) -> Iterator[IO[bytes]]:
    with archive.open(name, "w", force_zip64=True) as entry:
        yield entry
