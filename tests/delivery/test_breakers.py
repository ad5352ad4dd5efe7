"""Breakers: when a campaign stands still by itself, and when it does not."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core.runtime import Runtime
from customers.consent import ConsentStatus, consent_of
from delivery.alarms import list_alarms
from delivery.breakers import Feedback, RejectionBreaker, Severity, judge_feedback
from delivery.feedback_rates import Novelty, count_feedback, forget_feedback, read_feedback
from delivery.pauses import find_pauses, list_pauses, pause, resume
from delivery.pipeline.reactions import Reactions
from delivery.providers.transport import Reaction, TransportError
from delivery.tables import message
from tests.delivery.ledger_shop import NOW, add_person, queue, row_of
from tests.delivery.test_feedback import LATER, sent_message, ses_event, take

HOUR = timedelta(hours=1)
REJECTED = TransportError(Reaction.REJECT, "MessageRejected")


def first_trip(answers: list[bool]) -> int | None:
    """After how many answers the breaker opens; True is a rejection."""
    breaker = RejectionBreaker()
    for count, is_rejected in enumerate(answers, start=1):
        if breaker.note("campaign:summer", is_rejected=is_rejected):
            return count
    return None


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([True] * 19 + [False] + [True] * 19, None),
        ([False] * 50 + [True] * 20, 70),
        ([True, False] * 60, None),  # exactly half
        ([True, True, False] * 40, 100),  # two thirds, as soon as there are a hundred
        ([False] * 1000, None),
    ],
)
def test_the_breaker_opens_when_many_messages_are_rejected(answers: list[bool], expected: int | None) -> None:
    assert first_trip(answers) == expected


def test_the_breaker_counts_afresh_when_somebody_resumes() -> None:
    assert first_trip([True] * 20) == 20
    breaker = RejectionBreaker()
    trips = [bool(breaker.note("x", is_rejected=True)) for _ in range(40)]
    assert [place for place, is_trip in enumerate(trips, start=1) if is_trip] == [20, 40]


@pytest.mark.parametrize(
    ("feedback", "severity"),
    [
        (Feedback(arrived=10_000, can_complain=10_000, complained=9), None),
        (Feedback(arrived=10_000, can_complain=10_000, complained=10), Severity.WARN),
        (Feedback(arrived=10_000, can_complain=10_000, complained=29), Severity.WARN),
        (Feedback(arrived=10_000, can_complain=10_000, complained=30), Severity.PAUSE),
        (Feedback(arrived=10_000, can_complain=499, complained=5), None),  # most read their mail with Google
        (Feedback(arrived=600, can_complain=600, complained=1), None),  # one person is no rate
        (Feedback(arrived=99, bounced=50), None),
        (Feedback(arrived=100, bounced=5), Severity.WARN),
        (Feedback(arrived=1_000, bounced=99), Severity.WARN),
        (Feedback(arrived=1_000, bounced=100), Severity.PAUSE),
        (Feedback(arrived=1_000, bounced=60, can_complain=900, complained=5), Severity.PAUSE),
    ],
)
def test_feedback_warns_and_pauses_when_its_share_is_reached(feedback: Feedback, severity: Severity | None) -> None:
    verdict = judge_feedback(feedback)
    assert (verdict.severity if verdict else None) == severity


def answers(runtime: Runtime, count: int, error: TransportError | None, **changes: Any) -> list[Any]:
    alice = add_person(runtime, "alice")
    return [(row_of(runtime, queue(runtime, alice, f"m{number}", **changes)), error) for number in range(count)]


def react(runtime: Runtime, given: list[Any]) -> None:
    with runtime.database.transaction() as connection:
        Reactions().after(connection, given, NOW)


def paused(runtime: Runtime) -> dict[str, str]:
    with runtime.database.read() as connection:
        return find_pauses(connection, NOW)


def test_a_campaign_pauses_with_its_cause_when_its_messages_are_rejected(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    given = answers(runtime, 20, REJECTED)
    react(runtime, given[:19])
    assert paused(runtime) == {}
    with caplog.at_level(logging.WARNING):
        react(runtime, given)
    cause = "20 messages in a row were rejected, the last with MessageRejected"
    assert paused(runtime) == {"campaign:summer": cause}
    assert "campaign:summer is paused" in caplog.text


def test_nothing_pauses_when_receipts_of_an_application_are_rejected(runtime: Runtime) -> None:
    react(runtime, answers(runtime, 30, REJECTED, origin_kind="api"))
    assert paused(runtime) == {}


@pytest.mark.parametrize(
    ("reaction", "scope"),
    [
        (Reaction.PAUSE_CHANNEL, "channel:email"),
        (Reaction.WAIT_FOR_QUOTA, "channel:email"),
        (Reaction.PAUSE_SENDER, "sender:letters"),
        (Reaction.STOP, "everything"),
        (Reaction.SLOW_DOWN, None),
        (Reaction.RETRY, None),
        (Reaction.UNKNOWN, None),
    ],
)
def test_what_an_error_asks_for_stands_still_when_a_call_fails(
    runtime: Runtime, reaction: Reaction, scope: str | None
) -> None:
    react(runtime, answers(runtime, 2, TransportError(reaction, "Code"), sender="letters"))
    assert list(paused(runtime)) == ([scope] if scope else [])


def test_only_the_daily_quota_ends_its_pause_by_itself(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        Reactions().after(connection, answers_in(connection, Reaction.WAIT_FOR_QUOTA), NOW)
        Reactions().after(connection, answers_in(connection, Reaction.STOP), NOW)
        assert [one.scope for one in list_pauses(connection, NOW)] == ["channel:email", "everything"]
        assert [one.scope for one in list_pauses(connection, NOW + 30 * 24 * HOUR)] == ["everything"]


def answers_in(_connection: Any, reaction: Reaction) -> list[Any]:
    class Row:
        id, channel, sender, origin_kind, origin, profile_id = "m1", "email", "letters", "campaign", "summer", 1

    return [(Row(), TransportError(reaction, "Code"))]


def test_a_number_leaves_texts_and_calls_when_the_provider_says_it_opted_out(runtime: Runtime) -> None:
    phone = "+447700900123"
    bob = add_person(runtime, "bob", phone=phone)
    row = row_of(runtime, queue(runtime, bob, channel="sms"))
    with runtime.database.transaction() as connection:
        lookup = lookup_of_phone(runtime, phone)
        connection.execute(update(message).where(message.c.id == row.id).values(lookup=lookup))
        Reactions().after(connection, [(row, TransportError(Reaction.OPT_OUT, "ConflictException"))], NOW)
        Reactions().after(connection, [(row, TransportError(Reaction.OPT_OUT, "ConflictException"))], NOW)
        for channel in ("sms", "voice"):
            assert consent_of(connection, channel, "marketing", [lookup], NOW)[lookup] is ConsentStatus.WITHDRAWN


def lookup_of_phone(runtime: Runtime, phone: str) -> str:
    return runtime.vault.blind_index("phone", phone)


def test_a_pause_that_somebody_must_lift_stays_when_one_with_an_end_comes_upon_it(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        assert pause(connection, "channel:email", "sending is paused", NOW)
        assert not pause(connection, "channel:email", "quota", NOW + HOUR, until=NOW + 2 * HOUR)
        assert not pause(connection, "channel:email", "wrong credentials", NOW + HOUR)
        standing = list_pauses(connection, NOW + 9 * HOUR)
        assert [(one.cause, one.since, one.until) for one in standing] == [("wrong credentials", NOW, None)]
        assert resume(connection, "channel:email")
        assert not resume(connection, "channel:email")


def test_a_pause_begins_anew_when_the_last_one_was_over(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        pause(connection, "channel:email", "quota", NOW, until=NOW + HOUR)
        assert find_pauses(connection, NOW + HOUR) == {}
        assert pause(connection, "channel:email", "quota", NOW + 3 * HOUR, until=NOW + 4 * HOUR)
        assert list_pauses(connection, NOW + 3 * HOUR)[0].since == NOW + 3 * HOUR


def novelties(count: int, *words: str, origin: str = "summer") -> list[Novelty]:
    return [Novelty("campaign", origin, "2026-06-10", frozenset(words))] * count


def test_a_campaign_warns_once_and_then_pauses_when_complaints_grow(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    with runtime.database.transaction() as connection, caplog.at_level(logging.WARNING):
        count_feedback(connection, novelties(1_000, "arrived", "can_complain"), NOW)
        count_feedback(connection, novelties(1, "complained"), NOW)
        assert list_alarms(connection) == []
        count_feedback(connection, novelties(1, "complained"), NOW)
        count_feedback(connection, novelties(1, "arrived", "can_complain"), NOW)
        assert [one.name for one in list_alarms(connection)] == ["feedback:campaign:summer"]
        count_feedback(connection, novelties(2, "complained"), NOW)
        assert "called spam" in find_pauses(connection, NOW)["campaign:summer"]
    assert caplog.text.count("feedback:campaign:summer:") == 1


def test_a_campaign_gets_a_fresh_start_when_somebody_lets_it_go_on(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        count_feedback(connection, novelties(200, "arrived", "bounced"), NOW)
        assert "campaign:summer" in find_pauses(connection, NOW)
        resume(connection, "campaign:summer")
        forget_feedback(connection, "campaign:summer")
        count_feedback(connection, novelties(1, "arrived", "bounced"), NOW)
        assert find_pauses(connection, NOW) == {}
        assert read_feedback(connection, "campaign", "summer", NOW) == Feedback(arrived=1, bounced=1)


def test_feedback_counts_no_more_when_it_is_older_than_a_week(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        count_feedback(connection, novelties(200, "arrived"), NOW)
        assert read_feedback(connection, "campaign", "summer", NOW + 7 * 24 * HOUR).arrived == 200
        assert read_feedback(connection, "campaign", "summer", NOW + 9 * 24 * HOUR).arrived == 0


@pytest.mark.parametrize(("domain", "can_complain"), [("people.example", 1), ("gmail.com", 0)])
def test_reports_are_counted_once_each_when_they_come_again(runtime: Runtime, domain: str, can_complain: int) -> None:
    sent_message(runtime)
    with runtime.database.transaction() as connection:
        connection.execute(update(message).values(recipient_domain=domain))
    for number, word in enumerate(["Delivery", "Complaint", "Delivery", "Complaint"]):
        take(runtime, ses_event(word), f"sns:{number}")
    with runtime.database.read() as connection:
        counted = read_feedback(connection, "campaign", "summer", LATER)
    assert counted == Feedback(arrived=1, can_complain=can_complain, complained=can_complain)
