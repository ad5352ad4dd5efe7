"""`postilion import` as a person and a program run it: kinds, dry run, suggestions, queries, and what was imported."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.cli.test_commands import MAPPING, ORDERS, Shell, shell, shop  # noqa: F401 (fixtures)
from tests.documents import ROOT
from tests.following import follow

PEOPLE = "id,mail,name,phone\n1,alice@example.org,Alice,\n2,bob@example.org,Bob,\n3,wrong,Carol,\n"
PEOPLE_MAPPING = "import: profiles\ncolumns: {external_id: id, email: mail, first_name: name}\n"


def test_page_about_moving_a_list_works_when_it_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert follow(ROOT / "docs" / "how-to" / "move-a-list.md", tmp_path, monkeypatch) >= 12


def test_import_is_tried_then_done_then_listed(shop: Shell) -> None:  # noqa: F811
    file = shop.write("people.csv", PEOPLE)
    shop.write("shop/imports/profiles.yaml", PEOPLE_MAPPING)
    tried = shop.run("import", "profiles", str(file), "--dry-run", "--json").document
    assert (tried["read_count"], tried["counts"], tried["rejected"]) == (3, {"new_profiles": 2}, {"wrong_email": 1})
    assert tried["unread_columns"] == ["phone"]
    assert tried["examples"][0]["who"] == "1"
    told = shop.run("import", "profiles", str(file), "--dry-run")
    assert "Nothing was written." in told.out
    assert "alice@" not in told.out
    assert shop.run("import", "list", "--json").document == []
    done = shop.run("import", "profiles", str(file), "--json").document
    assert (done["imported_count"], done["rejected"]) == (2, {"wrong_email": 1})
    assert Path(done["rejects_file"]).name == "people-profiles.csv"
    batch = shop.run("import", "list", "--json").document[0]
    assert (batch["id"], batch["kind"], batch["file"], batch["status"]) == (1, "profiles", "people.csv", "done")
    assert (batch["read_count"], batch["imported_count"], batch["rejected_count"]) == (3, 2, 1)
    assert "people.csv" in shop.run("import", "list").out
    again = shop.run("import", "profiles", str(file), "--dry-run", "--json").document
    assert again["counts"] == {"unchanged": 2}


def test_import_is_undone_when_its_number_is_named(shop: Shell) -> None:  # noqa: F811
    file = shop.write("people.csv", PEOPLE)
    shop.write("shop/imports/profiles.yaml", PEOPLE_MAPPING)
    assert shop.run("import", "profiles", str(file)).code == 0
    assert shop.run("import", "undo", "1", "--json").document["counts"]
    assert shop.run("import", "list", "--json").document[0]["status"] == "undone"
    assert shop.run("import", "undo", "7").code == 1


def test_mapping_is_suggested_and_never_written_over_another_one(shop: Shell) -> None:  # noqa: F811
    file = shop.write("people.csv", PEOPLE)
    shown = shop.run("import", "suggest", "profiles", str(file)).out
    assert shown.startswith("# Suggested from the first 3 rows of people.csv.")
    out = shop.folder / "shop" / "imports" / "people.yaml"
    assert shop.run("import", "suggest", "profiles", str(file), "--out", str(out)).code == 0
    assert out.read_text() == shown
    out.write_text("mine\n")
    answer = shop.run("import", "suggest", "profiles", str(file), "--out", str(out))
    assert (answer.code, "is there already" in answer.error) == (1, True)
    assert out.read_text() == "mine\n"


def test_query_is_imported_when_a_database_is_named(shop: Shell) -> None:  # noqa: F811
    connection = sqlite3.connect(shop.folder / "till.db")
    connection.executescript(
        "CREATE TABLE sale (no, at, sku, n, price); INSERT INTO sale VALUES (1, '2026-01-02', 'A', 1, 5)"
    )
    connection.close()
    mapping = shop.write(
        "orders.yaml",
        MAPPING.replace("order, p", "no, p")
        .replace("when", "at")
        .replace(" external_id: who,", "")
        .replace("quantity: quantity", "quantity: n"),
    )
    words = ("import", "orders", "--mapping", str(mapping), "--from", f"sqlite:///{shop.folder / 'till.db'}")
    done = shop.run(*words, "--query", "SELECT * FROM sale", "--json").document
    assert (done["imported_count"], done["rejected"]) == (1, {})
    assert done["file"].startswith("sqlite:till.db query ")
    assert shop.run("import", "list", "--json").document[0]["file"] == done["file"]


@pytest.mark.parametrize(
    "words",
    [
        ["import", "orders"],
        ["import", "orders", "a.csv", "--from", "sqlite:///a.db", "--query", "SELECT 1"],
        ["import", "orders", "--from", "sqlite:///a.db"],
        ["import", "orders", "a.csv", "--query", "SELECT 1"],
    ],
)
def test_file_or_query_is_asked_for_when_there_is_not_just_one(shop: Shell, words: list[str]) -> None:  # noqa: F811
    mapping = shop.write("orders.yaml", MAPPING)
    answer = shop.run(*words, "--mapping", str(mapping))
    assert (answer.code, "--from with --query" in answer.error) == (2, True), answer.error


def test_unknown_kind_is_a_usage_error(shop: Shell) -> None:  # noqa: F811
    assert shop.run("import", "nonsense", "a.csv").code == 2


def test_list_is_filled_and_a_segment_and_a_campaign_ask_for_it(shop: Shell) -> None:  # noqa: F811
    shop.write("shop/lists/press.yaml", "list: press\nname: Journalists\n")
    shop.write("shop/segments/journalists.yaml", "segment: journalists\nwho: [{list: press}]\n")
    shop.write("shop/imports/profiles.yaml", PEOPLE_MAPPING)
    shop.write("shop/imports/lists.yaml", "import: lists\ncolumns: {email: mail, list: {value: press}}\n")
    assert shop.run("check", "--json").document == []
    assert shop.run("apply").code == 0
    assert shop.run("import", "profiles", str(shop.write("people.csv", PEOPLE))).code == 0
    done = shop.run("import", "lists", str(shop.write("press.csv", "mail\nbob@example.org\n")), "--json").document
    assert done["details"] == {"list_members_added": 1}
    counts = {row["segment"]: row["member_count"] for row in shop.run("segments", "refresh", "--json").document}
    assert counts["journalists"] == 1
    assert shop.run("segments", "explain", "2", "journalists", "--json").document["holds"]


def test_orders_are_tried_before_they_are_imported(shop: Shell) -> None:  # noqa: F811
    file, mapping = shop.write("orders.csv", ORDERS), shop.write("orders.yaml", MAPPING)
    tried = shop.run("import", "orders", str(file), "--mapping", str(mapping), "--dry-run", "--json").document
    assert tried["counts"] == {"new_orders": 2, "new_lines": 2, "anonymous_orders": 1}
