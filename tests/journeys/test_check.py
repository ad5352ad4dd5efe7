"""What is wrong with a journey is said with its place, its code and the nearest word, all in one run."""

from __future__ import annotations

import pytest

from core.errors import Fault
from core.located import Located, load_yaml
from core.schema_check import check_schema
from core.schema_files import words_of
from customers.workspace import parse_workspace
from journeys.check import Known, check_circles, check_journey
from journeys.definition import parse_journey
from journeys.model import Journey
from journeys.steps.registry import NOT_YET, VERBS

HEAD = "journey: x\nenter: {event: signed_up}\n"
KNOWN = Known(
    segments={"vip", "lapsed"},
    lists={"news"},
    offers={"cross_sell"},
    templates={"hello": "email", "bye": "email", "nudge": "sms"},
    workspace=parse_workspace(
        {
            "workspace": "shop",
            "timezone": "UTC",
            "currency": "EUR",
            "events": {"signed_up": {}, "y": {}},
            "topics": {"marketing": {"kind": "marketing"}},
            "senders": {"letters": {"from": "a@shop.example", "channel": "email"}},
            "tracking": {"opens": "aggregate"},
        }
    ),
)


def read(text: str) -> tuple[Located, Journey, list[Fault]]:
    located, faults = load_yaml(text.encode(), "x.yaml")
    assert located is not None
    journey, found = parse_journey(located, "x.yaml")
    assert journey is not None
    return located, journey, [*faults, *check_schema(located, "journey"), *found]


def faults_of(text: str, before: str | None = None) -> list[str]:
    """Each fault as its code and what stands at its place, with the nearest word where there is one."""
    located, journey, faults = read(text)
    earlier = read(before)[1] if before else None
    found = []
    for fault in sorted([*faults, *check_journey(journey, located, KNOWN, earlier)]):
        there = text.splitlines()[fault.line - 1][fault.column - 1 :][:12].partition(",")[0].rstrip("} ]")
        meant = fault.hint.removeprefix("did you mean") if fault.hint.startswith("did") else ""
        found.append(f"{fault.code} {there}{meant}")
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("steps:\n  - {id: a, email: hello}\n  - {id: a, sms: nudge}", ["E110 a"]),
        ("steps:\n  - {goto: lats}\n  - {id: last, emit: x}", ["E111 lats 'last'?", "W114 {id: last"]),
        ("steps:\n  - {id: a, if: {message: helo, was: sent}, emit: x}", ["E111 helo"]),
        ("steps:\n  - {id: a, if: {step: b, was: done}, emit: x}\n  - {id: b, emit: y}", ["E112 b"]),
        ('steps:\n  - {id: a, set: {x: "{{ steps.b.e }}"}}\n  - {id: b, emit: y}', ['E112 "{{ steps.b.']),
        ('steps:\n  - {id: a, set: {x: "{{ profile.name }}"}}', ['E160 "{{ profile.']),
        ("steps:\n  - {id: a, emit: x}\n  - {goto: a}", ["E113 a"]),
        ("steps:\n  - {exit: done}\n  - {emit: x}\n  - {emit: y}", ["W114 {emit: x"]),
        ("steps:\n  - {if: {segment: vip}, exit: done}\n  - {emit: x}", []),
        ("steps:\n  - {email: helo}", ["E120 helo 'hello'?"]),
        ("steps:\n  - {email: nudge}", ["E124 nudge"]),
        ("steps:\n  - {email: hello, topic: marketin, sender: leters}",
         ["E120 marketin 'marketing'?", "E120 leters 'letters'?"]),
        ("steps:\n  - {if: [{segment: vipp}, {list: news}], emit: x}", ["E120 vipp 'vip'?"]),
        ("exit: [{segment: vipp}]\nsteps: []", ["E120 vipp 'vip'?"]),
        ("steps:\n  - {offer: cross_sel}", ["E120 cross_sel 'cross_sell'?"]),
        ("steps:\n  - {email: hello}\n  - {email: bye}", ["W202 {email: bye"]),
        ("steps:\n  - {wait_for: {event: y}, timeout: 0s}", ["E134 0s"]),
        ("max_stay: 2d\nsteps:\n  - {wait_for: {event: y}, timeout: 3d}", ["E134 3d"]),
        ("steps:\n  - {wait: 48h}", ["W204 48h"]),
        ("mode: parallel\nreenter: never\nsteps: []", ["E136 never"]),
        ("reenter: {every: 30s}\nsteps: []", ["E136 30s"]),
        ("goal: {event: signed_up}\nsteps: []", ["W203 signed_up"]),
        ("status: live\nsteps:\n  - {wait: 1d}\n  - {email: hello}", ["E141 {wait: 1d"]),
        ("steps:\n  - {id: a, email: hello}\n  - {if: {message: a, was: opened}, emit: x}", ["W205 opened"]),
        ("steps:\n  - {exit: a reason that is longer than thirty letters}", ["E103 a reason tha"]),
        ("steps:\n  - {push: hello}", ["E160 push: hello"]),
        ("steps:\n  - {email: {split: {a: hello, b: nudge}}}", ["E124 nudge"]),
        ("steps:\n  - {if: {device: model, is: a}, emit: x}", ["E160 device: mode"]),
    ],
)  # fmt: skip
def test_a_fault_has_its_place_and_its_code_when_something_is_wrong(text: str, expected: list[str]) -> None:
    assert faults_of(HEAD + text + "\n") == expected


def test_every_verb_of_the_language_works_or_is_refused_when_it_is_used() -> None:
    assert set(VERBS) | NOT_YET == set(words_of("step"))
    assert not set(VERBS) & NOT_YET


def test_a_higher_epoch_is_asked_for_when_the_experiment_of_a_live_journey_changes() -> None:
    experiment = "goal: {event: y, within: 3d}\nholdout: 10%\n"
    text = HEAD + "status: live\n" + experiment + "steps:\n  - {id: a, split: {m: {}, n: {}}, seed: s}\n"
    changed = text.replace("3d", "4d").replace("10%", "20%").replace("seed: s", "seed: t")
    assert faults_of(changed, text) == ["E140 goal: {event", "E140 holdout: 20%", "E140 seed: t"]
    assert faults_of(changed + "epoch: 2\n", text) == []
    assert faults_of(text, text) == []


def test_journeys_that_start_each_other_are_refused_when_nothing_is_waited_for() -> None:
    """Scenario 73."""
    texts = {
        "a": "journey: a\nenter: {event: e}\nsteps:\n  - {start_journey: b}\n",
        "b": "journey: b\nenter: {event: e}\nsteps:\n  - {emit: x}\n  - {start_journey: a}\n",
        "c": "journey: c\nenter: {event: e}\nsteps:\n  - {wait: 1h}\n  - {start_journey: c}\n",
        "d": "journey: d\nenter: {event: e}\nreenter: after_exit\nsteps:\n  - {start_journey: d}\n",
    }
    journeys = {slug: (journey, located) for slug, (located, journey, _) in ((s, read(t)) for s, t in texts.items())}
    assert sorted(
        f"{fault.line}:{fault.column} {fault.code} {fault.message[-9:]}" for fault in check_circles(journeys)
    ) == [
        "4:21 E122 a → b → a",
        "5:21 E122 b → a → b",
        "5:21 E122 it: d → d",
    ]
