"""Rows from a stream into DuckDB: through a pipe, so that nothing is ever laid down on the way."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from segments.snapshot.words import quoted, text

if TYPE_CHECKING:
    import duckdb

_BUFFER = 1 << 20


def load(
    connection: duckdb.DuckDBPyConnection,
    statement: Callable[[str], str],
    columns: Mapping[str, str],
    write: Callable[[BinaryIO], None],
) -> None:
    """Run `statement`, which is given the words that read the rows that `write` writes.

    `columns` are the names and types of a row. Whatever either side raises is raised here, and then a part of the rows
    may have been taken in: the caller's transaction decides.
    """
    reading, writing = os.pipe()
    words = statement(_read(f"/dev/fd/{reading}", columns))

    def take_in() -> None:
        try:
            connection.execute(words)
        finally:
            os.close(reading)  # whoever still writes is told

    with ThreadPoolExecutor(1) as other:
        taken = other.submit(take_in)
        with suppress(BrokenPipeError), os.fdopen(writing, "wb", _BUFFER) as out:  # the other side says why
            write(out)
        taken.result()


def _read(file: str, columns: Mapping[str, str]) -> str:
    declared = ", ".join(f"{text(name)}: {text(kind)}" for name, kind in columns.items())
    return (
        f"read_csv({text(file)}, auto_detect = false, header = false, parallel = false, delim = '\x1f', "
        f"quote = '\x02', escape = '\x02', new_line = '\\n', nullstr = '', allow_quoted_nulls = false, "
        f"columns = {{{declared}}})"
    )


def select_from(rows: str, columns: Mapping[str, str]) -> str:
    return f"SELECT {', '.join(map(quoted, columns))} FROM {rows}"
