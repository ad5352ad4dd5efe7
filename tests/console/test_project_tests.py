"""`postilion test`: what a project's tests say is played by the real engine, and told where it comes otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.project import Project, load_project
from console.project_tests.compare import Result, Verdict
from console.project_tests.read import read_cases
from console.project_tests.run import choose, run_cases
from core.errors import NotFoundError

ROOT = Path(__file__).resolve().parents[2]
SHOP = """\
workspace: shop
timezone: Europe/London
currency: GBP
postal_address: Acme, Street 1
topics: {marketing: {kind: marketing}}
senders: {shop: {from: shop@shop.example, channel: email}}
attributes: {first_name: {kind: text}, tier: {kind: text}}
events: {signed_up: {properties: {source: text}}}
global_holdout: 99%
"""
WELCOME = """\
journey: welcome
status: draft
enter: {event: signed_up}
reenter: never
holdout: 50%
goal: {event: order_placed, exit: true}
quiet_hours: {from: "22:00", to: "08:00", then: wait}
defaults: {topic: marketing, sender: shop}
steps:
  - {id: hello, email: hello}
  - {id: nap, wait: 2d}
  - id: ab
    split: {plain: {then: [{id: more, email: more}]}, none: {}}
"""
MAIL = """\
---
template: NAME
channel: email
subject: "Hello {{ profile.first_name }}"
topic: marketing
---
<mjml><mj-body><mj-section><mj-column><mj-text>
Hello <a href="{{ links.unsubscribe }}">no more</a>
</mj-text></mj-column></mj-section></mj-body></mjml>
"""
TEST = """\
test: greeting
journey: welcome
people:
  alice:
    timezone: Europe/Berlin
    attributes: {first_name: Alice}
    consents: {email.marketing: granted}
    arms: {ab: plain}
  bob: {attributes: {first_name: Bob}, consents: {email.marketing: denied}, arms: {ab: none}}
  carol: {attributes: {first_name: Carol}, consents: {email.marketing: granted}, held_out: true}
  eve: {consents: {email.marketing: granted}, arms: {ab: none}}
given:
  - {at: 2026-06-01T23:30, person: alice, event: signed_up, with: {source: web}}
  - {at: 2026-06-01T10:00, person: bob, event: signed_up}
  - {at: 2026-06-01T10:00, person: carol, event: signed_up}
  - {at: 2026-06-01T10:00, person: eve, event: signed_up}
  - {at: 2026-06-05T10:00, person: bob, event: signed_up}
  - {at: 2026-06-02T09:00, person: alice, clicked: hello}
until: 2026-06-10
expect:
"""
EXPECTED = """\
  - {at: 2026-06-02T08:00, person: alice, email: hello}
  - {at: 2026-06-04T08:00, person: alice, email: more, branch: {ab: plain}}
  - {at: 2026-06-01T10:00, person: bob, skipped: consent}
  - {at: 2026-06-03T10:00, person: bob, end: completed}
  - {at: 2026-06-05T10:00, person: bob, refused: reentry_never}
"""
FAILED = """\
  - {at: 2026-06-01T10:00, person: eve, failed: render_error}
  - {at: 2026-06-01T10:01, person: eve, failed: render_error}
  - {at: 2026-06-01T10:06, person: eve, failed: render_error}
  - {at: 2026-06-01T10:36, person: eve, failed: render_error}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "workspace.yaml": SHOP,
        "journeys/welcome.yaml": WELCOME,
        "templates/hello.mjml": MAIL.replace("NAME", "hello"),
        "templates/more.mjml": MAIL.replace("NAME", "more"),
    }
    for name, text in files.items():
        file = tmp_path / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "shop"


def write(folder: Path, text: str) -> Project:
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "greeting.yaml").write_text(text)
    return load_project(folder)


def run(project: Project, template: Path, scratch: Path, *names: str) -> list[Result]:
    cases, faults = read_cases(project)
    assert not faults
    return list(run_cases(choose(cases, names), project, template, scratch))


