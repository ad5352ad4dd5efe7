"""Templates that a step pins to a version, and what follows a skipped message by `defaults`."""

from __future__ import annotations

import pytest

from campaigns.compose import Composer
from core.located import load_yaml
from delivery.envelope import Envelope
from delivery.facts import gather_facts
from journeys.definition import parse_journey
from tests.journeys.conftest import MakeTown
from tests.journeys.sending.words import HEAD, endings
from tests.journeys.town import Town

LETTER = "---\ntemplate: one\nchannel: email\nsubject: {subject}\n{more}---\n<mjml><mj-body></mj-body></mjml>\n"
NIGHT = "quiet_hours: {from: '22:00', to: '08:00', then: drop}\n"


def letter(town: Town, subject: str, more: str = "") -> None:
    town.template("one", LETTER.replace("{subject}", subject).replace("{more}", more))


def subjects(town: Town) -> list[str]:
    """Of every message to alice, as it would be sent now."""
    rows, runtime = town.messages("alice"), town.runtime
    with runtime.database.read() as connection:
        gathered = gather_facts(connection, runtime.vault, town.workspace, rows, town.clock.now())
    composed = Composer(runtime).compose(rows, gathered)
    return [one.subject for one in composed if isinstance(one, Envelope)]


def test_a_pinned_version_is_sent_although_the_template_has_a_newer_one(make_town: MakeTown) -> None:
    town = make_town()
    letter(town, "First", "topic: marketing\n")
    letter(town, "Second")
    town.person("alice")
    town.publish(
        "journey",
        "journey: pin\nstatus: live\nenter: {event: signed_up}\nsteps: [{id: a, email: one@1}, {id: b, email: {split: "
        "{x: one@1, y: one@1}}, topic: marketing}, {id: w, wait: 1h}, {id: c, email: one, topic: marketing}]\n",
    )
    town.log("signed_up", "alice")
    town.run_until("2026-06-01T12:00")
    assert endings(town) == [("sent", None)] * 3
    assert subjects(town) == ["First", "First", "Second"]
    assert {row.template for row in town.messages("alice")} == {"one"}
    letter(town, "Third")
    assert subjects(town) == ["First", "First", "Third"]


def test_the_front_matter_of_the_pinned_version_counts(make_town: MakeTown) -> None:
    town = make_town()
    letter(town, "First", "topic: orders\nkind: transactional\n")
    letter(town, "Second", "topic: marketing\n")
    town.person("alice")
    town.journey("journey: pin\nenter: {event: signed_up}\nsteps: [{id: a, email: one@1}]\n")
    town.log("signed_up", "alice")
    town.work()
    assert [(row.topic, row.kind) for row in town.messages("alice")] == [("orders", "transactional")]


def test_a_version_that_was_never_published_fails_the_step_with_its_cause(make_town: MakeTown) -> None:
    town = make_town()
    letter(town, "First")
    town.person("alice")
    town.journey(f"journey: pin\n{HEAD}steps: [{{id: a, email: one@7}}]\n")
    town.log("signed_up", "alice")
    town.work()
    causes = [entry.data["cause"] for entry in town.entries("alice") if entry.kind == "error"]
    assert causes == ["there is no version 7 of the template one"]


# -- defaults.on_skip --------------------------------------------------------------------------------------------------

APOLOGY = "[{id: mark, set: {tier: missed}}, {id: text, sms: two}]"


def test_the_steps_of_defaults_follow_each_message_that_is_skipped_and_says_nothing_itself(make_town: MakeTown) -> None:
    town = make_town("2026-06-01T23:00")
    town.person("alice")
    town.template("two", "---\ntemplate: two\nchannel: sms\n---\nHello\n")
    town.journey(
        f"journey: sorry\nenter: {{event: signed_up}}\ndefaults: {{topic: marketing, on_skip: {APOLOGY}}}\n{NIGHT}"
        "steps: [{id: a, email: one}, {id: b, email: one, on_skip: continue}, "
        "{id: c, email: one, if: {attribute: tier, is: never}}, {id: rest, wait: 1d}]\n"
    )
    town.log("signed_up", "alice")
    town.work()
    passed = [(one.data["step"], one.data["outcome"]) for one in town.entries("alice") if one.kind == "step"]
    assert passed == [("a", "skipped"), ("a.mark", "done"), ("a.text", "skipped"), ("b", "skipped"), ("c", "skipped")]
    assert town.enrolments()[0].step == "rest"


@pytest.mark.parametrize(
    ("steps", "faults"),
    [
        ("[{id: a, wait: 1d}]", ["E110 the id 'a' is taken"]),
        ("[{id: z, wait: 1d}, {id: y, push: x}]", ["E160"]),
        ("[{id: z, wait: 1d}]", []),
    ],
)
def test_a_fault_in_the_steps_of_defaults_is_told_once_at_its_place(steps: str, faults: list[str]) -> None:
    text = (
        f"journey: sorry\nenter: {{event: signed_up}}\ndefaults: {{on_skip: {steps}}}\n"
        "steps: [{id: a, email: one}, {id: b, email: one}]\n"
    )
    located, _ = load_yaml(text.encode(), "sorry.yaml")
    assert located is not None
    journey, found = parse_journey(located, "sorry.yaml")
    assert journey is not None
    assert [one.line for one in found] == [3] * len(faults)
    assert all(f"{one.code} {one.message}".startswith(said) for one, said in zip(found, faults, strict=True))
    assert {"a.z", "b.z"} <= journey.by_id.keys() or "z" not in steps
