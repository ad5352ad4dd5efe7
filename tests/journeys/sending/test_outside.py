"""What a step writes on the outside of its messages."""

from __future__ import annotations

import pytest

from core.located import load_yaml
from journeys.definition import parse_journey
from tests.journeys.sending.words import HEAD
from tests.journeys.town import Town


def test_sender_answers_and_headers_go_with_the_message_when_the_step_or_the_journey_says_so(town: Town) -> None:
    town.person("alice", phone="+4915112345678")
    town.journey(
        """
journey: full
enter: {event: signed_up}
defaults: {topic: marketing, reply_to: help@shop.example, headers: {X-Shop: one}, ttl: 2h}
steps:
  - {id: a, email: one, from: Anna, headers: {X-Step: a}}
  - {id: b, sms: two, ttl: 10m}
"""
    )
    town.log("signed_up", "alice")
    town.work()
    outside = {
        row.step: town.runtime.vault.open_document(row.profile_id, "message.context", row.context)["outside"]
        for row in town.messages("alice")
    }
    assert outside == {
        "a": {"from": "Anna", "reply_to": "help@shop.example", "headers": {"X-Shop": "one", "X-Step": "a"}},
        "b": {"ttl": 600},
    }


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ("{sms: hello, reply_to: me@shop.example}", "E103 sms cannot carry `reply_to`"),
        ("{email: hello, ttl: 1h}", "E103 email cannot carry `ttl`"),
        ("{sms: hello, ttl: 1s}", "E103 a provider tries for 5 seconds to 72 hours"),
        ("{email: hello, headers: {Subject: mine}}", "E103 'Subject' is written by Postilion itself"),
    ],
)
def test_a_word_is_refused_at_its_place_when_the_channel_cannot_carry_it(step: str, fault: str) -> None:
    located, _ = load_yaml(f"journey: full\n{HEAD}steps:\n  - {step}\n".encode(), "full.yaml")
    assert located is not None
    _, faults = parse_journey(located, "full.yaml")
    assert [f"{one.code} {one.message}" for one in faults] == [fault]


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("send_window: {email: {mon: ['09:00-09:00']}}", "E103 '09:00-09:00' is no hour at all"),
        ("closed: [{from: 2026-06-03, to: 2026-06-01}]", "E103 it ends before it begins, on 2026-06-03"),
        (
            "closed: [{from: 2026-06-01T00:00Z, to: 2026-06-02}]",
            "E103 days are closed by everybody's own clock",
        ),
        ("throttle: 0/s", "E103 at this rate nothing is ever sent"),
        (
            "limits: [{messages: 1, per: journey, then: wait}]",
            "E103 a limit of the whole journey never frees a place to wait for",
        ),
    ],
)
def test_hours_and_limits_are_refused_when_they_make_no_sense(words: str, fault: str) -> None:
    located, _ = load_yaml(f"journey: full\n{HEAD}{words}\nsteps: []\n".encode(), "full.yaml")
    assert located is not None
    _, faults = parse_journey(located, "full.yaml")
    assert [f"{one.code} {one.message}" for one in faults] == [fault]
