"""What is to run by itself, read from what is published, and what our records say is overdue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from cli.serving.deployments import Deployment, plan_deployments, read_publication
from cli.serving.overdue import find_overdue
from cli.serving.schedules import Calendar, Cron, Interval
from console.check import check_project
from console.project import load_project
from console.publish import publish_project
from core.clock import ManualClock
from core.database import Database
from core.definitions import publish, withdraw
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from segments.ranks.ranking import rank_everybody
from segments.refresh import refresh_all

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"


@pytest.fixture
def shop(database: Database, clock: ManualClock, tmp_path: Path) -> Iterator[Runtime]:
    """The example shop, published on a Wednesday at 08:00 UTC, with nobody in it."""
    vault = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{tmp_path}/keys.db"))
    vault.create_store()
    with database.transaction() as connection:
        publish_project(connection, check_project(load_project(SHOP)).project, clock.now())
    yield Runtime(Settings(project=str(tmp_path)), database, vault, clock)
    vault.close()


def overdue(runtime: Runtime) -> set[str]:
    with runtime.database.read() as connection:
        now = runtime.clock.now()
        folder = runtime.settings.exports_folder
        return set(find_overdue(connection, plan_deployments(connection, now), now, folder))


def test_everything_published_has_its_schedule_when_a_plan_is_made(shop: Runtime) -> None:
    with shop.database.read() as connection:
        plan = {one.name: one for one in plan_deployments(connection, shop.clock.now())}
    campaign = plan["campaign-summer_picks"]
    assert campaign.parameters == {"workspace": "shop", "campaign": "summer_picks"}
    assert isinstance(campaign.timing, Calendar)
    assert campaign.timing.zone == "Europe/London"
    assert campaign.words.startswith("Launches the campaign summer_picks: every Wednesday at 09:00, Europe/London")
    assert plan["bought-together"].timing == Cron("15 3 * * *", "Europe/London")
    assert plan["insights"].timing == Cron("30 3 * * *", "Europe/London")
    refreshed = [slug for name, one in plan.items() if "segments" in name for slug in one.parameters["only"]]
    assert sorted(refreshed) == sorted(file.stem for file in (SHOP / "segments").glob("*.yaml"))
    assert {"heartbeat", "housekeeping"} <= set(plan)


def test_everybody_is_ranked_at_night_when_a_published_file_asks_for_a_rank(shop: Runtime, clock: ManualClock) -> None:
    def plan() -> dict[str, Deployment]:
        with shop.database.read() as connection:
            return {one.name: one for one in plan_deployments(connection, shop.clock.now())}

    best = {"segment": "best", "who": {"rank": {"by": {"event": "order_placed", "count": True}, "top": 10}}}
    with shop.database.transaction() as connection:
        publish(connection, "segment", "best", document=best, source="", file="best.yaml", now=shop.clock.now())
    assert plan()["ranks"].timing == Cron("15 4 * * *", "Europe/London")
    assert "ranks" in overdue(shop)
    assert [run.counted for run in rank_everybody(shop)] == [0]
    assert "ranks" not in overdue(shop)
    clock.advance(timedelta(days=2))
    assert "ranks" in overdue(shop)


def test_a_file_is_written_every_monday_when_a_segment_asks_for_it(shop: Runtime) -> None:
    export = {"every": "1w", "at": "05:30"}
    vips = {"segment": "vips", "who": {"list": "vips"}, "export": export}
    with shop.database.transaction() as connection:
        publish(connection, "segment", "vips", document=vips, source="", file="vips.yaml", now=shop.clock.now())
    with shop.database.read() as connection:
        [plan] = [one for one in plan_deployments(connection, shop.clock.now()) if one.name == "export-vips"]
    assert plan.entrypoint == "segments.flows:export_segment_flow"
    assert plan.timing == Cron("30 5 * * *", "Europe/London")
    assert plan.words == "Writes the members of the segment vips to a file, every Monday at 05:30."
    assert "export-vips" not in overdue(shop)  # the clock of this test stands on a Wednesday


def test_nothing_runs_more_often_than_every_five_minutes_when_runs_cost_seconds(shop: Runtime) -> None:
    with shop.database.read() as connection:
        plan = plan_deployments(connection, shop.clock.now())
    assert all(one.timing.every >= timedelta(minutes=5) for one in plan if isinstance(one.timing, Interval))


def test_a_plan_is_the_same_when_nothing_was_published_meanwhile(shop: Runtime, clock: ManualClock) -> None:
    with shop.database.read() as connection:
        before = plan_deployments(connection, clock.now()), read_publication(connection)
    clock.advance(timedelta(days=3))
    with shop.database.read() as connection:
        assert (plan_deployments(connection, clock.now()), read_publication(connection)) == before


def test_a_campaign_is_not_scheduled_when_it_is_withdrawn(shop: Runtime, clock: ManualClock) -> None:
    with shop.database.read() as connection:
        before = read_publication(connection)
    with shop.database.transaction() as connection:
        withdraw(connection, "campaign", "summer_picks", clock.now())
        assert "campaign-summer_picks" not in {one.name for one in plan_deployments(connection, clock.now())}
        assert read_publication(connection) != before


def test_segments_are_overdue_when_they_were_never_refreshed_or_the_machine_slept(
    shop: Runtime, clock: ManualClock
) -> None:
    assert "segments-every-1h" in overdue(shop)
    refresh_all(shop)
    assert not any("segments" in name for name in overdue(shop))
    clock.advance(timedelta(hours=1, minutes=1))
    assert "segments-every-1h" not in overdue(shop)  # its own run is just beginning
    clock.advance(timedelta(minutes=2))
    assert "segments-every-1h" in overdue(shop)


def test_a_launch_is_overdue_when_its_moment_passed_and_nobody_launched(shop: Runtime, clock: ManualClock) -> None:
    clock.advance(timedelta(days=7, minutes=1))  # a Wednesday, one minute past nine in London
    assert "campaign-summer_picks" not in overdue(shop)
    clock.advance(timedelta(minutes=2))
    assert "campaign-summer_picks" in overdue(shop)
    clock.advance(timedelta(days=1))
    assert "campaign-summer_picks" not in overdue(shop)  # too late for good


def test_nothing_is_overdue_to_be_learned_when_there_is_no_order_to_learn_from(shop: Runtime) -> None:
    assert {"bought-together", "insights"}.isdisjoint(overdue(shop))
    assert "heartbeat" in overdue(shop)
