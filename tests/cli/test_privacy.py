"""`postilion privacy` as somebody types it who has a letter on the desk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.test_commands import Answer, Shell, shell, shop

__all__ = ["shell", "shop"]

NOW = "2026-06-10T08:00"
PEOPLE = "external_id,email,first\nA-1,alice@people.example,Alice\nB-1,bob@people.example,Bob\n"
MAPPING = "import: profiles\nsource: till\ncolumns: {external_id: external_id, email: email, first_name: first}\n"


@pytest.fixture
def desk(shop: Shell) -> Shell:
    """The new project, with Alice and Bob in it."""
    file, mapping = shop.write("people.csv", PEOPLE), shop.write("people.yaml", MAPPING)
    done = shop.run("import", "profiles", str(file), "--mapping", str(mapping))
    assert done.code == 0, done.error
    return shop


def privacy(desk: Shell, *words: str, now: str = NOW) -> Answer:
    return desk.run("--now", now, "privacy", *words)


def test_a_letter_is_received_seen_when_overdue_and_done(desk: Shell) -> None:
    received = privacy(desk, "receive", "export", "alice@people.example", "--at", "2026-05-01")
    assert received.code == 0, received.error
    assert "due by 2026-06-01" in received.out
    listed = privacy(desk, "requests", "--open")
    assert re.search(r"!\s+1\s+export\s+#\d+\s+open\s+2026-06-01\s+letter", listed.out), listed.out
    done = privacy(desk, "export", "A-1", "--json").document
    assert (done["id"], done["status"], done["requested_by"]) == (1, "done", "letter")
    assert done["url"].split("/x/")[1]
    file = Path(done["file"])
    assert file.is_file()
    assert done["expires_at"].startswith("2026-06-10T08:30")
    assert privacy(desk, "requests", "--open").out == "Nothing waits to be done.\n"
    assert privacy(desk, "requests", "--json").document[0]["proof"]["sha256"] == done["proof"]["sha256"]


def test_a_correction_says_what_becomes_of_consent(desk: Shell) -> None:
    done = privacy(desk, "rectify", "B-1", "first_name=Robert", "--email", "robert@people.example")
    assert done.out.splitlines() == [
        "Changed: first_name, email.",
        "What was agreed to for the old email does not hold for the new one: ask for consent again.",
    ]
    wrong = privacy(desk, "rectify", "B-1", "first_name")
    assert (wrong.code, "NAME=VALUE" in wrong.error) == (1, True)


def test_restricting_and_objecting_can_be_taken_back(desk: Shell) -> None:
    for verb, said, lifted in (
        ("restrict", "is restricted", "may be used again"),
        ("object", "is out of marketing", "is back in marketing"),
    ):
        assert said in privacy(desk, verb, "B-1").out
        assert lifted in privacy(desk, verb, "B-1", "--lift").out
        again = privacy(desk, verb, "B-1", "--lift")
        assert (again.code, "nothing to lift" in again.error) == (1, True)


def test_erasing_asks_first_and_the_address_is_nobodys_until_it_is_readmitted(desk: Shell) -> None:
    asked = privacy(desk, "erase", "alice@people.example")
    assert (asked.code, "--yes" in asked.error) == (1, True)
    done = privacy(desk, "erase", "alice@people.example", "--yes", "--json")
    assert done.code == 0, done.error
    assert done.document["proof"]["rows"]["identity"] == 2
    gone = privacy(desk, "erase", f"#{done.document['profile_id']}", "--yes")
    assert (gone.code, "erased already" in gone.error) == (1, True)
    assert privacy(desk, "export", "alice@people.example").code == 1

    back = privacy(
        desk, "readmit", "alice@people.example", "--source", "form", "--topic", "marketing", now="2026-06-11"
    )
    assert back.code == 0, back.error
    assert "begins afresh" in back.out
    assert privacy(desk, "export", "alice@people.example", now="2026-06-11").code == 0


def test_a_request_is_refused_with_its_reason(desk: Shell) -> None:
    privacy(desk, "receive", "erase", "B-1")
    refused = privacy(desk, "refuse", "1", "--because", "the invoices must be kept", "--json").document
    assert (refused["status"], refused["proof"]["because"]) == ("refused", "the invoices must be kept")
    unknown = privacy(desk, "receive", "eras", "B-1")
    assert (unknown.code, "erase" in unknown.error) == (1, True)
