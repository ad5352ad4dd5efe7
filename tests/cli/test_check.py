"""`postilion check`: one line a fault for people, JSON for programs, SARIF for code hosts, and an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import child_environment, load_settings
from tests.cli.test_commands import ROOT, Shell

WORKSPACE = "workspace: shop\ntimezone: UTC\ncurrency: GBP\nevents: {signed_up: {}}\n"
JOURNEY = "journey: hello\nenter: {event: signed_up}\nsteps:\n  - {id: pause, wait: 48h}\n  - {goto: pasue}\n"
HOURS = "counts hours, also when the clocks change, write 2d if days on the calendar are meant"
SEGMENT = "segment: loyal\nwho: [{segment: loyals}]\n"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A project with an error and a warning in one file, and an error in another; there is no database."""
    settings = load_settings({}, key_file=str(tmp_path / "shop.key"))
    shell = Shell(tmp_path, child_environment(settings, PYTHONPATH=str(ROOT), COLUMNS="60"))
    shell.write("shop/workspace.yaml", WORKSPACE)
    shell.write("shop/journeys/hello.yaml", JOURNEY)
    shell.write("shop/segments/loyal.yaml", SEGMENT)
    return shell


def test_each_fault_is_one_line_with_its_place_and_its_hint_when_a_person_asks(shell: Shell) -> None:
    answer = shell.run("check")
    assert answer.code == 1
    assert answer.out.splitlines() == [
        f"journeys/hello.yaml:4:23: W204 '48h' {HOURS}",
        "journeys/hello.yaml:5:12: E111 there is no step 'pasue', did you mean 'pause'?",
        "segments/loyal.yaml:2:17: E120 unknown segment 'loyals', did you mean 'loyal'?",
        "2 errors and 1 warning in 3 files",
    ]


def test_only_the_named_files_are_told_of_when_some_are_named(shell: Shell) -> None:
    answer = shell.run("check", "segments/loyal.yaml", "--json")
    assert (answer.code, [fault["code"] for fault in answer.document]) == (1, ["E120"])
    assert set(answer.document[0]) >= {"file", "line", "column", "end_column", "code", "message", "hint"}
    fine = shell.run("check", str(shell.folder / "shop" / "workspace.yaml"))
    assert (fine.code, fine.out) == (0, "✓ 1 file, nothing wrong\n")


def test_code_hosts_find_rule_and_region_of_each_fault_when_sarif_is_asked_for(shell: Shell) -> None:
    answer = shell.run("check", "--sarif")
    assert answer.code == 1
    assert answer.document["version"] == "2.1.0"
    (run,) = answer.document["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["E111", "E120", "W204"]
    assert [(one["ruleId"], rules[one["ruleIndex"]]["id"], one["level"]) for one in run["results"]] == [
        ("W204", "W204", "warning"),
        ("E111", "E111", "error"),
        ("E120", "E120", "error"),
    ]
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 5, "startColumn": 12, "endColumn": 17}
    assert place["artifactLocation"]["uri"].endswith("journeys/hello.yaml")


@pytest.mark.parametrize("words", [["--json", "--sarif"], ["journeys/none.yaml"], ["/etc/hostname"]])
def test_the_shell_is_told_of_a_slip_when_the_command_cannot_be_meant(shell: Shell, words: list[str]) -> None:
    assert shell.run("check", *words).code == 2
