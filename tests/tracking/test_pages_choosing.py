"""The preference centre: a pause that ends by itself, other channels, and links to one's own data."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from console.app import create_app
from core.clock import ManualClock
from core.definitions import publish
from core.runtime import Runtime
from customers.consent import Basis, ConsentStatus, NewConsent, consent_of, record_consents
from customers.identities import lookup_of, resolve
from customers.rights import list_requests
from customers.tables import IdentityKind, ProfileStatus, consent_entry, profile
from customers.workspace import get_workspace
from delivery.facts import gather_facts
from delivery.policy import Drop, Reason, Send, decide
from delivery.tables import message
from tests.campaigns.recording import RecordingTransport, deliver_all
from tests.tracking.conftest import WORKSPACE_DOCUMENT, Mail, SendMail, TestClient

SENDERS = {"letters": {"from": "Fern & Kettle <letters@shop.example>", "channel": "email"}}
PHONE = "+447400123456"


@pytest.fixture
def alice(send_mail: SendMail, runtime: Runtime, clock: ManualClock) -> Mail:
    """Alice has a telephone too, and consented to everything on both."""
    mail = send_mail()
    with runtime.database.transaction() as connection:
        now = clock.now()
        document = {**WORKSPACE_DOCUMENT, "senders": SENDERS}
        publish(connection, "workspace", "shop", document=document, source="", file="workspace.yaml", now=now)
        person = {IdentityKind.EMAIL: "alice@shop.example", IdentityKind.PHONE: PHONE}
        assert resolve(connection, runtime.vault, person, now) == mail.profile_id
        for channel, lookup in (("email", mail.lookup), ("sms", phone(runtime))):
            grant(connection, mail, channel, lookup, now)
    return mail


def phone(runtime: Runtime) -> str:
    return lookup_of(runtime.vault, IdentityKind.PHONE, PHONE)


def grant(connection: Any, mail: Mail, channel: str, lookup: str, now: Any) -> None:
    at = now - timedelta(days=1)
    entry = NewConsent(
        lookup,
        channel,
        "marketing",
        ConsentStatus.GRANTED,
        Basis.OPT_IN,
        "form",
        at,
        mail.profile_id,
        f"form:{channel}",
    )
    record_consents(connection, [entry], now)


def decision(runtime: Runtime, mail: Mail) -> Any:
    """What the policy says of Alice's marketing mail at this moment."""
    now = runtime.clock.now()
    with runtime.database.read() as connection:
        row = connection.execute(select(message).where(message.c.id == mail.message_id)).one()
        gathered = gather_facts(connection, runtime.vault, get_workspace(connection), [row], now)
        return decide(gathered[row.id].facts, now)


def sent(runtime: Runtime) -> Any:
    transport = RecordingTransport()
    deliver_all(runtime, transport)
    return transport.sent


def button(envelope: Any) -> str:
    return str(re.findall(r"/x/[\w-]+", envelope.html)[0])


def test_marketing_waits_for_nobody_when_alice_pauses_and_comes_back_by_itself(
    client: TestClient, runtime: Runtime, clock: ManualClock, alice: Mail
) -> None:
    assert decision(runtime, alice) == Send()
    shown = client.post(alice.path("preferences"), data={"do": "pause"}).text
    assert 'role="status">It is quiet now, until ' in shown
    assert 'value="resume"' in shown
    assert 'value="pause"' not in shown
    assert decision(runtime, alice) == Drop(Reason.PAUSED)
    clock.advance(timedelta(days=30) - timedelta(seconds=1))
    assert decision(runtime, alice) == Drop(Reason.PAUSED)
    clock.advance(timedelta(seconds=1))
    assert decision(runtime, alice) == Send()
    assert 'value="pause"' in client.get(alice.path("preferences")).text


def test_the_pause_is_over_when_alice_ends_it(
    client: TestClient, runtime: Runtime, clock: ManualClock, alice: Mail
) -> None:
    for word, expected in (("pause", Drop(Reason.PAUSED)), ("resume", Send()), ("pause", Drop(Reason.PAUSED))):
        client.post(alice.path("preferences"), data={"do": word})
        assert decision(runtime, alice) == expected
        clock.advance(timedelta(minutes=1))


def test_messages_about_orders_arrive_when_alice_pauses(client: TestClient, runtime: Runtime, alice: Mail) -> None:
    client.post(alice.path("preferences"), data={"do": "pause"})
    with runtime.database.transaction() as connection:
        connection.execute(update(message).values(kind="transactional"))
    assert decision(runtime, alice) == Send()


def test_nothing_is_changed_when_the_page_is_only_looked_at(client: TestClient, runtime: Runtime, alice: Mail) -> None:
    for word in ("pause", "export", "erase"):
        client.get(f"{alice.path('preferences')}?do={word}")
    assert decision(runtime, alice) == Send()
    assert sent(runtime) == []


