"""Letters and calls by a campaign, from its YAML to the print house's file and to AWS; senders with a transport."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from campaigns.compose import Composer
from campaigns.launch import launch_campaign
from campaigns.schedule import Occurrence
from core.runtime import Runtime
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of
from customers.tables import IdentityKind
from delivery.providers.letter import LetterTransport
from delivery.providers.registry import create_transports
from delivery.providers.voice import VoiceTransport
from delivery.tables import message, pause
from delivery.worker import DeliveryWorker
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.campaigns.shop import NOW, WORKSPACE, add_people, publish_shop, publish_template

POST = """\
---
template: post
channel: letter
topic: marketing
address: {name: first_name, street: street, town: town, floor: floor?}
---
Dear {{ profile.first_name }},

“three things” for you.
"""
CALL = """\
---
template: call
channel: voice
topic: marketing
---
Hello {{ profile.first_name }}, this is {{ workspace.name }}.
"""
SENDERS: dict[str, Any] = {
    **WORKSPACE["senders"],
    "post": {"from": "Fern & Kettle, 12 Mill Lane, Bath", "channel": "letter"},
    "calls": {"from": "+442079460000", "channel": "voice", "voice": "AMY"},
}
ATTRIBUTES = {**WORKSPACE["attributes"], **{name: {"kind": "text", "personal": True} for name in ("street", "town")}}


def publish_all(runtime: Runtime, campaign: str, **changes: Any) -> None:
    with runtime.database.transaction() as connection:
        publish_shop(connection, campaign, senders=SENDERS, attributes=ATTRIBUTES, **changes)
        publish_template(connection, POST)
        publish_template(connection, CALL)


def agree_to_letters(runtime: Runtime, *names: str) -> None:
    entries = [
        NewConsent(
            lookup_of(runtime.vault, IdentityKind.EMAIL, f"{name}@people.example"), "letter", "marketing",
            ConsentStatus.GRANTED, Basis.OPT_IN, "test", NOW - timedelta(days=1), None, f"letter:{name}",
        )
        for name in names
    ]  # fmt: skip
    with runtime.database.transaction() as connection:
        record_consents(connection, entries, NOW)


def launch_and_deliver(runtime: Runtime, transport: Any) -> None:
    launch_campaign(runtime, "post", Occurrence(NOW), NOW)
    worker = DeliveryWorker(runtime, {transport.channel: transport}, Composer(runtime).compose, name="test")
    try:
        while worker.deliver(NOW).claimed:
            pass
    finally:
        worker.close()


def outcomes(runtime: Runtime) -> list[tuple[str, str | None]]:
    with runtime.database.read() as connection:
        query = select(message.c.status, message.c.reason).order_by(message.c.profile_id)
        return [(row.status, row.reason) for row in connection.execute(query)]


def test_a_letter_is_in_the_file_when_its_person_has_an_address_and_agreed(runtime: Runtime, tmp_path: Path) -> None:
    publish_all(runtime, "campaign: post\nto: {segment: newsletter}\nsend: manual\nletter: post\n")
    with runtime.database.transaction() as connection:
        add_people(connection, runtime.vault, ["alice"], street="1  Elm\nRow", town="Bath")
        add_people(connection, runtime.vault, ["carol"], town="Bath")  # nobody knows her street
        add_people(connection, runtime.vault, ["bob"], street="2 Elm Row", town="Bath")  # agreed to mail alone
    agree_to_letters(runtime, "alice", "carol")
    launch_and_deliver(runtime, LetterTransport(tmp_path / "letters", runtime.clock))
    (file,) = (tmp_path / "letters").glob("*.csv")
    assert file.name == "2026-06-10-post.csv"
    with file.open(encoding="utf-8", newline="") as opened:
        (row,) = csv.DictReader(opened)
    del row["message"]
    assert row == {
        "name": "Alice",
        "street": "1 Elm Row",
        "town": "Bath",
        "floor": "",
        "sender": "Fern & Kettle, 12 Mill Lane, Bath",
        "text": "Dear Alice,\n\n“three things” for you.",
    }
    assert outcomes(runtime) == [("sent", None), ("skipped", "no_address")]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(seed=7)) as opened:
        yield opened


def test_a_call_is_placed_by_the_sender_s_voice_when_a_campaign_says_voice(
    runtime: Runtime, sandbox: SandboxServer
) -> None:
    httpx.post(f"{sandbox.url}/sandbox/reset").raise_for_status()
    publish_all(runtime, "campaign: post\nto: {segment: newsletter}\nsend: manual\nvoice: call\n")
    with runtime.database.transaction() as connection:
        add_people(connection, runtime.vault, ["alice"], channel="voice")
    launch_and_deliver(runtime, VoiceTransport(region="eu-central-1", endpoint_url=sandbox.url))
    (call,) = httpx.get(f"{sandbox.url}/sandbox/messages").json()["messages"]
    assert (call["kind"], call["from"], call["text"]) == (
        "voice",
        "+442079460000",
        "Hello Alice, this is Fern & Kettle.",
    )
    assert call["headers"] == [{"name": "Voice", "value": "AMY"}]
    assert outcomes(runtime) == [("sent", None)]


def test_the_sender_pauses_and_no_message_fails_when_its_transport_is_not_set_up(runtime: Runtime) -> None:
    senders = {"letters": {**WORKSPACE["senders"]["letters"], "transport": "smtp"}}
    with runtime.database.transaction() as connection:
        publish_shop(
            connection,
            "campaign: post\nto: {segment: newsletter}\nsend: manual\nemail: plain\nsender: letters\n",
            senders=senders,
        )
        add_people(connection, runtime.vault, ["alice"])
    launch_campaign(runtime, "post", Occurrence(NOW), NOW)
    worker = DeliveryWorker(runtime, create_transports(runtime.settings), Composer(runtime).compose, name="test")
    try:
        worker.deliver(NOW)
    finally:
        worker.close()
    assert outcomes(runtime) == [("due", None)]
    with runtime.database.read() as connection:
        (stopped,) = connection.execute(select(pause)).all()
    assert stopped.scope == "sender:letters"
