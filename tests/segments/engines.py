"""The same rows on SQLite, PostgreSQL and DuckDB, and one rule asked of all three."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import Table, delete, insert

from core.database import Database
from customers.tables import consent_entry, customer_event, identity, profile, sealed_attribute, static_list_member
from customers.task_tables import task
from delivery.tables import message
from segments.compiler import compile_rule
from segments.rules import Rule
from segments.snapshot import Snapshot, open_snapshot
from tests.segments.people import NOW, SHOP
from tracking.tables import engagement_event

Rows = Mapping[Table, Sequence[Mapping[str, Any]]]

# In the order in which they may be filled; emptied the other way round.
_TABLES = (
    profile,
    identity,
    sealed_attribute,
    customer_event,
    consent_entry,
    message,
    engagement_event,
    static_list_member,
    task,
)


class Engines:
    def __init__(self, databases: Mapping[str, Database], snapshot: Snapshot) -> None:
        self._databases = databases
        self._snapshot = snapshot

    def load(self, rows: Rows) -> None:
        """Replaces everything by `rows`."""
        for database in self._databases.values():
            with database.transaction() as connection:
                for table in reversed(_TABLES):
                    connection.execute(delete(table))
                for table in _TABLES:
                    if rows.get(table):
                        connection.execute(insert(table), list(rows[table]))
        for table in _TABLES:
            self._snapshot.load(table, rows.get(table, ()))

    def select(
        self, rule: Rule, *, segments: Mapping[str, Rule] | None = None, batch: Sequence[int] | None = None
    ) -> dict[str, list[int]]:
        """The members on each engine, by its name."""
        query = compile_rule(rule, now=NOW, workspace=SHOP, segments=segments or {}, batch=batch)
        found = {"duckdb": self._snapshot.select_ids(query)}
        for name, database in self._databases.items():
            with database.read() as connection:
                found[name] = list(connection.scalars(query))
        return found

    def members(self, rule: Rule, **options: Any) -> list[int]:
        """The members, which must be the same on every engine."""
        found = self.select(rule, **options)
        assert len({tuple(ids) for ids in found.values()}) == 1, found
        return found["sqlite"]


@contextmanager
def open_engines(urls: Mapping[str, str]) -> Iterator[Engines]:
    with ExitStack() as stack:
        databases = {name: Database(url) for name, url in urls.items()}
        for database in databases.values():
            stack.callback(database.close)
        yield Engines(databases, stack.enter_context(open_snapshot()))
