"""What people answer by text message: STOP, START, HELP, and everything else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, select

from core.definitions import publish
from core.runtime import Runtime
from customers.consent import WHOLE_CHANNEL, Basis, ConsentStatus, NewConsent, consent_of, record_consents
from customers.identities import lookup_of
from customers.tables import IdentityKind, consent_entry, customer_event, profile
from customers.task_tables import Priority, TaskKind, task
from customers.tasks import get_task
from delivery.callbacks.events import read_event
from delivery.intake import Callback, store_callbacks
from delivery.tables import MessageKind, OriginKind, delivery_event, message
from tests.delivery.ledger_shop import NOW, WORKSPACE, ScriptedTransport, add_person, deliver, queue

PHONE, SHOP = "+447700900123", "+447700900999"
HOUR = timedelta(hours=1)
REPLIES = {"stop": "sms_stopped", "start": "sms_started", "help": "sms_help"}


@pytest.fixture
def answering(runtime: Runtime) -> Runtime:
    """A shop whose number answers by templates of its own."""
    sender = {"from": SHOP, "channel": "sms", "replies": REPLIES}
    workspace = {**WORKSPACE, "senders": {**WORKSPACE["senders"], "number": sender}}
    with runtime.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=workspace, source="", file="workspace.yaml", now=NOW)
        for slug in REPLIES.values():
            text = f"---\ntemplate: {slug}\nchannel: sms\ntopic: orders\n---\nWe have heard you.\n"
            file = f"templates/{slug}.txt"
            publish(connection, "template", slug, document={"text": text}, source=text, file=file, now=NOW)
    return runtime


def say(
    runtime: Runtime, text: str, name: str = "in-1", *, at: datetime = NOW, origin: str = PHONE, **more: Any
) -> bool:
    """A text message to us arrives."""
    event = {
        "originationNumber": origin,
        "destinationNumber": SHOP,
        "messageKeyword": "KEYWORD",
        "messageBody": text,
        "inboundMessageId": name,
        **more,
    }
    document = msgspec.json.encode(event).decode()
    with runtime.database.transaction() as connection:
        callback = Callback(f"sns:{name}", read_event(document, at), document, at)
        return store_callbacks(runtime)(connection, [callback])[0]


def state(runtime: Runtime, channel: str, topic: str = "marketing", at: datetime = NOW + 9 * HOUR) -> ConsentStatus:
    lookup = lookup_of(runtime.vault, IdentityKind.PHONE, PHONE)
    with runtime.database.read() as connection:
        return consent_of(connection, channel, topic, [lookup], at)[lookup]


def rows(runtime: Runtime, table: Any) -> list[Any]:
    with runtime.database.read() as connection:
        return list(connection.execute(select(table)))


def answers(runtime: Runtime) -> list[str]:
    return [row.template for row in rows(runtime, message) if row.origin_kind == OriginKind.REPLY]


def test_stop_ends_marketing_texts_and_calls_and_is_confirmed_once(answering: Runtime) -> None:
    alice = add_person(answering, "alice", phone=PHONE)
    queue(answering, alice, channel="sms")
    assert say(answering, "Stop.")
    assert say(answering, "STOP", "in-2", at=NOW + HOUR)  # once more, to be sure
    assert not say(answering, "STOP", "in-2", at=NOW + HOUR)
    assert [state(answering, channel) for channel in ("sms", "voice")] == [ConsentStatus.WITHDRAWN] * 2
    assert state(answering, "sms", "anything") is ConsentStatus.WITHDRAWN
    assert state(answering, "email") is ConsentStatus.UNKNOWN
    answer, queued = sorted(rows(answering, message), key=lambda row: row.kind, reverse=True)
    assert (answer.template, answer.kind, answer.sender, answer.expires_at) == (
        "sms_stopped",
        MessageKind.TRANSACTIONAL,
        "number",
        NOW + timedelta(minutes=5),
    )
    transport = ScriptedTransport("sms")
    assert dict(deliver(answering, transport).counts) == {"sent": 1, "consent": 1}
    assert [envelope.message_id for envelope in transport.sent] == [answer.id]
    assert queued.id == "m1"
    assert [row.name for row in rows(answering, customer_event)][:3] == [
        "consent_withdrawn",
        "consent_withdrawn",
        "unsubscribed",
    ]


def test_nobody_is_answered_when_the_provider_does_that(runtime: Runtime) -> None:
    add_person(runtime, "alice", phone=PHONE)
    say(runtime, "STOP")
    assert state(runtime, "sms") is ConsentStatus.WITHDRAWN
    assert rows(runtime, message) == []


def test_a_number_that_nobody_has_leaves_when_it_says_stop(answering: Runtime) -> None:
    say(answering, "STOP")
    assert state(answering, "sms") is ConsentStatus.WITHDRAWN
    assert rows(answering, profile) == []
    assert answers(answering) == []


def test_start_gives_back_what_stop_had_taken_and_nothing_else(answering: Runtime) -> None:
    add_person(answering, "alice", phone=PHONE)
    say(answering, "STOP")
    say(answering, "start", "in-2", at=NOW + HOUR)
    assert state(answering, "sms") is ConsentStatus.GRANTED
    assert state(answering, "sms", "anything") is ConsentStatus.WITHDRAWN
    assert state(answering, "voice") is ConsentStatus.WITHDRAWN
    granted = [row for row in rows(answering, consent_entry) if row.source == "sms_reply" and row.status == "granted"]
    assert [(row.topic, row.basis) for row in granted] == [("marketing", "opt_in")]
    assert sorted(answers(answering)) == ["sms_started", "sms_stopped"]
    say(answering, "STOP", "in-3", at=NOW + 2 * HOUR)
    assert state(answering, "sms") is ConsentStatus.WITHDRAWN


def test_start_grants_nothing_when_it_was_not_our_stop_that_ended_it(answering: Runtime) -> None:
    alice = add_person(answering, "alice", phone=PHONE)
    lookup = lookup_of(answering.vault, IdentityKind.PHONE, PHONE)
    say(answering, "STOP")
    page = NewConsent(
        lookup, "sms", WHOLE_CHANNEL, ConsentStatus.WITHDRAWN, None, "preference_page", NOW + HOUR, alice, "page"
    )
    with answering.database.transaction() as connection:
        record_consents(connection, [page], NOW + HOUR)
    say(answering, "START", "in-2", at=NOW + 2 * HOUR)
    assert state(answering, "sms") is ConsentStatus.WITHDRAWN
    assert answers(answering) == ["sms_stopped"]


def test_start_grants_nothing_when_nobody_had_agreed(answering: Runtime) -> None:
    add_person(answering, "carol", consent=None, phone=PHONE)
    say(answering, "START")
    say(answering, "STOP", "in-2", at=NOW + HOUR)
    say(answering, "START", "in-3", at=NOW + 2 * HOUR)
    assert state(answering, "sms") is ConsentStatus.WITHDRAWN


def test_a_grant_that_has_run_out_does_not_come_back_with_start(answering: Runtime) -> None:
    alice = add_person(answering, "alice", consent=None, phone=PHONE)
    lookup = lookup_of(answering.vault, IdentityKind.PHONE, PHONE)
    brief = NewConsent(
        *(lookup, "sms", "marketing", ConsentStatus.GRANTED, Basis.OPT_IN, "test", NOW - HOUR, alice, "brief"),
        expires_at=NOW + HOUR,
    )
    with answering.database.transaction() as connection:
        record_consents(connection, [brief], NOW)
    say(answering, "STOP")
    say(answering, "START", "in-2", at=NOW + 2 * HOUR)
    assert state(answering, "sms") is ConsentStatus.WITHDRAWN


def test_help_is_answered_once_an_hour_when_machines_talk_to_each_other(answering: Runtime) -> None:
    add_person(answering, "alice", phone=PHONE)
    for number in range(5):
        say(answering, "HELP", f"in-{number}")
    assert answers(answering) == ["sms_help"]
    say(answering, "HELP", "later", at=NOW + 2 * HOUR)
    assert answers(answering) == ["sms_help", "sms_help"]


@pytest.mark.parametrize(
    ("words", "priority"),
    [
        ("When does my kettle arrive?", Priority.NORMAL),
        ("please do not text me any more, stop it", Priority.HIGH),
        ("REMOVE ME", Priority.HIGH),
        ("don't call here", Priority.HIGH),
    ],
)
def test_free_words_are_laid_before_a_person_and_are_sealed(answering: Runtime, words: str, priority: Priority) -> None:
    alice = add_person(answering, "alice", phone=PHONE)
    say(answering, words)
    say(answering, words)
    (row,) = rows(answering, task)
    assert (row.kind, row.priority, row.profile_id) == (TaskKind.SERVICE_REQUEST, priority, alice)
    assert (row.due_at is not None) == (priority is Priority.HIGH)
    assert words.encode() not in row.sealed_body + rows(answering, delivery_event)[0].sealed_document
    with answering.database.read() as connection:
        assert get_task(connection, answering.vault, row.id).body == words
    assert state(answering, "sms") is ConsentStatus.GRANTED  # a person decides
    assert answers(answering) == []


def test_a_stranger_who_asks_something_becomes_somebody_with_a_request(answering: Runtime) -> None:
    say(answering, "Are you open on Sunday?")
    assert len(rows(answering, profile)) == 1
    assert rows(answering, task)[0].profile_id == rows(answering, profile)[0].id


def test_an_answer_belongs_to_whom_we_wrote_to_when_two_share_a_number(answering: Runtime) -> None:
    add_person(answering, "alice", phone=PHONE)
    with answering.database.transaction() as connection:
        bob = connection.execute(
            insert(profile).values(status="active", created_at=NOW, updated_at=NOW).returning(profile.c.id)
        ).scalar_one()
    queue(answering, bob, channel="sms")
    with answering.database.transaction() as connection:
        connection.execute(message.update().values(provider_id="sms-1"))
    say(answering, "Thank you", previousPublishedMessageId="sms-1")
    assert rows(answering, task)[0].profile_id == bob
    assert rows(answering, delivery_event)[0].message_id == "m1"


@pytest.mark.parametrize("origin", ["12345", "ACME", "not a number"])
def test_nothing_is_done_when_no_person_can_have_sent_it(answering: Runtime, origin: str) -> None:
    assert say(answering, "STOP", origin=origin)
    assert rows(answering, consent_entry) == []
    assert rows(answering, profile) == []
