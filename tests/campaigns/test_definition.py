"""A campaign's file becomes values, or faults at their places."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from campaigns.definition import CampaignStatus, Pace, parse_campaign
from campaigns.schedule import Every, Misfire, NoTimezone
from core.errors import has_errors
from core.located import load_yaml
from customers.workspace import parse_workspace
from segments.language.rules import AllOf, AnyOf, Not, SegmentRule
from tests.campaigns.shop import CAMPAIGN, WORKSPACE, located

FILE = "campaigns/summer.yaml"
EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = "campaign: summer\nto: {segment: newsletter}\nsend: manual\n"


def faults_of(text: str) -> list[str]:
    _campaign, faults = parse_campaign(located(text), FILE, parse_workspace(WORKSPACE))
    return [f"{fault.line}:{fault.column} {fault.code}" for fault in faults]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*/campaigns/*.yaml")), ids=lambda file: file.stem)
def test_every_example_is_understood_when_it_is_read(file: Path) -> None:
    found, faults = load_yaml(file.read_bytes(), file.name)
    assert found is not None
    campaign, more = parse_campaign(found, file.name)
    assert not has_errors(faults + more)
    assert campaign is not None


def test_a_campaign_has_its_kinds_when_it_is_read() -> None:
    text = CAMPAIGN.replace("send: manual", 'send: {every: week, weekday: [wed], at: "10:30", misfire: skip}')
    text += "except:\n  - {segment: employees}\n  - {segment: complainers}\nthrottle: 200/s\nstatus: draft\n"
    campaign, faults = parse_campaign(located(text), FILE)
    assert (faults, campaign is not None) == ([], True)
    assert campaign is not None
    assert campaign.send is not None
    assert campaign.status is CampaignStatus.DRAFT
    assert (campaign.send.every, campaign.send.clock, campaign.send.weekdays) == (
        Every.WEEK,
        time(10, 30),
        frozenset({2}),
    )
    assert (campaign.send.misfire, campaign.send.no_timezone) == (Misfire.SKIP, NoTimezone.USE_DEFAULT)
    assert [(one.name, one.weight, one.content.template) for one in campaign.variants] == [
        ("letter", Decimal(50), "letter"),
        ("short", Decimal(50), "short"),
    ]
    assert (campaign.holdout, campaign.window, campaign.throttle) == (
        Decimal(20),
        timedelta(days=7),
        Pace(200, timedelta(seconds=1)),
    )
    # Each item of `except` takes people out by itself.
    assert campaign.audience == AllOf(
        (SegmentRule("newsletter"), Not(AnyOf((SegmentRule("employees"), SegmentRule("complainers")))))
    )


def test_a_pinned_template_keeps_its_version_when_it_is_read() -> None:
    campaign, _ = parse_campaign(located(SHORT + "email: letter@3\n"), FILE)
    assert campaign is not None
    (variant,) = campaign.variants
    assert (variant.name, variant.content.template, variant.content.version) == ("", "letter", 3)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("email: letter\nwinner: {by: click_rate, after: 4h, sample: 20%}\n", ["5:1 E160"]),
        ("email: letter\nsend_window: {email: {mon: ['09:00-09:00']}}\n", ["5:29 E103"]),
        ("email: letter\nclosed: [{from: 2026-12-25, to: 2026-12-25}]\n", ["5:33 E103"]),
        ("email: letter\nttl: 4d\n", ["5:6 E103"]),
        ("email: letter\nseeds: [a@shop.example]\n", ["5:1 E160"]),
        ("email: letter\nsms: text\n", ["5:1 E103"]),
        ("note: nothing is sent\n", ["1:1 E101"]),
        ("email: letter\nvariants:\n  a: {email: letter}\n  b: {email: short}\n", ["4:1 E103"]),
        ("variants:\n  a: {email: letter}\n  b: {weight: 2}\n", ["6:3 E101"]),
        ("variants:\n  a: {email: letter, subject: Hi}\n  b: {email: short}\n", ["5:22 E160"]),
        ("email: {split: {a: letter, b: short}}\n", ["4:8 E160"]),
        ("email: letter\ntopic: markting\n", ["5:8 E120"]),
        ("email: letter\nsender: leters\n", ["5:9 E120"]),
        ("email: letter\ngoal: {segment: vip}\n", ["5:8 E160"]),
        ("email: letter\ngoal: {within: 7d}\n", ["5:7 E101"]),
        ("email: letter\nthrottle: 0/s\n", ["5:11 E103"]),
        ("email: letter\nholdout: 100%\n", ["5:10 E130"]),
        ("email: letter\nlimits: [{messages: 1, per: journey}]\n", ["5:29 E103"]),
        ("email: letter\nheaders: {Subject: mine}\n", ["5:11 E103"]),
        ("email: letter\nexcept: [{step: a, was: done}]\n", ["5:11 E111"]),
        ("email: letter\nto_whom: all\n", ["5:1 E102"]),
    ],
)
def test_a_fault_has_its_place_when_a_word_is_wrong_or_not_working_yet(words: str, expected: list[str]) -> None:
    assert faults_of(SHORT + words) == expected


@pytest.mark.parametrize(
    ("send", "expected"),
    [
        ("{at: 2026-06-10}", ["3:12 E103"]),
        ("{at: 2026-06-10T09:00Z, local: true}", ["3:12 E103"]),
        ("{at: 2026-06-10T09:00, weekday: mon}", ["3:30 E103"]),
        ("{every: week}", ["3:7 E101"]),
        ("{every: month}", ["3:7 E101"]),
        ("{every: day, day: 3}", ["3:25 E103"]),
        ("{every: month, day: 3, weekday: mon}", ["3:39 E103"]),
        ("{every: hour, local: true}", ["3:28 E103"]),
        ("{every: month, day: 31}", ["3:27 W133"]),
        ("{every: day, from: 2026-06-10T00:00Z, local: true}", ["3:26 E103"]),
    ],
)
def test_a_fault_has_its_place_when_a_schedule_contradicts_itself(send: str, expected: list[str]) -> None:
    text = SHORT.replace("send: manual", f"send: {send}") + "email: letter\n"
    assert faults_of(text) == expected
