"""The only door to DuckDB on the way in: Parquet files, read in pieces so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.errors import InputError

_NESTED = ("STRUCT", "MAP", "UNION", "LIST", "[")


class ParquetFile:
    """An open Parquet file; `columns` are its names and `row_count` is what its footer says."""

    def __init__(self, file: Path) -> None:
        import duckdb

        self._connection = duckdb.connect(":memory:", config={"threads": 1, "memory_limit": "128MB"})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._file = str(file)
        try:
            described = self._connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [self._file]).fetchall()
            counted = self._connection.execute("SELECT count(*) FROM read_parquet(?)", [self._file]).fetchone()
        except duckdb.Error:
            self._connection.close()
            raise InputError(f"{file} is not a Parquet file, or it is damaged: export it again.") from None
        self._kinds = {name: kind for name, kind, *_ in described}
        self.row_count = counted[0] if counted else 0

    @property
    def columns(self) -> list[str]:
        return list(self._kinds)

    def iter_batches(self, columns: Sequence[str], size: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows in the order of the file, cells in the order of `columns`; nested values as JSON text."""
        import duckdb

        words = ", ".join(self._selected(name) for name in columns) or "1"
        try:
            result = self._connection.execute(f"SELECT {words} FROM read_parquet(?)", [self._file])
            while rows := result.fetchmany(size):
                yield rows
        except duckdb.Error:
            raise InputError(f"{self._file} is damaged: export it again.") from None

    def close(self) -> None:
        self._connection.close()

    def _selected(self, name: str) -> str:
        quoted = '"' + name.replace('"', '""') + '"'
        kind = self._kinds[name]
        return f"to_json({quoted})::VARCHAR" if any(word in kind for word in _NESTED) else quoted