def shown(result: Result) -> list[str]:
    return [f"{one.verdict}: {one.outcome.person} {one.outcome.kind} {one.outcome.what}" for one in result.lines]


def test_everybody_gets_what_the_test_says_when_the_journey_does_it(
    folder: Path, sqlite_template: Path, tmp_path: Path
) -> None:
    (result,) = run(write(folder, TEST + EXPECTED + FAILED), sqlite_template, tmp_path)
    assert result.has_passed, shown(result)
    assert {line.verdict for line in result.lines} == {Verdict.AS_EXPECTED}


def test_what_comes_otherwise_is_shown_on_both_sides_when_a_test_fails(
    folder: Path, sqlite_template: Path, tmp_path: Path
) -> None:
    text = TEST + EXPECTED.replace("2026-06-04T08:00, person: alice", "2026-06-03T08:00, person: alice") + FAILED
    (result,) = run(write(folder, text.replace(", refused: reentry_never", ", refused: reentry_active")),
                    sqlite_template, tmp_path)  # fmt: skip
    assert not result.has_passed
    assert [line for line in shown(result) if not line.startswith("as expected")] == [
        "missing: alice branch ab → plain",
        "missing: alice email more",
        "unexpected: alice branch ab → plain",
        "unexpected: alice email more",
        "missing: bob refused reentry_active",
        "unexpected: bob refused reentry_never",
    ]


def test_an_unexpected_message_fails_a_test_that_expects_nothing(
    folder: Path, sqlite_template: Path, tmp_path: Path
) -> None:
    text = "test: greeting\nprofile: {attributes: {first_name: A}, consents: {email.marketing: granted}}\n"
    text += "given: [{at: 2026-06-01T10:00, event: signed_up}]\nexpect: []\n"
    (result,) = run(write(folder, text), sqlite_template, tmp_path)
    assert shown(result) == ["unexpected: the_person email hello"]


def test_a_test_says_its_cause_and_the_others_go_on_when_it_asks_for_what_cannot_happen(
    folder: Path, sqlite_template: Path, tmp_path: Path
) -> None:
    text = "test: greeting\nprofile: {}\ngiven: [{at: 2026-06-01T10:00, clicked: hello}]\nexpect: []\n"
    (result,) = run(write(folder, text), sqlite_template, tmp_path)
    assert "nothing was sent by that step" in result.cause
    assert not result.has_passed


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("journey: welcom\ngiven: []\nexpect: []", ["E120"]),
        ("given: [{at: 2026-06-01, event: a, set: {tier: b}}]\nexpect: []", ["E103"]),
        ("given: []\nexpect: [{at: 2026-06-01}]", ["E103"]),
        ("given: []\nexpect: [{at: 2026-06-01, email: helo}]", ["E120"]),
        ("given: [{at: 2026-06-01, joins: nobody}]\nexpect: []", ["E120"]),
        ("people: {a: {}, b: {}}\ngiven: [{at: 2026-06-01, event: x}]\nexpect: []", ["E120"]),
        ("people: {a: {}}\nprofile: {}\ngiven: []\nexpect: []", ["E103"]),
        ("from: 2026-06-02\nuntil: 2026-06-01\ngiven: []\nexpect: []", ["E103"]),
    ],
)
def test_a_test_that_cannot_mean_anything_is_a_fault_with_its_place(folder: Path, text: str, codes: list[str]) -> None:
    _, faults = read_cases(write(folder, f"test: greeting\n{text}\n"))
    assert [fault.code for fault in faults] == codes
    assert all(fault.file == "tests/greeting.yaml" for fault in faults)


def test_a_test_that_there_is_not_is_told_with_what_may_be_meant(folder: Path) -> None:
    cases, _ = read_cases(write(folder, TEST + EXPECTED))
    with pytest.raises(NotFoundError, match="greeting"):
        choose(cases, ["greting"])


def test_the_tests_of_the_worked_shop_pass(sqlite_template: Path, tmp_path: Path) -> None:
    for result in run(load_project(ROOT / "examples" / "shop"), sqlite_template, tmp_path):
        assert result.has_passed, (result.cause, shown(result))
