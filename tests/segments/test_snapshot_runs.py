"""What is reckoned for everybody at once reaches the snapshot whole, though few people are touched by it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.tables import profile
from insights.scores import forget_score, record_scores
from segments.ranks.ranking import refresh_ranks
from segments.snapshot.delta import bring_up_to_date
from segments.snapshot.owned import own_snapshot
from tests.segments.people import NOW, SHOP, profile_row

BEST = {"segment": "best", "who": {"rank": {"by": "points", "top": "10%"}}}
PEOPLE = 20


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Iterator[Runtime]:
    vault = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{tmp_path}/keys.db"))
    vault.create_store()
    document = {"workspace": "shop", "slug": "shop", "timezone": "Europe/Berlin", "currency": "EUR"}
    with database.transaction() as connection:
        publish(connection, "workspace", "shop", document=document, source="", file="workspace.yaml", now=NOW)
        publish(connection, "segment", "best", document=BEST, source="", file="best.yaml", now=NOW)
        rows = [profile_row(number, attributes={"points": number}) for number in range(1, PEOPLE + 1)]
        connection.execute(insert(profile), rows)
        refresh_ranks(connection, SHOP, NOW)
        record_scores(connection, "churn", [(number, 0.5) for number in range(1, PEOPLE + 1)], NOW)
        record_scores(connection, "value", [(1, 1), (2, 2)], NOW)
    yield Runtime(Settings(project=str(tmp_path), state=str(tmp_path)), database, vault, ManualClock(NOW))
    vault.close()


def copied(runtime: Runtime) -> tuple[list[tuple[int, int]], list[tuple[str, int, float, int]]]:
    """Places and scores as the snapshot has them after a delta."""
    with own_snapshot(runtime) as owned:
        result = bring_up_to_date(owned, runtime)
        places = owned.opened.execute("SELECT profile_id, place FROM segment_rank ORDER BY place").fetchall()
        scores = owned.opened.execute("SELECT name, profile_id, value, computed_at FROM score ORDER BY ALL").fetchall()
    if result.rebuilt is not None:
        assert "no file" in result.rebuilt
    return places, scores


def test_places_are_all_new_when_only_two_people_were_touched_by_a_ranking(runtime: Runtime) -> None:
    places, _scores = copied(runtime)
    assert places == [(PEOPLE + 1 - place, place) for place in range(1, PEOPLE + 1)]
    with runtime.database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(99, attributes={"points": 99})])
        [run] = refresh_ranks(connection, SHOP, NOW)
        assert run.touched == 2
    places, _scores = copied(runtime)
    assert places == [(99, 1), *((PEOPLE + 2 - place, place) for place in range(2, PEOPLE + 2))]


def test_scores_have_their_new_date_when_nobody_was_touched_by_recording_them(runtime: Runtime) -> None:
    copied(runtime)
    later = NOW + timedelta(days=1)
    with runtime.database.transaction() as connection:
        again = record_scores(connection, "churn", [(number, 0.5) for number in range(1, PEOPLE + 1)], later)
        assert again.changed == 0
        forget_score(connection, "value")
    _places, scores = copied(runtime)
    micros = round(later.timestamp() * 1_000_000)
    assert scores == [("churn", number, 0.5, micros) for number in range(1, PEOPLE + 1)]
