"""Rows written as a Parquet file, with memory that stays flat: first as lines of JSON, which DuckDB then streams."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from core.errors import EnvironmentFaultError
from customers.workspace import ValueKind

_TYPES: Mapping[ValueKind, str] = {
    ValueKind.TEXT: "VARCHAR",
    ValueKind.NUMBER: "DOUBLE",
    ValueKind.BOOLEAN: "BOOLEAN",
    ValueKind.DATE: "DATE",
    ValueKind.INSTANT: "TIMESTAMPTZ",
    ValueKind.LIST: "VARCHAR[]",
}
WHOLE_NUMBER = "BIGINT"
_MEMORY = "256MB"


def write_parquet(file: Path, columns: Mapping[str, ValueKind | str], rows: Iterable[Mapping[str, Any]]) -> int:
    """Write `rows` to `file`, readable by its owner alone; answers how many there were.

    A kind may also be a type of DuckDB. Raises EnvironmentFaultError when the file cannot be written.
    """
    import duckdb

    lines = file.with_name(f"{file.name}.jsonl")
    encode = msgspec.json.Encoder(enc_hook=str).encode
    count = 0
    try:
        with os.fdopen(os.open(lines, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            for row in rows:
                stream.write(encode(row) + b"\n")
                count += 1
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with duckdb.connect(":memory:", config={"threads": 1, "memory_limit": _MEMORY}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(_statement(columns), [str(lines), str(file)])
    except duckdb.Error as error:
        raise EnvironmentFaultError(f"{file} could not be written: {error}. Is there enough space?") from None
    finally:
        lines.unlink(missing_ok=True)
    return count


def _statement(columns: Mapping[str, ValueKind | str]) -> str:
    types = ", ".join(f"{_quoted(name)}: '{_type(kind)}'" for name, kind in columns.items())
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
    source = f"read_json($1, format = 'newline_delimited', columns = {{{types}}})"
    return f"COPY (SELECT {names} FROM {source}) TO $2 (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"


def _type(kind: ValueKind | str) -> str:
    return _TYPES[kind] if isinstance(kind, ValueKind) else kind


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
