"""Limits on how many messages somebody gets, as arithmetic and with workers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runtime import Runtime
from customers.consent import ConsentStatus
from delivery.envelope import Composed, MessageRow
from delivery.facts import Gathered
from delivery.policy import Cap, Drop, Hold, MessageFacts, Reason, Send, Then, decide
from delivery.tables import MessageKind, MessageStatus
from tests.delivery.ledger_shop import (
    MINUTE,
    NOW,
    ScriptedTransport,
    add_person,
    compose,
    deliver,
    events_of,
    queue,
    row_of,
)

DAY = timedelta(days=1)
ONE_A_DAY = {"limits": [{"messages": 1, "per_s": 86_400, "scope": "workspace", "then": "skip"}]}


def facts(*caps: Cap, kind: MessageKind = MessageKind.MARKETING) -> MessageFacts:
    return MessageFacts(kind, False, True, False, ConsentStatus.GRANTED, caps=caps)


def at(hours: float) -> datetime:
    return datetime(2026, 6, 1, tzinfo=UTC) + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        (Then.SKIP, 33.9, "cap"),
        (Then.EXIT, 33.9, "cap"),
        (Then.WAIT, 33.9, at(34)),
        (Then.SKIP, 34, "send"),  # the first was sent at ten the day before
    ],
)
def test_a_used_up_limit_does_what_it_says(then: Then, now: float, expected: str | datetime) -> None:
    cap = Cap(2, DAY, then, (at(15), at(10)))
    match decide(facts(cap), at(now)):
        case Send():
            assert expected == "send"
        case Drop(reason=reason, refusal=refusal):
            assert (reason, refusal) == (expected, cap)
        case Hold(until=until, reason=reason):
            assert (until, reason) == (expected, Reason.CAP)


@pytest.mark.parametrize("cap", [Cap(0, DAY, Then.WAIT), Cap(1, None, Then.WAIT, (at(0),))])
def test_nobody_waits_for_a_place_that_never_comes(cap: Cap) -> None:
    assert isinstance(decide(facts(cap), at(9_000)), Drop)


def test_receipts_are_not_asked_when_a_limit_is_used_up() -> None:
    assert decide(facts(Cap(0, DAY), kind=MessageKind.TRANSACTIONAL), at(1)) == Send()


@given(
    st.lists(st.integers(0, 500), min_size=1, max_size=40),
    st.integers(1, 4),
    st.integers(1, 100),
    st.sampled_from([Then.SKIP, Then.WAIT]),
)
def test_no_stretch_ever_holds_more_messages_than_the_limit(due: list[int], most: int, per: int, then: Then) -> None:
    """Whatever is due when, and in whatever order: in [t, t + per) there are at most `most`."""
    sent: list[datetime] = []
    waiting = [at(hour) for hour in due]
    while waiting:
        waiting.sort()
        now = waiting.pop(0)
        decision = decide(facts(Cap(most, timedelta(hours=per), then, sent)), now)
        if isinstance(decision, Send):
            sent.append(now)
        elif isinstance(decision, Hold):
            assert decision.until > now
            waiting.append(decision.until)
    for start in sent:
        assert sum(start <= one < start + timedelta(hours=per) for one in sent) <= most
    assert then is Then.SKIP or len(sent) == len(due)


def test_a_message_sent_inside_the_window_counts_when_it_was_claimed_before_it(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    queue(runtime, alice, "m1", policy=ONE_A_DAY)
    deliver(runtime, ScriptedTransport())
    later = NOW + timedelta(minutes=30)
    with runtime.database.transaction() as connection:
        connection.exec_driver_sql(f"UPDATE message SET sent_at = sent_at + {30 * 60 * 1_000_000} WHERE id = 'm1'")
    queue(runtime, alice, "m2", policy=ONE_A_DAY, due_at=NOW + DAY)
    assert deliver(runtime, ScriptedTransport(), now=NOW + DAY).counts == {"cap": 1}
    assert row_of(runtime, "m1").sent_at == later


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ({"priority": 40, "due_at": NOW - 2 * MINUTE}, {"priority": 80}, "m2"),
        ({"due_at": NOW - MINUTE}, {"due_at": NOW - 2 * MINUTE}, "m2"),
        ({}, {}, "m1"),
    ],
)
def test_the_last_place_goes_by_priority_then_by_what_was_due_first_then_by_id(
    runtime: Runtime, first: dict[str, Any], second: dict[str, Any], winner: str
) -> None:
    """Scenario 51."""
    alice = add_person(runtime, "alice")
    transport = ScriptedTransport()
    for name, changes in (("m2", second), ("m1", first)):
        queue(runtime, alice, name, policy=ONE_A_DAY, origin=f"of_{name}", **changes)
    assert deliver(runtime, transport).counts == {"sent": 1, "cap": 1}
    assert [one.message_id for one in transport.sent] == [winner]
    skipped = [properties for name, properties in events_of(runtime) if name == "message_skipped"]
    assert [(one["taken_by"], one["then"]) for one in skipped] == [(f"campaign:of_{winner}", "skip")]


def test_only_one_worker_gets_the_last_place_when_both_have_judged_before_either_sends(runtime: Runtime) -> None:
    """The second one's clock is behind, so that neither has seen the other's claim as being ahead of its own."""
    alice = add_person(runtime, "alice")
    transport = ScriptedTransport()
    queue(runtime, alice, "m1", policy=ONE_A_DAY, priority=10)

    def overtaken(rows: Sequence[MessageRow], gathered: Mapping[str, Gathered]) -> Sequence[Composed]:
        queue(runtime, alice, "m2", policy=ONE_A_DAY, priority=90, due_at=NOW - DAY)
        deliver(runtime, transport, now=NOW - timedelta(seconds=1), name="w2")
        return compose(rows, gathered)

    counts = deliver(runtime, transport, composer=overtaken, name="w1").counts
    assert [one.message_id for one in transport.sent] == ["m2"]
    assert counts == {"cap": 1}
    assert (row_of(runtime, "m1").status, row_of(runtime, "m1").reason) == (MessageStatus.SKIPPED, Reason.CAP)
    assert "campaign:summer" in row_of(runtime, "m1").detail
