"""Column types that mean the same on SQLite and PostgreSQL.

Instants are BIGINT microseconds, so that members of a segment do not depend on an engine's date arithmetic; documents
are JSON text on SQLite and JSONB on PostgreSQL.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from core.clock import from_micros, in_utc, to_micros

# SQLite counts rows by itself only in a column declared INTEGER.
Id = BigInteger().with_variant(Integer(), "sqlite")


class Instant(TypeDecorator[datetime]):
    """A zone-aware UTC datetime, stored as microseconds since 1970; a naive one is refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(in_utc(value))

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)

    def process_literal_param(self, value: datetime | None, dialect: Dialect) -> str:
        return "NULL" if value is None else str(to_micros(in_utc(value)))


_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder().decode


class Document(TypeDecorator[Any]):
    """A JSON document of plain values (dict, list, str, int, float, bool, None)."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_PlainJSONB() if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else _encode(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        # psycopg decodes JSONB by itself.
        return value if value is None or dialect.name == "postgresql" else _decode(value)


class OrderedDocument(TypeDecorator[Any]):
    """A JSON document whose keys keep their order, as JSONB does not: arms of a split have one."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else _encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else _decode(value)


class _PlainJSONB(UserDefinedType[Any]):
    """JSONB that takes text. SQLAlchemy's own would encode it once more, into a JSON string."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_options: object) -> str:
        return "JSONB"
