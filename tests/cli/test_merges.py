"""`postilion merges` and `postilion accounts` as a person or a program runs them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import Shell, shell, shop

__all__ = ["shell", "shop"]

PEOPLE = "id,mail,phone\nann,ann@people.example,+442079460018\n,ann+news@people.example,\nbob,bob@people.example,\n"
MAPPING = "import: profiles\ncolumns: {external_id: id, email: mail, phone: phone}\n"


@pytest.fixture
def people(shop: Shell, tmp_path: Path) -> Shell:
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "people.yaml").write_text(MAPPING)
    done = shop.run("import", "profiles", str(tmp_path / "people.csv"), "--mapping", str(tmp_path / "people.yaml"))
    assert done.code == 0, done.error
    return shop


def test_a_pair_is_shown_accepted_and_taken_back_when_somebody_decides(people: Shell) -> None:
    (pair,) = people.run("merges", "list", "--json").document
    assert pair["reason"] == "plus_tag"
    shown = people.run("merges", "show", str(pair["id"]))
    assert "ann@people.example" in shown.out
    assert "ann+news@people.example" in shown.out
    merged = people.run("merges", "accept", str(pair["id"]), "--by", "jo", "--json").document
    (standing,) = people.run("merges", "list", "--done", "--json").document
    assert (standing["id"], standing["source"], standing["cause"]) == (merged["merge"], "jo", "review")
    assert people.run("merges", "accept", str(pair["id"])).error.endswith("was merged by jo already.\n")
    assert people.run("merges", "undo", str(merged["merge"])).code == 0
    assert people.run("merges", "find", "--json").document["proposed"] == 0
    assert "Nothing waits" in people.run("merges", "list").out


def test_two_are_merged_by_hand_when_they_are_named_by_id_address_or_number(people: Shell) -> None:
    same = people.run("merges", "make", "ann", "+44 20 7946 0018")
    assert (same.code, "cannot be merged with itself" in same.error) == (1, True)
    assert "nobody is known" in people.run("merges", "make", "ann", "carol").error
    assert people.run("merges", "make", "ann", "bob@people.example").code == 0
    assert people.run("merges", "undo", "999").error.startswith("postilion: there is no merge 999")


def test_a_pair_is_kept_apart_when_somebody_says_so(people: Shell) -> None:
    (pair,) = people.run("merges", "list", "--json").document
    assert "stays two people" in people.run("merges", "keep-apart", str(pair["id"])).out
    assert people.run("merges", "list", "--json").document == []


def test_accounts_are_listed_when_there_are_any(people: Shell) -> None:
    assert "no account" in people.run("accounts", "list").out
    assert people.run("accounts", "show", "acme").code == 1
