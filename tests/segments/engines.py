"""The same rows on SQLite, PostgreSQL and DuckDB, and one rule asked of all three."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import Table, delete, insert, select

from core.database import Database
from customers.account_tables import account, account_member
from customers.tables import (
    consent_entry,
    customer_event,
    customer_order,
    identity,
    order_line,
    product,
    profile,
    sealed_attribute,
    static_list_member,
)
from customers.task_tables import task
from delivery.tables import message
from insights.tables import score
from segments.compiling.compiler import compile_rule
from segments.language.rules import RankBasis, Rule
from segments.ranks.bases import name_of, ranks_in
from segments.ranks.query import rank_query
from segments.ranks.ranking import refresh_rank
from segments.snapshot import Snapshot, open_snapshot
from segments.tables import segment_rank, segment_rank_run
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
    customer_order,
    order_line,
    product,
    account,
    account_member,
    score,
    segment_rank,
    segment_rank_run,
)


class Engines:
    def __init__(self, databases: Mapping[str, Database], snapshot: Snapshot) -> None:
        self._databases = databases
        self._snapshot = snapshot
        self._places: dict[str, list[int]] = {}

    def load(self, rows: Rows) -> None:
        """Replaces everything by `rows`."""
        self._places.clear()
        for database in self._databases.values():
            with database.transaction() as connection:
                for table in reversed(_TABLES):
                    connection.execute(delete(table))
                for table in _TABLES:
                    if rows.get(table):
                        connection.execute(insert(table), list(rows[table]))
        for table in _TABLES:
            self._snapshot.load(table, rows.get(table, ()))

    def rank(self, bases: Iterable[RankBasis]) -> None:
        """Each engine ranks its own people, as of now, once for the rows that are loaded."""
        wanted = {name_of(basis): basis for basis in bases}
        new = {name: basis for name, basis in wanted.items() if name not in self._places}
        if not new:
            return
        for name, basis in new.items():
            ranking = rank_query(basis, NOW, SHOP).subquery()
            self._places[name] = self._snapshot.select_ids(select(ranking.c.profile_id).order_by(ranking.c.place))
        places = [
            {"basis": name, "profile_id": who, "place": place}
            for name, found in self._places.items()
            for place, who in enumerate(found, start=1)
        ]
        runs = [
            {"basis": name, "words": "", "revision": 1, "counted": len(found), "computed_at": NOW}
            for name, found in self._places.items()
        ]
        self._snapshot.load(segment_rank, places)
        self._snapshot.load(segment_rank_run, runs)
        for database in self._databases.values():
            with database.transaction() as connection:
                for basis in new.values():
                    refresh_rank(connection, basis, SHOP, NOW)

    def select(
        self,
        rule: Rule,
        *,
        segments: Mapping[str, Rule] | None = None,
        batch: Sequence[int] | None = None,
        now: datetime = NOW,
    ) -> dict[str, list[int]]:
        """The members on each engine, by its name."""
        self.rank(leaf.basis for leaf in ranks_in([rule, *(segments or {}).values()]))
        query = compile_rule(rule, now=now, workspace=SHOP, segments=segments or {}, batch=batch)
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
