from __future__ import annotations

from pathlib import Path

from sqlalchemy import insert

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.keys import create_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.tables import profile
from segments.ranks.ranking import RankRun
from segments.refresh import RefreshResult, refresh_all
from segments.run_page import as_markdown, ranks_as_markdown
from tests.segments.people import NOW, profile_row

WORKSPACE = {"workspace": "shop", "timezone": "Europe/Berlin", "currency": "EUR"}


def test_every_segment_is_refreshed_when_the_whole_work_is_asked_for(database: Database, tmp_path: Path) -> None:
    vault = Vault(create_key(tmp_path / "shop.key"), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    runtime = Runtime(Settings(project=str(tmp_path)), database, vault, ManualClock(NOW))
    documents = {
        "workspace": WORKSPACE | {"slug": "shop"},
        "german": {"segment": "german", "who": {"attribute": "country", "is": "DE"}},
        "foreign": {"segment": "foreign", "who": {"not": {"segment": "german"}}},
    }
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(1, country="DE"), profile_row(2), profile_row(3)])
        for slug, document in documents.items():
            kind = "workspace" if slug == "workspace" else "segment"
            name = "shop" if kind == "workspace" else slug
            publish(connection, kind, name, document=document, source="", file=f"{slug}.yaml", now=NOW)
    results = refresh_all(runtime)
    assert [(one.segment, one.member_count) for one in results] == [("german", 1), ("foreign", 2)]
    assert [one.segment for one in refresh_all(runtime, only=["foreign"])] == ["foreign"]
    vault.close()


def test_run_page_shows_a_table_when_segments_were_refreshed() -> None:
    page = as_markdown([RefreshResult("loyal", 12345, 678, 9, 0.25)])
    assert page.splitlines() == [
        "| Segment | Members | Entered | Left | Seconds |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| loyal | 12,345 | 678 | 9 | 0.2 |",
    ]


def test_run_page_shows_rankings_above_segments_when_people_were_ranked() -> None:
    page = ranks_as_markdown([RankRun("0f", "points", 12345, 67, 1.25)], [RefreshResult("loyal", 1, 1, 0, 0.1)])
    assert page.splitlines()[2] == "| points | 12,345 | 67 | 1.2 |"
    assert page.splitlines()[-1].startswith("| loyal | 1 |")
    assert ranks_as_markdown([], []) == "No published file asks for a rank."


def test_run_page_says_what_to_do_when_nothing_is_published() -> None:
    assert "postilion apply" in as_markdown([])
