"""A refresh that asks the snapshot writes what one of the database would have, and puts nobody back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import load_settings
from core.vault import Vault, open_key_store
from customers.tables import customer_event, profile
from customers.workspace import get_workspace
from segments.definition import load_segments, rules_of
from segments.membership import members
from segments.population import find_everybody
from segments.refresh import refresh_all, refresh_segment
from segments.snapshot.files import folder_of
from tests.segments.people import DAY, NOW, event_row, profile_row
from tests.segments.test_refresh import moves, publish_segment

ALICE, BOB, CAROL, DAVE = 1, 2, 3, 4
_WORKSPACE: dict[str, Any] = {"workspace": "shop", "timezone": "UTC", "currency": "EUR", "country": "DE"}
BUYERS = {"segment": "buyers", "who": {"event": "order_placed", "within": "30d"}}


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Iterator[Runtime]:
    vault = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{tmp_path}/keys-of-test.db"))
    vault.create_store()
    with database.transaction() as connection:
        publish(connection, "workspace", "shop", document=_WORKSPACE, source="", file="workspace.yaml", now=NOW)
        connection.execute(insert(profile), [profile_row(number) for number in (ALICE, BOB, CAROL, DAVE)])
        rows = [event_row(101, ALICE, "order_placed", NOW - 10 * DAY), event_row(102, BOB, "order_placed", NOW - DAY)]
        connection.execute(insert(customer_event), rows)
    publish_segment(database, BUYERS)
    settings = load_settings({}, state=str(tmp_path / "state"), snapshot_from="1")
    yield Runtime(settings, database, vault, ManualClock(NOW))
    vault.close()


def with_snapshot(runtime: Runtime) -> Runtime:
    """One for whose few segments the snapshot is used, because it is there."""
    with runtime.database.read() as connection:
        find_everybody(runtime, load_segments(connection), NOW)
    assert folder_of(runtime.settings).working.exists()
    return runtime


def members_of(runtime: Runtime) -> list[int]:
    with runtime.database.read() as connection:
        return members(connection, "buyers")


def test_same_is_written_when_the_snapshot_is_asked(runtime: Runtime) -> None:
    [first] = refresh_all(with_snapshot(runtime))
    assert (first.member_count, first.entered, first.left) == (2, 2, 0)
    initial = {"segment": "buyers", "initial": True}
    assert moves(runtime.database) == [
        ("segment_entered", ALICE, NOW, initial),
        ("segment_entered", BOB, NOW, initial),
    ]
    [again] = refresh_all(runtime)
    assert (again.member_count, again.entered, again.left) == (2, 0, 0)
    later = NOW + 25 * DAY
    [aged] = refresh_all(runtime, now=later)
    assert (aged.member_count, aged.entered, aged.left) == (1, 0, 1)
    assert moves(runtime.database)[2:] == [("segment_left", ALICE, later, {"segment": "buyers"})]


def test_database_is_asked_when_people_are_few(runtime: Runtime) -> None:
    few = replace(runtime, settings=load_settings({}, state=runtime.settings.state, snapshot_from="20000"))
    refresh_all(few)
    assert members_of(few) == [ALICE, BOB]
    assert not folder_of(few.settings).path.exists()


def test_somebody_who_changed_since_is_asked_again_when_the_answer_is_written(runtime: Runtime) -> None:
    with runtime.database.read() as connection:
        workspace, segments = get_workspace(connection), load_segments(connection)
    found = find_everybody(runtime, segments, NOW)
    with runtime.database.transaction() as connection:
        connection.execute(insert(customer_event), [event_row(103, CAROL, "order_placed", NOW - DAY)])
    with runtime.database.transaction() as connection:
        result = refresh_segment(connection, segments["buyers"], segments, workspace, NOW, found=found)
    assert result.member_count == 3
    assert members_of(runtime) == [ALICE, BOB, CAROL]
    assert rules_of(segments)
