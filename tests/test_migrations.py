"""The history of the database runs up and down on both engines and ends at what the code declares."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

import migrations
from core.database import Database
from migrations.tables import metadata
from tests.copies import Copies


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    copies: Copies = request.getfixturevalue("postgresql_copies")
    url = copies.take()
    migrations.downgrade(url, "base")
    return url


def table_names(url: str) -> set[str]:
    database = Database(url)
    with database.read() as connection:
        names = set(inspect(connection).get_table_names()) - {"alembic_version"}
    database.close()
    return names


def test_runs_up_and_down_and_up_again_when_asked(empty_url: str) -> None:
    migrations.upgrade(empty_url)
    everything = table_names(empty_url)
    assert everything == set(metadata.tables)
    migrations.downgrade(empty_url, "base")
    assert table_names(empty_url) == set()
    migrations.upgrade(empty_url)
    assert table_names(empty_url) == everything


def test_ends_at_what_the_code_declares(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []
