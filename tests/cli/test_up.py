"""`postilion up`, for real: its parts answer, schedules fire and follow what is published, and nothing outlives it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.engine import STOP_S, Engine, is_alive

pytestmark = pytest.mark.xdist_group("prefect")

OFTEN_S = 15
CAMPAIGN = """\
campaign: hello
status: live
to: {segment: newsletter}
send: {every: day, at: "09:00"}
email: hello
topic: marketing
sender: shop
"""
TEMPLATE = """\
---
template: hello
channel: email
subject: Hello
topic: marketing
---
<mjml><mj-body><mj-section><mj-column>
  <mj-text>Hello {{ profile.first_name | default("you") }}. <a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Everything runs; housekeeping has a second schedule, every quarter of a minute; a campaign was applied later."""
    engine = Engine.create(tmp_path_factory.mktemp("up"))
    for words in (("init",), ("apply",)):
        done = engine.run(*words)
        assert done.returncode == 0, done.stderr
    engine.start()
    try:
        schedule = {"schedule": {"interval": OFTEN_S}, "active": True}
        engine.ask_prefect("POST", f"/deployments/{deployment(engine, 'housekeeping')['id']}/schedules", [schedule])
        engine.write("campaigns/hello.yaml", CAMPAIGN)
        engine.write("templates/hello.mjml", TEMPLATE)
        applied = engine.run("apply")
        assert applied.returncode == 0, applied.stdout + applied.stderr
        yield engine
    finally:
        engine.end()


def deployment(engine: Engine, name: str) -> Any:
    found = engine.ask_prefect("POST", "/deployments/filter", {})
    return next(one for one in found if one["name"] == f"shop-{name}")


def runs(engine: Engine, name: str, state: str) -> list[Any]:
    of = {"deployments": {"name": {"any_": [f"shop-{name}"]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 50}
    return [one for one in engine.ask_prefect("POST", "/flow_runs/filter", of) if one["state_type"] == state]


def test_every_part_answers_and_is_told_with_its_address_when_everything_runs(engine: Engine) -> None:
    assert engine.get("/ready") == {"status": "ready", "workspace": "shop"}
    assert engine.ask_prefect("GET", "/ready") is not None
    assert f"http://127.0.0.1:{engine.port}" in engine.said
    assert f"http://127.0.0.1:{engine.prefect_port}/runs" in engine.said


def test_the_heartbeat_begins_at_once_when_everything_runs(engine: Engine) -> None:
    engine.wait_for(lambda: bool(runs(engine, "heartbeat", "RUNNING")), 30)


def test_a_second_engine_is_refused_when_one_runs(engine: Engine) -> None:
    second = engine.run("up")
    assert (second.returncode, second.stdout) == (3, "")
    assert second.stderr.startswith(f"postilion: the port 127.0.0.1:{engine.port} cannot be used")
    assert len(second.stderr.splitlines()) == 1


def test_an_interval_schedule_fires_and_its_run_is_completed_when_time_passes(engine: Engine) -> None:
    engine.wait_for(lambda: len(runs(engine, "housekeeping", "COMPLETED")) >= 1, 90)
    run = runs(engine, "housekeeping", "COMPLETED")[0]
    assert run["auto_scheduled"] is True
    artifacts = engine.ask_prefect("POST", "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}})
    page = next(one for one in artifacts if one["key"] == "ledger")
    assert page["description"] == "How your messages stand"
    assert "| waiting for their time | 0 |" in page["data"]


def test_a_schedule_is_followed_and_told_when_it_is_applied_meanwhile(engine: Engine) -> None:
    engine.wait_for(
        lambda: "changed: Launches the campaign hello: every day at 09:00, Europe/London" in engine.said, 60
    )
    kept = deployment(engine, "campaign-hello")
    assert kept["schedules"][0]["schedule"] == {"cron": "0 9 * * *", "timezone": "Europe/London", "day_or": True}
    assert kept["parameters"] == {"workspace": "shop", "campaign": "hello"}


def test_everything_ends_and_runs_are_completed_when_it_is_interrupted(engine: Engine) -> None:
    family = engine.family()
    assert len(family) >= 4
    assert engine.stop(signal.SIGINT) == 0
    assert "everything has stopped" in engine.said
    assert [pid for pid in family if is_alive(pid)] == []
    assert list((engine.folder / "shop" / ".postilion" / "log").glob("*.log"))


def test_no_process_is_left_and_the_next_start_works_when_it_is_killed(engine: Engine) -> None:
    engine.end()
    engine.start()
    engine.wait_for(lambda: bool(runs(engine, "heartbeat", "RUNNING")), 30)
    states = {one["state_type"] for one in runs_ever(engine, "heartbeat")}
    assert "CANCELLED" not in states  # what was under way at the interrupt was completed
    family = engine.family()
    assert engine.stop(signal.SIGKILL) != 0
    engine.process = None
    engine.wait_for(lambda: not any(map(is_alive, family)), STOP_S)


def runs_ever(engine: Engine, name: str) -> list[Any]:
    of = {"deployments": {"name": {"any_": [f"shop-{name}"]}}, "sort": "EXPECTED_START_TIME_ASC", "limit": 50}
    found: list[Any] = engine.ask_prefect("POST", "/flow_runs/filter", of)
    return found


@pytest.mark.parametrize(
    ("commands", "way_out"),
    [
        ((), "workspace.yaml"),
        (("init",), "run `postilion apply`"),
    ],
)
def test_one_sentence_tells_the_way_out_when_something_is_missing(
    tmp_path_factory: pytest.TempPathFactory, commands: tuple[str, ...], way_out: str
) -> None:
    engine = Engine.create(tmp_path_factory.mktemp("missing"))
    (engine.folder / "shop").mkdir()
    for command in commands:
        assert engine.run(command).returncode == 0
    refused = engine.run("up")
    assert refused.returncode == 3
    assert way_out in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
