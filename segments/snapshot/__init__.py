"""Everybody in columns: the copy of the system of record, in DuckDB, that rules are asked of for the whole population.

The only door to duckdb in this package. It holds ids and plain columns, nothing sealed and no blind index; `files` says
where it lies and who may write it, `build` and `delta` fill it, `owned` opens it.
"""

from segments.snapshot.dialect import DuckDBDialect, to_duckdb
from segments.snapshot.memory import Snapshot, open_snapshot

__all__ = ["DuckDBDialect", "Snapshot", "open_snapshot", "to_duckdb"]
