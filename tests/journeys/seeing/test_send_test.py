"""Every message of a journey, sent to whoever wants to look at them: through the local stand-in for AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from core.errors import ConflictError, InputError, NotFoundError
from customers.identities import lookup_of
from customers.suppression import suppress
from customers.tables import IdentityKind, customer_event, profile
from delivery.providers.ses import SesTransport
from delivery.providers.transport import Transport
from delivery.tables import MessageStatus, OriginKind, message
from journeys.tables import enrolment
from journeys.trial import send_journey
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.journeys.town import Town

ME = "me@studio.example"
MAIL = """---
template: {name}
channel: email
subject: "{{{{ profile.first_name }}}}, {{{{ entry.source }}}}, {{{{ vars.tone }}}}"
topic: marketing
---
<mjml><mj-body><mj-section><mj-column><mj-text>{name}
<a href="https://shop.example/new">Look</a></mj-text></mj-column></mj-section></mj-body></mjml>
"""
JOURNEY = """
journey: x
enter: {event: signed_up}
quiet_hours: {from: "00:00", to: "23:59"}
limits: [{messages: 1, per: 30d}]
defaults: {topic: marketing, with: {tone: dry}}
steps:
  - {id: hello, email: one}
  - id: ab
    split:
      a: {then: [{id: left, email: two, with: {tone: "{{ entry.source }}"}}]}
      b: {then: [{id: right, email: three}]}
  - id: answer
    wait_for: {message: hello, was: clicked}
    timeout: 1d
    then: [{exit: true}]
    on_timeout: [{id: later, sms: four}]
  - {id: broken, email: five}
"""


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(seed=7)) as opened:
        yield opened


@pytest.fixture
def transports(sandbox: SandboxServer) -> Mapping[str, Transport]:
    httpx.post(f"{sandbox.url}/sandbox/reset").raise_for_status()
    return {"email": SesTransport(region="eu-central-1", endpoint_url=sandbox.url)}


def open_journey(town: Town) -> None:
    town.person("alice", first_name="Alice")
    town.journey(JOURNEY)
    for name in ("one", "two", "three"):
        town.template(name, MAIL)
    town.template("five", MAIL.replace("entry.source", "entry.nowhere.at_all"))


def mails(sandbox: SandboxServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{sandbox.url}/sandbox/messages").json()["messages"]
    return found


def test_every_message_of_every_path_arrives_marked_when_a_test_is_sent(
    town: Town, sandbox: SandboxServer, transports: Mapping[str, Transport]
) -> None:
    open_journey(town)
    town.log("signed_up", "alice", source="web")
    trials = send_journey(town.runtime, transports, "x", ME, town.people["alice"])
    assert [(one.step, one.template, one.copy is not None) for one in trials] == [
        ("hello", "one", True),
        ("left", "two", True),
        ("right", "three", True),
        ("later", "four", False),
        ("broken", "five", False),
    ]
    assert trials[3].problem == "a test of sms cannot go to this address"
    assert "five" in trials[4].problem
    assert [(mail["to"], mail["subject"]) for mail in mails(sandbox)] == [
        ([ME], "[Test hello] Alice, web, dry"),
        ([ME], "[Test left] Alice, web, web"),
        ([ME], "[Test right] Alice, web, dry"),
    ]
    assert all("https://shop.example/new" in mail["html"] for mail in mails(sandbox))


def test_nothing_is_counted_anywhere_when_a_test_is_sent(town: Town, transports: Mapping[str, Transport]) -> None:
    open_journey(town)
    with town.runtime.database.read() as connection:
        before = connection.scalar(select(func.count()).select_from(customer_event))
    send_journey(town.runtime, transports, "x", ME, town.people["alice"])
    with town.runtime.database.read() as connection:
        rows = connection.execute(select(message)).all()
        assert {(row.origin_kind, row.status) for row in rows} == {(OriginKind.TEST.value, MessageStatus.SENT.value)}
        assert connection.scalar(select(func.count()).select_from(customer_event)) == before
        assert connection.scalar(select(func.count()).select_from(enrolment)) == 0


def test_the_copies_belong_to_whoever_has_the_address_when_they_are_of_a_sample_person(
    town: Town, sandbox: SandboxServer, transports: Mapping[str, Transport]
) -> None:
    open_journey(town)
    send_journey(town.runtime, transports, "x", ME)
    send_journey(town.runtime, transports, "x", ME, entry={"source": "a fair"})
    subjects = [mail["subject"] for mail in mails(sandbox)]
    assert subjects[0] == "[Test hello] Alex, sample, dry"
    assert subjects[3] == "[Test hello] Alex, a fair, dry"
    with town.runtime.database.read() as connection:
        owners = set(connection.execute(select(message.c.profile_id)).scalars())
        assert connection.scalar(select(func.count()).select_from(profile)) == 2
    assert len(owners) == 1
    assert owners != {town.people["alice"]}


def test_refused_before_anything_is_sent_when_the_address_may_not_be_written_to(
    town: Town, sandbox: SandboxServer, transports: Mapping[str, Transport]
) -> None:
    open_journey(town)
    lookup = lookup_of(town.runtime.vault, IdentityKind.EMAIL, ME)
    with town.runtime.database.transaction() as connection:
        suppress(connection, "email", lookup, "complained", "test", town.clock.now())
    with pytest.raises(ConflictError, match="suppressed"):
        send_journey(town.runtime, transports, "x", ME, town.people["alice"])
    with pytest.raises(InputError):
        send_journey(town.runtime, transports, "x", "nobody", town.people["alice"])
    with pytest.raises(NotFoundError):
        send_journey(town.runtime, transports, "y", "other@studio.example")
    assert mails(sandbox) == []
    assert town.messages("alice") == []
