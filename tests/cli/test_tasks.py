"""`postilion tasks` as somebody of the team types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import Answer, Shell, shell, shop

__all__ = ["shell", "shop"]

NOW = "2026-06-10T08:00"
PEOPLE = "external_id,email\nA-1,alice@people.example\n"
MAPPING = "import: profiles\nsource: till\ncolumns: {external_id: external_id, email: email}\n"


@pytest.fixture
def desk(shop: Shell) -> Shell:
    """The new project, with Alice in it."""
    file, mapping = shop.write("people.csv", PEOPLE), shop.write("people.yaml", MAPPING)
    done = shop.run("import", "profiles", str(file), "--mapping", str(mapping))
    assert done.code == 0, done.error
    return shop


def tasks(desk: Shell, *words: str, now: str = NOW) -> Answer:
    return desk.run("--now", now, "tasks", *words)


def test_a_task_goes_from_the_list_to_its_outcome_when_somebody_works_on_it(desk: Shell) -> None:
    added = tasks(
        desk, "add", "Call about [red]kettle[/]", "--for", "alice@people.example", "--kind", "complaint",
        "--team", "service", "--due", "2d", "--priority", "high", "--json",
    )  # fmt: skip
    assert added.code == 0, added.error
    task = added.document
    assert (task["for"], task["due_at"][:16], task["status"]) == ("A-1", "2026-06-12T08:00", "open")
    short = task["id"][:4]
    assert tasks(desk, "take", short, "--as", "Kim").code == 0
    listed = tasks(desk, "list", now="2026-06-13")
    assert "Call about" in listed.out
    assert "! 12 Jun" in listed.out
    assert tasks(desk, "list", "--overdue", "--json").document["tasks"] == []
    done = tasks(desk, "done", short, "--outcome", "reached", "--json").document
    assert (done["status"], done["outcome"], done["assignee"]) == ("done", "reached", "Kim")
    assert tasks(desk, "list").out == "Nothing is to be done.\n"
    again = tasks(desk, "cancel", short)
    assert (again.code, again.error) == (1, "postilion: the task is done already: reopen it first.\n")
    assert tasks(desk, "reopen", short, "--json").document["status"] == "open"
    assert tasks(desk, "assign", short, "--team", "sales", "--to", "Lee", "--json").document["team"] == "sales"
    moved = tasks(desk, "reschedule", short, "--due", "2026-07-01", "--json").document
    assert moved["due_at"] == "2026-07-01T00:00:00Z"
    sheet = tasks(desk, "show", short).out
    assert "Call about [red]kettle[/]" in sheet
    assert "Lee" in sheet


def test_pages_follow_one_another_when_the_list_is_long(desk: Shell) -> None:
    for due in ("3d", "1d", "2d"):
        assert tasks(desk, "add", f"In {due}", "--due", due).code == 0
    first = tasks(desk, "list", "--limit", "2", "--json").document
    second = tasks(desk, "list", "--limit", "2", "--after", first["following"], "--json").document
    assert [one["title"] for page in (first, second) for one in page["tasks"]] == ["In 1d", "In 2d", "In 3d"]
    assert second["following"] is None
    assert f"--after {first['following']}" in tasks(desk, "list", "--limit", "2").out


MISTAKES = [
    (("add", " "), "a task needs a title"),
    (("add", "Call", "--for", "nobody@people.example"), "nobody is known by that"),
    (("add", "Call", "--kind", "complain"), "did you mean 'complaint'?"),
    (("add", "Call", "--due", "soon"), "is no instant"),
    (("list", "--status", "closed"), "is not known here"),
    (("list", "--after", "x"), "this is no place in the list"),
    (("show", "ffff"), "there is no task 'ffff'"),
    (("assign", "ffff"), "nobody is named"),
]


def test_the_way_out_is_told_when_a_command_cannot_be_followed(desk: Shell) -> None:
    for words, said in MISTAKES:
        answer = tasks(desk, *words)
        assert (answer.code, said in answer.error) == (1, True), answer.error


def test_nothing_of_a_task_stands_in_clear_when_the_files_are_read(desk: Shell) -> None:
    assert tasks(desk, "add", "Ask about KANARIENVOGEL", "--for", "A-1", "--body", "and the KANARIENVOGEL").code == 0
    assert tasks(desk, "add", "Buy a KANARIENVOGEL").code == 0
    files = [file for file in Path(desk.folder).rglob("*") if file.is_file()]
    assert len(files) > 3
    assert [file for file in files if b"KANARIENVOGEL" in file.read_bytes()] == []
