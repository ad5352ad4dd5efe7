"""The assembled application: alive, ready or not and why, and served on a port of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from console.server import serving
from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.errors import EnvironmentFaultError
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from examples.commands import free_port

WORKSPACE = {"workspace": "shop", "timezone": "Europe/London", "currency": "GBP"}


@pytest.fixture
def runtime(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[Runtime]:
    vault = Vault(WorkspaceKey((bytes(32),)), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    vault.create_store()
    yield Runtime(Settings(port=str(free_port())), database, vault, clock)
    vault.close()


def get(url: str) -> tuple[int, dict[str, str]]:
    try:
        with urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except HTTPError as answer:
        return answer.code, json.load(answer)


def test_is_alive_at_once_and_ready_when_a_workspace_is_published(runtime: Runtime) -> None:
    with serving(runtime) as url:
        assert get(f"{url}/health") == (200, {"status": "alive"})
        status, document = get(f"{url}/ready")
        assert (status, "postilion apply" in document["error"]) == (503, True)
        with runtime.database.transaction() as connection:
            publish(connection, "workspace", "shop", document=WORKSPACE, source="", file="w", now=runtime.clock.now())
        assert get(f"{url}/ready") == (200, {"status": "ready", "workspace": "shop"})


def test_says_what_to_do_when_the_port_is_taken(runtime: Runtime) -> None:
    with (
        serving(runtime),
        pytest.raises(EnvironmentFaultError, match="POSTILION_PORT"),
        serving(replace(runtime, settings=runtime.settings)),
    ):
        pass
