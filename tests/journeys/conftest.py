"""A town on each database, on the first of June 2026 unless a test says another day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.clock import ManualClock
from core.database import Database
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from tests.journeys.town import WORKSPACE, Town, at

MakeTown = Callable[..., Town]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    opened = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{tmp_path}/keys.db"))
    opened.create_store()
    yield opened
    opened.close()


@pytest.fixture
def make_town(database: Database, vault: Vault, tmp_path: Path) -> Iterator[MakeTown]:
    """Builds the town at an instant, with a workspace."""
    with ExitStack() as at_end:

        def make(start: str = "2026-06-01T08:00", workspace: str = WORKSPACE) -> Town:
            clock = ManualClock(at(start))
            town = Town(Runtime(Settings(project=str(tmp_path), workers="1"), database, vault, clock), clock, workspace)
            at_end.callback(town.close)
            return town

        yield make


@pytest.fixture
def town(make_town: MakeTown) -> Town:
    return make_town()
