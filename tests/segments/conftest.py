from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.copies import Copies
from tests.segments.engines import Engines, open_engines


@pytest.fixture(scope="module")
def engines(
    sqlite_template: Path, postgresql_copies: Copies, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engines]:
    """SQLite, PostgreSQL and DuckDB side by side, to be filled alike."""
    file = tmp_path_factory.mktemp("engines") / "postilion.db"
    shutil.copyfile(sqlite_template, file)
    url = postgresql_copies.take()
    with open_engines({"sqlite": f"sqlite:///{file}", "postgresql": url}) as opened:
        yield opened
    postgresql_copies.give_back(url)