def test_other_channels_can_be_left_and_not_begun_by_a_mail(
    client: TestClient, runtime: Runtime, clock: ManualClock, alice: Mail
) -> None:
    def states() -> list[str]:
        with runtime.database.read() as connection:
            lookup = phone(runtime)
            return [
                consent_of(connection, "sms", topic, [lookup], clock.now())[lookup].value
                for topic in ("marketing", "events")
            ]

    shown = client.get(alice.path("preferences")).text
    assert "What you also get by text message" in shown
    assert PHONE not in shown
    save = {"do": "save", "topic": "marketing", "channel": "sms", "topic.sms": ["marketing", "events"]}
    client.post(alice.path("preferences"), data=save)
    assert states() == ["granted", "unknown"]
    client.post(alice.path("preferences"), data={"do": "save", "topic": "marketing", "channel": "sms"})
    assert states() == ["withdrawn", "unknown"]
    assert "by text message" not in client.get(alice.path("preferences")).text


def test_alice_gets_her_data_when_she_presses_twice_once_in_the_mail_of_ours(
    client: TestClient, runtime: Runtime, alice: Mail
) -> None:
    answer = client.post(alice.path("preferences"), data={"do": "export"}).text
    assert "a link is on its way" in answer
    assert "/x/" not in answer
    (mail,) = sent(runtime)
    assert mail.recipient == "alice@shop.example"
    assert mail.subject == "Your data at Fern & Kettle"
    assert "List-Unsubscribe" not in mail.headers
    link = button(mail)
    assert f"https://links.shop.example{link}" in mail.text or link in mail.text
    with TestClient(create_app(runtime)) as app:
        assert "Download my data" in app.get(link).text
        file = app.post(link)
        assert file.headers["content-type"] == "application/zip"
        assert app.post(link).status_code == app.get(link).status_code == 410
    with runtime.database.read() as connection:
        assert [request.requested_by for request in list_requests(connection)] == ["single_use_link"]


def test_alice_is_erased_when_she_has_said_so_twice(client: TestClient, runtime: Runtime, alice: Mail) -> None:
    client.post(alice.path("preferences"), data={"do": "erase"})
    (mail,) = sent(runtime)
    link = button(mail)
    with TestClient(create_app(runtime)) as app:
        assert "This cannot be undone" in app.get(link).text
        with runtime.database.read() as connection:
            assert connection.execute(select(profile.c.status)).scalar_one() == ProfileStatus.ACTIVE
        assert "You are erased" in app.post(link).text
        assert app.post(link).status_code == 410
    with runtime.database.read() as connection:
        assert connection.execute(select(profile.c.status)).scalar_one() == ProfileStatus.ERASED
    assert 'value="erase"' not in client.get(alice.path("preferences")).text


def test_the_link_is_good_for_half_an_hour_when_nobody_uses_it(
    client: TestClient, runtime: Runtime, clock: ManualClock, alice: Mail
) -> None:
    client.post(alice.path("preferences"), data={"do": "export"})
    (mail,) = sent(runtime)
    clock.advance(timedelta(minutes=30))
    with TestClient(create_app(runtime)) as app:
        assert app.get(button(mail)).status_code == 410


def test_mails_are_bounded_when_somebody_presses_again_and_again(
    client: TestClient, runtime: Runtime, clock: ManualClock, alice: Mail
) -> None:
    answers = {client.post(alice.path("preferences"), data={"do": "export"}).text for _ in range(9)}
    assert len(answers) == 1
    mails = len(sent(runtime))
    assert mails == 3
    for _ in range(9):
        clock.advance(timedelta(hours=1))
        client.post(alice.path("preferences"), data={"do": "export"})
        mails += len(sent(runtime))
    assert mails == 6


def test_the_page_speaks_her_language_when_it_is_known(
    client: TestClient, runtime: Runtime, clock: ManualClock, alice: Mail
) -> None:
    french = client.get(alice.path("preferences"), headers={"Accept-Language": "xx, fr-CA;q=0.8, en;q=0.1"}).text
    assert '<html lang="fr">' in french
    assert "Ce que vous recevez" in french
    with runtime.database.transaction() as connection:
        connection.execute(update(profile).values(locale="de-AT"))
    german = client.post(alice.path("preferences"), data={"do": "pause"}, headers={"Accept-Language": "fr"}).text
    assert '<html lang="de">' in german
    until = clock.now() + timedelta(days=30)
    assert re.search(rf"Pause bis zum {until.day}\. \w+ {until.year}", german)
    client.post(alice.path("preferences"), data={"do": "export"})
    (mail,) = sent(runtime)
    assert mail.subject == "Ihre Daten bei Fern & Kettle"
    assert 'lang="de"' in mail.html


def test_the_shop_says_it_its_own_way_when_it_has_words_of_its_own(
    client: TestClient, runtime: Runtime, clock: ManualClock, alice: Mail
) -> None:
    own = {**WORKSPACE_DOCUMENT, "texts": {"en": {"preferences.title": "Your post from {brand} <3"}}}
    with runtime.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=own, source="", file="workspace.yaml", now=clock.now())
    shown = client.get(alice.path("preferences")).text
    assert "<h1>Your post from {brand} &lt;3</h1>" in shown


def test_a_pause_is_kept_as_consent_is_when_it_is_asked_for(client: TestClient, runtime: Runtime, alice: Mail) -> None:
    client.post(alice.path("preferences"), data={"do": "pause"})
    with runtime.database.read() as connection:
        query = select(consent_entry).where(consent_entry.c.channel == "pause.email")
        entry = connection.execute(query).one()
    assert (entry.status, entry.source, entry.profile_id) == ("granted", "preference_page", alice.profile_id)
    assert entry.expires_at - entry.occurred_at == timedelta(days=30)
