"""What holds on every path: sources of variables, messages before a limit, circles, windows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.checking.overlay import faults_of

HEAD = "# file: journeys/x.yaml\njourney: x\nenter: {event: cart_updated}\n"
OFFER = "{id: reco, offer: {from: [cross_sell]}}"
READ = '{set: {points: "{{ steps.reco.items }}"}}'
TELL = '{set: {points: "{{ steps.c.event.total }}"}}'


def codes(text: str, folder: Path) -> list[str]:
    return [fault.code for fault in faults_of(text, folder)]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (f"[{OFFER}, {READ}]", []),
        (f"[{{if: {{segment: vip}}, {OFFER[1:-1]}}}, {READ}]", ["E123"]),
        (f"[{{if: {{segment: vip}}, {OFFER[1:-1]}}}, {{if: {{segment: vip}}, {READ[1:]}]", []),
        (f"[{{if: {{segment: vip}}, {OFFER[1:-1]}}}, {{if: {{step: reco, was: done}}, {READ[1:]}]", []),
        (f"[{{disabled: true, {OFFER[1:-1]}}}, {READ}]", ["E123"]),
        (f"[{{split: {{a: {{then: [{OFFER}]}}, b: {{}}}}}}, {READ}]", ["E123"]),
        (f"[{{repeat: {{max: 2, do: [{OFFER}]}}}}, {READ}]", ["E123"]),
        (f"[{{if: {{segment: vip}}, goto: tell}}, {OFFER}, {{id: tell, {READ[1:]}]", ["E123"]),
        ('[{id: p, wait: 1d}, {set: {points: "{{ steps.p.items }}"}}]', ["E123"]),
        (f"[{{id: c, wait_for: {{event: order_placed}}, timeout: 1d, then: [{TELL}]}}]", []),
        (f"[{{id: c, wait_for: {{event: order_placed}}, timeout: 1d}}, {TELL}]", ["E123"]),
        (f"[{{id: c, wait_for: {{event: order_placed}}, timeout: 1d, on_timeout: exit}}, {TELL}]", []),
        (f"[{{id: c, wait_for: {{segment: vip}}, timeout: 1d, then: [{TELL}]}}]", ["E123"]),
        ('[{id: call, task: {title: "Call"}}, {set: {points: "{{ steps.call.task_id }}"}}]', []),
    ],
)  # fmt: skip
def test_a_value_has_a_source_only_when_every_path_passes_it(steps: str, expected: list[str], tmp_path: Path) -> None:
    assert codes(f"{HEAD}steps: {steps}\n", tmp_path) == expected


@pytest.mark.parametrize(
    ("limit", "steps", "expected"),
    [
        ("{messages: 1, per: journey}", "[{email: hello}, {id: p, wait: 9d}, {email: bye}]", ["W117"]),
        ("{messages: 2, per: journey}", "[{email: hello}, {id: p, wait: 9d}, {email: bye}]", []),
        ("{messages: 1, per: 7d}", "[{email: hello}, {id: p, wait: 2d}, {email: bye}]", ["W117"]),
        ("{messages: 1, per: 7d}", "[{email: hello}, {id: p, wait: 7d}, {email: bye}]", []),
        ("{messages: 1, per: 7d, then: wait}", "[{email: hello}, {id: p, wait: 2d}, {email: bye}]", []),
        ("{messages: 1, per: 7d, channel: sms}", "[{email: hello}, {id: p, wait: 2d}, {email: bye}]", []),
        ("{messages: 1, per: 7d}", "[{if: {segment: vip}, email: hello}, {id: p, wait: 2d}, {email: bye}]", []),
        ("{messages: 1, per: 7d}", "[{email: hello}, {id: p, wait: 2d}, {email: bye, ignore_limits: true}]", []),
        ("{messages: 1, per: 7d}", "[{email: hello}, {id: p, wait: 2d}, {email: receipt, kind: transactional}]", []),
        ("{messages: 1, per: 7d}", "[{email: hello}, {repeat: {max: 3, do: [{id: p, wait: 9d}]}}, {email: bye}]", []),
        ("{messages: 1, per: 7d}", "[{repeat: {max: 3, do: [{email: hello}, {id: p, wait: 1d}]}}]", []),
        ("{messages: 0, per: 7d}", "[{email: hello}]", ["W117"]),
    ],
)
def test_a_limit_starves_a_message_only_when_it_is_used_up_on_every_path(
    limit: str, steps: str, expected: list[str], tmp_path: Path
) -> None:
    assert codes(f"{HEAD}limits: [{limit}]\nsteps: {steps}\n", tmp_path) == expected


@pytest.mark.parametrize(
    ("again", "expected"), [("after_exit", ["E122"]), ("never", []), ("{every: 1h}", []), ("{max: 3}", [])]
)
def test_a_circle_is_refused_only_when_people_may_come_again_at_once(
    again: str, expected: list[str], tmp_path: Path
) -> None:
    """Scenario 73."""
    assert codes(f"{HEAD}reenter: {again}\nsteps: [{{start_journey: x}}]\n", tmp_path) == expected


@pytest.mark.parametrize(
    ("window", "quiet", "expected"),
    [
        ('{mon: ["07:00-09:00"]}', '{from: "20:00", to: "09:00"}', ["E137"]),
        ('{mon: ["07:00-09:01"]}', '{from: "20:00", to: "09:00"}', []),
        ('{mon: ["22:00-06:00"]}', '{from: "21:00", to: "08:00"}', ["E137"]),
        ('{mon: ["07:00-08:00"]}', '{from: "20:00", to: "09:00", channels: [sms]}', []),
        ('{mon: ["12:00-24:00"]}', '{from: "00:00", to: "12:00"}', []),
    ],
)
def test_a_window_is_refused_only_when_no_minute_of_the_week_is_open(
    window: str, quiet: str, expected: list[str], tmp_path: Path
) -> None:
    text = f"{HEAD}send_window: {{email: {window}}}\nquiet_hours: {quiet}\nsteps: [{{email: hello}}]\n"
    assert codes(text, tmp_path) == expected
