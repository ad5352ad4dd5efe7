"""`postilion doctor` and `postilion consent` as a person or a program runs them."""

from __future__ import annotations

from tests.cli.test_commands import Shell, shell, shop

__all__ = ["shell", "shop"]


def test_nothing_is_wrong_when_the_project_was_just_made(shop: Shell) -> None:
    answer = shop.run("doctor", "--offline", "--json")
    assert answer.code == 0, answer.out
    wrong = [one for one in answer.document if one["level"] in ("warning", "wrong") and one["check"] != "schedules"]
    assert wrong == []
    shown = shop.run("doctor", "--offline")
    assert "✓  workspace key" in shown.out
    assert "checks" in shown.out.splitlines()[-1]


def test_the_way_out_is_shown_when_the_key_is_open_to_others(shop: Shell) -> None:
    (shop.folder / "keys" / "shop.key").chmod(0o644)
    answer = shop.run("doctor", "--offline")
    assert (answer.code, "chmod 600" in answer.out) == (1, True)


def test_everything_is_still_looked_at_when_there_is_no_project(shell: Shell) -> None:
    answer = shell.run("doctor", "--offline", "--json")
    assert answer.code == 1
    assert len({one["check"] for one in answer.document}) >= 18


def test_consent_is_shown_with_its_proof_when_it_was_granted_and_withdrawn_by_hand(shop: Shell) -> None:
    grant = ("consent", "grant", "alice@people.example", "email", "marketing", "--source", "form 12")
    assert shop.run(*grant, "--basis", "opt_in", "--text-version", "v3", "--at", "2026-06-10T08:00").code == 0
    again = shop.run(*grant, "--basis", "opt_in", "--text-version", "v3", "--at", "2026-06-10T08:00")
    assert "now granted" in again.out
    assert (
        "now withdrawn"
        in shop.run("consent", "withdraw", "alice@people.example", "email", "*", "--source", "phone").out
    )
    shown = shop.run("consent", "show", "Alice@People.Example", "--json").document
    assert {f"{one['channel']}.{one['topic']}": one["status"] for one in shown["standing"]} == {
        "email.*": "withdrawn",
        "email.marketing": "withdrawn",
        "tracking.email": "unknown",
    }
    assert [(one["status"], one["basis"], one["text_version"], one["source"]) for one in shown["history"]] == [
        ("granted", "opt_in", "v3", "form 12"),
        ("withdrawn", None, None, "phone"),
    ]
    assert "wording v3" in shop.run("consent", "show", "alice@people.example").out


def test_consent_is_refused_with_the_way_out_when_it_cannot_be_meant(shop: Shell) -> None:
    for words, hint in (
        (("alice@people.example", "e-mail", "marketing", "--basis", "opt_in"), "email"),
        (("alice@people.example", "email", "marketting", "--basis", "opt_in"), "marketing"),
        (("alice@people.example", "email", "marketing", "--basis", "because"), "double_opt_in"),
        (("alice@people.example", "sms", "marketing", "--basis", "opt_in"), "telephone number"),
        (("nobody", "email", "marketing", "--basis", "opt_in"), "nobody's external id"),
    ):
        answer = shop.run("consent", "grant", *words, "--source", "form")
        assert (answer.code, hint in answer.error) == (1, True), answer.error
