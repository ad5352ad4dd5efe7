"""A round of the worker: who is asked, what is written before and after the call, and what each failure leads to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from core.runtime import Runtime
from customers.consent import ConsentStatus
from customers.suppression import suppress
from delivery.envelope import Composed, Envelope, MessageRow, NotSent
from delivery.facts import Gathered
from delivery.pauses import find_pauses, pause, resume
from delivery.policy import Reason
from delivery.providers.transport import Reaction, TransportError
from delivery.tables import MessageKind, MessageStatus, send_rate
from delivery.worker import DeliveryWorker
from tests.delivery.ledger_shop import (
    MINUTE,
    NOW,
    ScriptedTransport,
    add_person,
    attempts_of,
    compose,
    deliver,
    events_of,
    queue,
    row_of,
)


def failing(reaction: Reaction, code: str = "Broken") -> Callable[[Envelope], None]:
    def answer(_envelope: Envelope) -> None:
        raise TransportError(reaction, code)

    return answer


def pauses_of(runtime: Runtime, now: datetime = NOW) -> dict[str, str]:
    with runtime.database.read() as connection:
        return find_pauses(connection, now)


def test_a_message_is_sent_once_and_logged_when_it_is_due(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    queue(runtime, alice)
    transport = ScriptedTransport()

    result = deliver(runtime, transport)

    assert (result.claimed, dict(result.counts)) == (1, {"sent": 1})
    assert [envelope.recipient for envelope in transport.sent] == ["alice@people.example"]
    row = row_of(runtime)
    assert (row.status, row.provider, row.provider_id) == (MessageStatus.SENT, "scripted", "provider-m1")
    assert (row.sent_at, row.ended_at, row.attempt_count) == (NOW, NOW, 1)
    assert (row.recipient_domain, row.template_hash) == ("people.example", "hash")
    assert b"mine" not in row.links
    assert runtime.vault.open_document(alice, "message.links", row.links) == {"7": "https://shop.example/mine"}
    assert attempts_of(runtime) == ["accepted"]
    ((name, properties),) = events_of(runtime)
    assert (name, properties["message_id"], properties["origin"]) == ("message_sent", "m1", "summer")
    assert deliver(runtime, transport).claimed == 0


def test_the_row_says_sending_when_the_provider_is_called(runtime: Runtime) -> None:
    seen: list[tuple[str, list[str | None]]] = []
    queue(runtime, add_person(runtime, "alice"))

    def look(_envelope: Envelope) -> None:
        seen.append((row_of(runtime).status, attempts_of(runtime)))

    deliver(runtime, ScriptedTransport(answer=look))
    assert seen == [(MessageStatus.SENDING, [])]  # the attempt is written with its outcome


def test_everybody_gets_a_reason_when_a_message_may_not_go(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    bob = add_person(runtime, "bob", consent=ConsentStatus.WITHDRAWN)
    carol = add_person(runtime, "carol")
    dave = add_person(runtime, "dave", phone="+442079460018")
    queue(runtime, bob, "to-bob")
    queue(runtime, carol, "to-carol")
    queue(runtime, dave, "to-dave")
    queue(runtime, alice, "too-late", expires_at=NOW)
    with runtime.database.transaction() as connection:
        lookup = runtime.vault.blind_index("email", "carol@people.example")
        suppress(connection, "email", lookup, "bounced", "test", NOW)
    transport = ScriptedTransport()

    result = deliver(runtime, transport)

    assert transport.sent == []
    assert dict(result.counts) == {"consent": 1, "suppressed": 1, "no_address": 1, "expired": 1}
    reasons = {name: row_of(runtime, name).reason for name in ("to-bob", "to-carol", "to-dave", "too-late")}
    assert reasons == {
        "to-bob": "consent",
        "to-carol": "suppressed",
        "to-dave": "no_address",
        "too-late": "expired",
    }
    assert {name for name, _ in events_of(runtime)} == {"message_skipped"}
    assert {properties["reason"] for _, properties in events_of(runtime)} == set(reasons.values())


def test_a_transactional_message_goes_when_marketing_would_not(runtime: Runtime) -> None:
    bob = add_person(runtime, "bob", consent=ConsentStatus.WITHDRAWN)
    queue(runtime, bob, kind=MessageKind.TRANSACTIONAL, topic="orders")
    assert dict(deliver(runtime, ScriptedTransport()).counts) == {"sent": 1}


def test_a_message_is_held_until_the_quiet_hours_end_when_it_is_due_in_them(runtime: Runtime) -> None:
    quiet = {"from": "22:00", "to": "10:00", "then": "wait", "no_timezone": "use_default"}  # 09:00 in London
    queue(runtime, add_person(runtime, "alice"), policy={"quiet_hours": quiet})
    transport = ScriptedTransport()

    assert dict(deliver(runtime, transport).counts) == {"held": 1}
    row = row_of(runtime)
    assert (row.status, row.reason, row.due_at) == (MessageStatus.DUE, Reason.QUIET_HOURS, NOW + 60 * MINUTE)
    assert (row.first_due_at, row.ended_at) == (NOW, None)
    assert events_of(runtime) == []
    assert deliver(runtime, transport, now=NOW + 59 * MINUTE).claimed == 0
    assert dict(deliver(runtime, transport, now=NOW + 60 * MINUTE).counts) == {"sent": 1}
    assert row_of(runtime).reason is None


def test_scenario_50_a_cap_frees_exactly_when_its_window_ends(runtime: Runtime) -> None:
    alice, transport = add_person(runtime, "alice"), ScriptedTransport()
    cap = {"limits": [{"messages": 2, "per_s": 86_400, "scope": "workspace", "then": "skip"}]}
    for name, hours in (("first", 0), ("second", 5)):
        queue(runtime, alice, name, due_at=NOW + timedelta(hours=hours), policy=cap)
        deliver(runtime, transport, now=NOW + timedelta(hours=hours))
    day = NOW + timedelta(hours=24)
    queue(runtime, alice, "third", due_at=day - timedelta(seconds=1), policy=cap)
    assert dict(deliver(runtime, transport, now=day - timedelta(seconds=1)).counts) == {"cap": 1}
    queue(runtime, alice, "fourth", due_at=day, policy=cap)
    assert dict(deliver(runtime, transport, now=day).counts) == {"sent": 1}


def test_scenario_51_the_higher_priority_wins_when_two_compete_for_a_cap(runtime: Runtime) -> None:
    alice, transport = add_person(runtime, "alice"), ScriptedTransport()
    cap = {"limits": [{"messages": 1, "per_s": 86_400, "scope": "workspace", "then": "skip"}]}
    queue(runtime, alice, "low", priority=40, policy=cap, origin="one")
    queue(runtime, alice, "high", priority=80, policy=cap, origin="two")
    assert dict(deliver(runtime, transport).counts) == {"sent": 1, "cap": 1}
    assert [envelope.message_id for envelope in transport.sent] == ["high"]


def test_one_failed_message_has_its_cause_when_it_cannot_be_composed(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"), "good")
    queue(runtime, add_person(runtime, "bob"), "bad")

    def picky(rows: Sequence[MessageRow], gathered: Mapping[str, Gathered]) -> list[Composed]:
        good = compose([row for row in rows if row.id == "good"], gathered)
        return [*good, NotSent("bad", Reason.RENDER_ERROR, "template 'letter', line 3: 'x' is missing")]

    assert dict(deliver(runtime, ScriptedTransport(), composer=picky).counts) == {"sent": 1, "render_error": 1}
    row = row_of(runtime, "bad")
    assert (row.status, row.reason, row.attempt_count) == (MessageStatus.FAILED, "render_error", 0)
    assert "line 3" in row.detail
    assert ("message_failed", "render_error") in {(name, one.get("reason")) for name, one in events_of(runtime)}


@pytest.mark.parametrize("reaction", [Reaction.RETRY, Reaction.SLOW_DOWN])
def test_a_message_is_due_again_with_growing_distance_when_it_was_not_accepted(
    runtime: Runtime, reaction: Reaction
) -> None:
    """Scenario 60: after 1, 5 and then every 30 minutes."""
    queue(runtime, add_person(runtime, "alice"))
    transport, now = ScriptedTransport(answer=failing(reaction)), NOW
    for minutes in (1, 5, 30, 30):
        assert dict(deliver(runtime, transport, now=now).counts) == {"retry": 1}
        assert row_of(runtime).due_at - now == minutes * MINUTE
        assert deliver(runtime, transport, now=now + minutes * MINUTE - timedelta(seconds=1)).claimed == 0
        now += minutes * MINUTE
    assert attempts_of(runtime) == ["retry"] * 4
    assert events_of(runtime) == []


def test_a_rejected_message_fails_for_good_when_the_provider_says_so(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"))
    deliver(runtime, ScriptedTransport(answer=failing(Reaction.REJECT, "MessageRejected")))
    row = row_of(runtime)
    assert (row.status, row.reason, row.detail) == (MessageStatus.FAILED, "rejected", "MessageRejected")
    assert deliver(runtime, ScriptedTransport(), now=NOW + timedelta(days=1)).claimed == 0


def test_marketing_stays_unknown_and_transactional_is_sent_once_more_when_nobody_knows(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    queue(runtime, alice, "letter")
    queue(runtime, alice, "receipt", kind=MessageKind.TRANSACTIONAL, topic="orders")
    transport = ScriptedTransport(answer=failing(Reaction.UNKNOWN, "ReadTimeoutError"))

    assert dict(deliver(runtime, transport).counts) == {"unknown": 1, "retry": 1}
    assert row_of(runtime, "letter").status == MessageStatus.UNKNOWN
    later = NOW + 10 * MINUTE
    assert dict(deliver(runtime, transport, now=later).counts) == {"unknown": 1}
    assert row_of(runtime, "receipt").status == MessageStatus.UNKNOWN
    assert attempts_of(runtime, "receipt") == ["unknown", "unknown"]
    assert deliver(runtime, transport, now=later + timedelta(days=9)).claimed == 0
    assert [name for name, _ in events_of(runtime)] == ["message_unknown", "message_unknown"]


def test_a_message_is_unknown_when_a_transport_breaks_in_an_unforeseen_way(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"))

    def explode(_envelope: Envelope) -> None:
        raise ZeroDivisionError

    assert dict(deliver(runtime, ScriptedTransport(answer=explode)).counts) == {"unknown": 1}


@pytest.mark.parametrize(
    ("reaction", "scope"),
    [
        (Reaction.PAUSE_CHANNEL, "channel:email"),
        (Reaction.PAUSE_SENDER, "sender:letters"),
        (Reaction.STOP, "everything"),
    ],
)
def test_nobody_is_marked_failed_when_the_provider_stops_us(runtime: Runtime, reaction: Reaction, scope: str) -> None:
    alice = add_person(runtime, "alice")
    queue(runtime, alice, sender="letters")
    deliver(runtime, ScriptedTransport(answer=failing(reaction, "SendingPausedException")))

    assert row_of(runtime).status == MessageStatus.DUE
    assert pauses_of(runtime) == {scope: "the provider answered SendingPausedException"}
    queue(runtime, alice, "m2", sender="letters")
    queue(runtime, alice, "m3", sender="other")
    transport, later = ScriptedTransport(), NOW + timedelta(hours=1)
    deliver(runtime, transport, now=later)
    assert [envelope.message_id for envelope in transport.sent] == (["m3"] if reaction is Reaction.PAUSE_SENDER else [])
    with runtime.database.transaction() as connection:
        assert resume(connection, scope)
    deliver(runtime, transport, now=later)
    assert {envelope.message_id for envelope in transport.sent} == {"m1", "m2", "m3"}


def test_the_channel_goes_on_by_itself_when_the_quota_of_the_day_was_used_up(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"))
    deliver(runtime, ScriptedTransport(answer=failing(Reaction.WAIT_FOR_QUOTA, "TooManyRequestsException")))
    assert pauses_of(runtime) == {"channel:email": "the provider answered TooManyRequestsException"}
    assert deliver(runtime, ScriptedTransport(), now=NOW + 59 * MINUTE).claimed == 0
    assert dict(deliver(runtime, ScriptedTransport(), now=NOW + 60 * MINUTE).counts) == {"sent": 1}


def test_a_paused_campaign_waits_while_others_go_on(runtime: Runtime) -> None:
    alice = add_person(runtime, "alice")
    queue(runtime, alice, "stopped", origin="summer")
    queue(runtime, alice, "going", origin="winter")
    with runtime.database.transaction() as connection:
        pause(connection, "campaign:summer", "complaints", NOW)
    transport = ScriptedTransport()
    deliver(runtime, transport)
    assert [envelope.message_id for envelope in transport.sent] == ["going"]


def test_the_rate_is_halved_once_when_a_whole_group_was_too_fast(runtime: Runtime) -> None:
    for number in range(4):
        queue(runtime, add_person(runtime, f"person{number}"), f"m{number}")
    transport = ScriptedTransport(answer=failing(Reaction.SLOW_DOWN), rate=1_000.0)
    worker = DeliveryWorker(runtime, {"email": transport}, compose, name="w")
    worker.refresh_rates()
    worker.deliver(NOW)
    worker.close()
    with runtime.database.read() as connection:
        rate = connection.execute(select(send_rate)).one()
    assert (rate.scope, rate.quota, rate.slowed_to) == ("email", 1_000.0, 475.0)


def test_sms_goes_over_its_own_transport_when_both_are_due(runtime: Runtime) -> None:
    queue(runtime, add_person(runtime, "alice"), "mail")
    queue(runtime, add_person(runtime, "dave", phone="+442079460018"), "text", channel="sms")
    mail, text = ScriptedTransport(), ScriptedTransport(channel="sms", name="scripted_sms")
    assert dict(deliver(runtime, mail, text).counts) == {"sent": 2}
    assert [envelope.recipient for envelope in text.sent] == ["+442079460018"]
    assert (row_of(runtime, "text").provider, row_of(runtime, "text").recipient_domain) == ("scripted_sms", None)
