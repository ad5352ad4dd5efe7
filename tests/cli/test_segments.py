"""`postilion segments` and `postilion lists` as a marketer types them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from core.settings import child_environment, load_settings
from tests.cli.test_commands import ROOT, Shell

PEOPLE = "external_id,email\nA-1,alice@people.example\nB-2,bob@people.example\nC-3,\n"
MAPPING = "import: profiles\nsource: till\ncolumns: {external_id: external_id, email: email}\n"
REACHABLE = "segment: reachable\nname: '[bold]Reachable'\nwho:\n  - {attribute: has_email, is: true}\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A project with three people, two of whom have an address, and a segment of those two, built once for all."""
    folder = tmp_path_factory.mktemp("desk")
    settings = load_settings({}, key_file=str(folder / "keys" / "shop.key"))
    desk = Shell(folder, child_environment(settings, PYTHONPATH=str(ROOT), COLUMNS="100"))
    assert desk.run("init", str(folder / "shop")).code == 0
    desk.write("shop/segments/reachable.yaml", REACHABLE)
    assert desk.run("apply").code == 0
    file, mapping = desk.write("people.csv", PEOPLE), desk.write("people.yaml", MAPPING)
    assert desk.run("import", "profiles", str(file), "--mapping", str(mapping)).code == 0
    assert desk.run("segments", "refresh").code == 0
    return desk


@pytest.mark.parametrize("columns", ["80", "120"])
def test_a_preview_fits_the_terminal_when_a_person_reads_it(desk: Shell, columns: str) -> None:
    narrow = Shell(desk.folder, {**desk.environment, "COLUMNS": columns})
    answer = narrow.run("segments", "preview", "segments/reachable.yaml", "--sql")
    assert answer.code == 0, answer.error
    assert "[bold]Reachable  reachable" in answer.out
    assert "2 of 3 people" in answer.out
    assert "a***@people.example" in answer.out
    assert "alice" not in answer.out
    assert "SELECT profile.id" in answer.out
    above, _, _sql = answer.out.partition("\nSQL\n")
    assert max(map(len, above.splitlines())) <= int(columns)


def test_a_preview_is_exact_when_a_program_reads_it(desk: Shell) -> None:
    document = desk.run("segments", "preview", "segments/reachable.yaml", "--json", "--sample", "1").document
    assert (document["count"], document["population"], len(document["sample"])) == (2, 3, 1)
    change = {"version": 1, "members": 2, "entered": 0, "left": 0, "conditions": []}
    assert (document["change"], document["faults"]) == (change, [])
    assert document["cost"]["rows"] == sum(step["rows"] for step in document["cost"]["steps"])
    for reach in document["reach"]:
        assert reach["reached"] == reach["members"] - sum(reach["lost"].values())


def test_every_fault_is_shown_when_the_previewed_file_is_wrong(desk: Shell) -> None:
    file = desk.write("wrong.yaml", "segment: wrong\nwho:\n  - {event: order_placed, withn: 1d}\n")
    answer = desk.run("segments", "preview", str(file))
    assert (answer.code, "wrong.yaml:3:27: E102" in answer.error) == (1, True)
    missing = desk.run("segments", "preview", "segments/none.yaml")
    assert (missing.code, "there is no file" in missing.error) == (1, True)
    folder = desk.run("segments", "preview", str(desk.folder))
    assert (folder.code, "is a folder" in folder.error) == (1, True)


def test_a_dear_segment_is_refused_and_warned_of_unless_forced(desk: Shell) -> None:
    settings = load_settings({}, key_file=desk.environment["POSTILION_KEY_FILE"], segment_rows="1")
    strict = Shell(desk.folder, {**desk.environment, **child_environment(settings)})
    refused = strict.run("segments", "preview", "segments/reachable.yaml")
    assert (refused.code, "would look at 3 rows, and 1 are allowed" in refused.error) == (1, True)
    assert strict.run("segments", "preview", "segments/reachable.yaml", "--force").code == 0
    warned = strict.run("check", "--json")
    assert (warned.code, {fault["code"] for fault in warned.document}) == (0, {"W208"})
    assert desk.run("check", "--json").document == []


def test_a_person_is_told_why_when_a_segment_is_explained(desk: Shell) -> None:
    inside = desk.run("segments", "explain", "A-1", "reachable")
    assert "is in reachable" in inside.out
    assert "✓ attribute has_email eq true  found: True" in inside.out
    outside = desk.run("segments", "explain", "C-3", "reachable", "--json").document
    assert (outside["holds"], outside["stored"]["entered_at"], outside["is_stored_right"]) == (False, None, True)
    assert outside["findings"][1]["found"] is False


def test_a_list_stays_when_a_segment_was_frozen_and_is_dropped_by_its_name(desk: Shell) -> None:
    frozen = desk.run("segments", "freeze", "reachable", "--as", "spring", "--json")
    assert frozen.code == 0, frozen.error
    assert (frozen.document["members"], frozen.document["is_new"]) == (2, True)
    assert desk.run("check", "--json").document == []
    assert "spring" in desk.run("lists", "list").out
    assert desk.run("apply").code == 0
    [listed] = desk.run("lists", "list", "--json").document
    assert (listed["name"], listed["members"], listed["is_published"]) == ("spring", 2, True)
    assert listed["frozen"]["segment"] == "reachable"
    again = desk.run("segments", "freeze", "reachable", "--as", "spring")
    assert (again.code, "--replace" in again.error) == (1, True)
    assert desk.run("segments", "freeze", "reachable", "--as", "Spring 1").code == 1
    assert desk.run("lists", "drop", "spring").code != 0  # nobody is there to say yes
    assert desk.run("lists", "drop", "spring", "--yes", "--json").document == {"list": "spring", "removed": 2}


def test_members_are_in_a_file_when_they_were_exported(desk: Shell) -> None:
    file = desk.folder / "out.csv"
    done = desk.run("segments", "export", "reachable", str(file), "--columns", "external_id,email", "--json")
    assert (done.code, done.document["rows"], done.document["personal"]) == (0, 2, ["email"])
    with file.open() as stream:
        assert [*csv.reader(stream)][1] == ["A-1", "alice@people.example"]
    refused = desk.run("segments", "export", "reachable", str(file))
    assert (refused.code, "there already" in refused.error) == (1, True)
    assert desk.run("segments", "export", "reachable", str(file), "--replace").code == 0
    assert "alice" not in file.read_text()
    for words, sentence in (
        (["reachable", str(desk.folder / "out.xlsx")], "neither .csv nor .parquet"),
        (["reachabel", str(desk.folder / "new.csv")], "did you mean 'reachable'?"),
        (["reachable", str(desk.folder / "new.csv"), "--columns", "mail"], "no column is called 'mail'"),
        (["reachable", str(Path("/nowhere/new.csv"))], "there is no folder /nowhere"),
    ):
        answer = desk.run("segments", "export", *words)
        assert (answer.code, sentence in answer.error) == (1, True), answer.error


def test_sizes_moves_and_age_are_listed_when_segments_are(desk: Shell) -> None:
    rows = {row["segment"]: row for row in desk.run("segments", "list", "--json").document}
    assert (rows["reachable"]["members"], rows["reachable"]["entered"]) == (2, 0)
    listed = Shell(desk.folder, {**desk.environment, "COLUMNS": "80"}).run("segments", "list").out
    assert " ago" in listed
    assert max(map(len, listed.splitlines())) <= 80
