"""How SQLAlchemy writes for DuckDB: PostgreSQL's dialect with three differences, so that no further driver is needed.

The forms that differ beside them stand in `segments.compiling.dialects`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.base import PGIdentifierPreparer, PGTypeCompiler

from segments.compiling.dialects import NOTHING_EXTRACTED, Extracted


class _QuoteEveryName(PGIdentifierPreparer):
    """DuckDB reserves words that PostgreSQL does not, and more with each version."""

    def _requires_quotes(self, value: str) -> bool:
        return True


class _Types(PGTypeCompiler):
    def visit_FLOAT(self, type_: Any, **options: Any) -> str:  # noqa: N802 (SQLAlchemy's name)
        return "DOUBLE"  # its FLOAT has 32 bits


class DuckDBDialect(postgresql.dialect):  # type: ignore[misc, valid-type] # SQLAlchemy exports it untyped
    """`extracted` says which members of documents stand in columns of their own, so that no JSON is read for them."""

    name = "duckdb"
    preparer = _QuoteEveryName
    type_compiler_cls = _Types
    supports_statement_cache = True

    def __init__(self, extracted: Extracted = NOTHING_EXTRACTED) -> None:
        super().__init__(paramstyle="qmark")
        self._backslash_escapes = False
        self.extracted = extracted


def to_duckdb(query: Select[Any], extracted: Extracted = NOTHING_EXTRACTED) -> str:
    """`query` as text with its values written out."""
    return str(query.compile(dialect=DuckDBDialect(extracted), compile_kwargs={"literal_binds": True}))
