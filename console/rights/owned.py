"""Which rows of which table are a person's: what `core/personal.py` says of a table, as conditions and values.

Erasing and exporting both go through here, so that neither can forget what the other knows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, or_, select

from core.personal import Personal, find_personal, iter_personal
from migrations.tables import metadata


def personal_tables() -> Iterator[tuple[Table, Personal]]:
    """Every table with rows about people, parents before their children."""
    return iter_personal(metadata)


def rows_of(table: Table, personal: Personal, profile_ids: Collection[int]) -> ColumnElement[bool]:
    """The rows of `table` that belong to these profiles, found through its parents where it has one."""
    if personal.parent is None:
        columns = (personal.by, *personal.also_by)
        return or_(*(table.c[name].in_(profile_ids) for name in columns))
    parent = metadata.tables[personal.parent]
    of_parent = find_personal(parent)
    assert of_parent is not None, f"{table.name} belongs to {parent.name}, which says that it holds nothing of anybody"
    return table.c[personal.by].in_(select(key_of(parent)).where(rows_of(parent, of_parent, profile_ids)))


def key_of(table: Table) -> Column[Any]:
    """The single column that identifies a row."""
    (key,) = table.primary_key.columns
    return key


def emptied(column: Column[Any]) -> Any:
    """What stands in `column` once its row was cleared: nothing, or the default where something must stand there."""
    if column.nullable:
        return None
    default: Any = column.default
    assert default is not None, f"{column} is cleared at erasure and has neither NULL nor a default"
    return default.arg(None) if default.is_callable else default.arg


def is_filled(column: Column[Any]) -> ColumnElement[bool]:
    """Whether there is anything to clear."""
    return column.is_not(None) if column.nullable else column != emptied(column)
