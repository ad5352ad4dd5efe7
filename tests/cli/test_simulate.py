"""`postilion simulate` and `backtest` as a marketer types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.settings import child_environment, load_settings
from tests.cli.test_commands import ROOT, Shell

PEOPLE = "external_id,email\nA-1,alice@people.example\nB-2,bob@people.example\nC-3,\n"
MAPPING = "import: profiles\nsource: till\ncolumns: {external_id: external_id, email: email}\n"
JOURNEY = """
journey: hello
status: draft
enter: {event: signed_up}
steps:
  - {id: day, wait: 1d}
  - id: reach
    choose:
      - {name: mail, if: {attribute: has_email, is: true}, then: [{id: note, emit: reached}]}
    else: [{exit: unreachable}]
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A project with three people and a journey that is not published."""
    folder = tmp_path_factory.mktemp("desk")
    settings = load_settings({}, key_file=str(folder / "keys" / "shop.key"))
    desk = Shell(folder, child_environment(settings, PYTHONPATH=str(ROOT), COLUMNS="100"))
    assert desk.run("init", str(folder / "shop")).code == 0
    assert desk.run("apply").code == 0
    file, mapping = desk.write("people.csv", PEOPLE), desk.write("people.yaml", MAPPING)
    assert desk.run("import", "profiles", str(file), "--mapping", str(mapping)).code == 0
    desk.write("hello.yaml", JOURNEY)
    return desk


def test_a_draft_is_simulated_with_everybody_when_its_file_is_named(desk: Shell) -> None:
    file = str(Path(desk.folder) / "hello.yaml")
    arguments = ("simulate", "hello", "--file", file, "--from", "2026-06-01", "--timeline", "1")
    answer = desk.run(*arguments)
    assert answer.code == 0, answer.error
    assert "3 people, everybody enters once" in answer.out
    assert "mail 2" in answer.out
    first, again = desk.run(*arguments, "--json"), desk.run(*arguments, "--json")
    assert first.out == again.out
    assert first.document["ended"] == {"completed": 2, "unreachable": 1}
    assert first.document["timeline"][0].startswith("2026-06-01 00:00:00 entered by signed_up")


def test_nobody_enters_before_their_day_unless_everybody_shall_enter_once(desk: Shell) -> None:
    file = desk.write("later.yaml", JOURNEY.replace("{event: signed_up}", "{date: birthday, repeat: yearly}"))
    arguments = ("simulate", "hello", "--file", str(file), "--from", "2026-06-01", "--json")
    document = desk.run(*arguments).document
    assert (document["fed"], document["entries"]["entered"]) == ("who enter when something lets them in", 0)
    document = desk.run(*arguments, "--spread", "0s").document
    assert (document["fed"], document["entries"]["entered"]) == ("everybody enters once", 3)


def test_a_file_says_what_happens_when_events_are_given(desk: Shell) -> None:
    file = str(Path(desk.folder) / "hello.yaml")
    event = {"external_id": "A-1", "name": "signed_up", "occurred_at": "2026-06-02T10:00Z"}
    events = desk.write("events.jsonl", json.dumps(event) + "\n")
    arguments = ("simulate", "hello", "--file", file, "--from", "2026-06-01", "--json", "--events")
    assert desk.run(*arguments, str(events)).document["entries"]["entered"] == 1
    events = desk.write("events.jsonl", json.dumps(event | {"external_id": "Z-9"}) + "\n")
    answer = desk.run(*arguments, str(events))
    assert (answer.code, "events.jsonl:1: there is no profile with the external id 'Z-9'" in answer.error) == (1, True)


def test_history_goes_through_a_journey_when_it_is_backtested(desk: Shell) -> None:
    file = str(Path(desk.folder) / "hello.yaml")
    document = desk.run("backtest", "hello", "--file", file, "--from", "2026-01-01", "--json").document
    assert (document["fed"], document["entries"]["entered"]) == ("the stored history", 0)


def test_the_way_out_is_said_when_the_journey_is_unknown(desk: Shell) -> None:
    answer = desk.run("simulate", "helo")
    assert (answer.code, "Publish it, or name its file with --file." in answer.error) == (1, True)
