"""Empty databases for test after test on one PostgreSQL server.

A database is copied from a template that the migrations made, and emptied for the next test where that gives the
same as a new copy: dropping one takes a second, copying a tenth of it, emptying a hundredth.
"""

from __future__ import annotations

import psycopg
from psycopg.sql import SQL, Composed, Identifier

import migrations

_OURS = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_TABLES = f"""
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relname <> 'alembic_version' AND {_OURS}
"""
# A copy has the object numbers of its template, so whatever a test created or dropped shows in these.
_OBJECTS = f"""
SELECT count(*), max(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}
UNION ALL SELECT count(*), max(oid) FROM pg_constraint
UNION ALL SELECT count(*), max(oid) FROM pg_attrdef
UNION ALL SELECT count(*), max(attrelid) FROM pg_attribute
"""
_RESTART_COUNTING = "SELECT setval(oid, 1, false) FROM pg_class WHERE relkind = 'S'"
_END_THE_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Copies:
    """The databases of one test process on the server whose maintenance database is at `url`."""

    def __init__(self, url: str, owner: str) -> None:
        self._server = url.rpartition("/")[0]
        self._owner = owner
        self._made_count = 0
        self._free: list[str] = []
        self._maintenance = psycopg.connect(url, autocommit=True)
        self._maintenance.execute(SQL("CREATE DATABASE {}").format(Identifier(f"template_{owner}")))
        template = f"{self._server}/template_{owner}"
        migrations.upgrade(template)
        with psycopg.connect(template, autocommit=True) as connection:
            self._objects = connection.execute(_OBJECTS).fetchall()
            self._empty = _statement_that_empties(connection)
            [(self._revision,)] = connection.execute("SELECT version_num FROM alembic_version")

    def close(self) -> None:
        self._maintenance.close()

    def take(self) -> str:
        """The address of an empty database with the whole schema."""
        if self._free:
            return self._free.pop()
        self._made_count += 1
        name = f"test_{self._owner}_{self._made_count}"
        self._maintenance.execute(
            SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(f"template_{self._owner}"))
        )
        return f"{self._server}/{name}"

    def give_back(self, url: str) -> None:
        """Empties the database for the next test; one whose schema was changed is not used again."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_END_THE_OTHERS)
            if connection.execute(_OBJECTS).fetchall() == self._objects:
                connection.execute(self._empty)
                connection.execute(_RESTART_COUNTING)
                connection.execute("UPDATE alembic_version SET version_num = %s", [self._revision])
                self._free.append(url)


def _statement_that_empties(connection: psycopg.Connection) -> Composed:
    """Deletes all rows in whatever order: as a replica, the server asks neither foreign keys nor triggers."""
    tables = connection.execute(_TABLES).fetchall()
    deletes = [SQL("DELETE FROM {}").format(Identifier(*table)) for table in tables]
    return SQL("; ").join([SQL("SET session_replication_role = replica"), *deletes])
