from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select

from core.clock import ManualClock
from core.runtime import Runtime
from customers.consent import Basis, ConsentStatus, NewConsent, consent_of, record_consents
from customers.identities import resolve
from customers.merges import merge
from customers.tables import IdentityKind, consent_entry
from customers.workspace import get_workspace
from delivery.callbacks.inbound_mails import InboundMail
from delivery.intake import Callback, store_callbacks
from delivery.tables import message
from tests.tracking.conftest import Mail, SendMail, TestClient
from tracking.mail_leaving import leaving_by_mail
from tracking.pages.contrast import text_colour_on
from tracking.tables import engagement_event

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def alice(send_mail: SendMail, runtime: Runtime, clock: ManualClock) -> Mail:
    """Alice's mail; she consented to every topic."""
    mail = send_mail()
    with runtime.database.transaction() as connection:
        for topic in ("marketing", "events"):
            grant = NewConsent(
                mail.lookup,
                "email",
                topic,
                ConsentStatus.GRANTED,
                Basis.OPT_IN,
                "form",
                clock.now() - timedelta(days=1),
                mail.profile_id,
                f"form:{topic}",
            )
            record_consents(connection, [grant], clock.now())
    return mail


def _states(runtime: Runtime, mail: Mail) -> dict[str, str]:
    with runtime.database.read() as connection:
        now = runtime.clock.now()
        return {
            topic: consent_of(connection, "email", topic, [mail.lookup], now)[mail.lookup].value
            for topic in ("marketing", "events")
        }


def test_the_topic_is_left_at_once_when_the_mailbox_provider_posts(
    client: TestClient, runtime: Runtime, alice: Mail, logged: Callable[..., list[Any]]
) -> None:
    answer = client.post(alice.path("unsubscribe"), data=ONE_CLICK)
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert _states(runtime, alice) == {"marketing": "withdrawn", "events": "granted"}
    assert [(event.name, event.profile_id) for event in logged()] == [
        ("unsubscribed", alice.profile_id),
        ("consent_withdrawn", alice.profile_id),
    ]
    assert logged()[0].properties == {
        "channel": "email",
        "topic": "marketing",
        "source": "one_click",
        "message_id": alice.message_id,
    }
    with runtime.database.read() as connection:
        event = connection.execute(select(engagement_event)).one()
    assert (event.kind, event.message_id, event.human_probability) == ("unsubscribed", alice.message_id, 1.0)


def test_one_click_works_when_it_is_posted_as_multipart(client: TestClient, runtime: Runtime, alice: Mail) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert client.post(alice.path("unsubscribe"), content=body, headers=headers).status_code == 200
    with runtime.database.read() as connection:
        entry = connection.execute(select(consent_entry).where(consent_entry.c.status == "withdrawn")).one()
    assert (entry.topic, entry.source) == ("marketing", "one_click")


def test_nothing_is_left_when_the_page_is_only_looked_at(client: TestClient, runtime: Runtime, alice: Mail) -> None:
    for name in ("unsubscribe", "preferences"):
        shown = client.get(alice.path(name))
        assert shown.status_code == client.head(alice.path(name)).status_code == 200
        assert '<form method="post">' in shown.text
        assert "<script" not in shown.text
    assert _states(runtime, alice) == {"marketing": "granted", "events": "granted"}


def test_everything_is_left_when_the_other_button_is_pressed(client: TestClient, runtime: Runtime, alice: Mail) -> None:
    shown = client.post(alice.path("unsubscribe"), data={"scope": "everything"})
    assert "no more marketing messages by e-mail" in " ".join(shown.text.split())
    assert _states(runtime, alice) == {"marketing": "withdrawn", "events": "withdrawn"}


def test_nothing_is_written_twice_when_the_button_is_pressed_twice(
    client: TestClient, runtime: Runtime, clock: ManualClock, alice: Mail, logged: Callable[..., list[Any]]
) -> None:
    for scope in ("topic", "topic", "everything", "everything"):
        assert client.post(alice.path("unsubscribe"), data={"scope": scope}).status_code == 200
        clock.advance(timedelta(minutes=1))
    assert [event.properties["topic"] for event in logged("unsubscribed")] == ["marketing", "*"]


def test_an_old_link_still_works_when_alice_has_come_back_and_the_message_is_gone(
    client: TestClient, runtime: Runtime, clock: ManualClock, alice: Mail
) -> None:
    client.post(alice.path("unsubscribe"), data=ONE_CLICK)
    clock.advance(timedelta(days=1))
    client.post(alice.path("preferences"), data={"topic": ["marketing", "events"]})
    assert _states(runtime, alice)["marketing"] == "granted"
    with runtime.database.transaction() as connection:
        connection.execute(delete(engagement_event))
        connection.execute(delete(message))
    clock.advance(timedelta(days=900))
    client.post(alice.path("unsubscribe"), data=ONE_CLICK)
    assert _states(runtime, alice)["marketing"] == "withdrawn"


def test_the_survivor_is_told_of_when_the_one_who_leaves_was_merged(
    client: TestClient, runtime: Runtime, alice: Mail, logged: Callable[..., list[Any]]
) -> None:
    now = runtime.clock.now()
    with runtime.database.transaction() as connection:
        other = resolve(connection, runtime.vault, {IdentityKind.EXTERNAL_ID: "alice-2"}, now)
        assert other is not None
        workspace = get_workspace(connection)
        merge(connection, runtime.vault, workspace, other, alice.profile_id, cause="manual", source="test", now=now)
    assert client.post(alice.path("unsubscribe"), data=ONE_CLICK).status_code == 200
    told = {event.name: event.profile_id for event in logged()}
    assert (told["unsubscribed"], told["consent_withdrawn"]) == (other, other)
    assert _states(runtime, alice)["marketing"] == "withdrawn"


def test_topics_change_as_they_are_ticked_when_preferences_are_saved(
    client: TestClient, runtime: Runtime, clock: ManualClock, alice: Mail, logged: Callable[..., list[Any]]
) -> None:
    shown = client.get(alice.path("preferences")).text
    assert re.findall(r'value="(\w+)" checked', shown) == ["events", "marketing"]
    assert "About your orders" not in shown
    saved = client.post(alice.path("preferences"), data={"topic": ["events", "transactional", "unheard_of"]}).text
    assert 'role="status">Saved' in saved
    assert re.findall(r'value="(\w+)" checked', saved) == ["events"]
    assert _states(runtime, alice) == {"marketing": "withdrawn", "events": "granted"}
    clock.advance(timedelta(minutes=1))
    client.post(alice.path("preferences"), data={"topic": ["marketing", "events"]})
    assert _states(runtime, alice) == {"marketing": "granted", "events": "granted"}
    assert [event.name for event in logged()] == ["consent_withdrawn", "consent_granted"]


def test_nobody_is_unsubscribed_when_the_token_is_of_another_kind(
    client: TestClient, runtime: Runtime, alice: Mail
) -> None:
    for token in (alice.path("pixel")[3:-4], alice.link(1)[3:], alice.path("preferences")[3:], "wrong"):
        assert client.post(f"/u/{token}", data=ONE_CLICK).status_code == 404
        assert client.get(f"/u/{token}").status_code == 404
    assert client.post(f"/p/{alice.path('unsubscribe')[3:]}", data={}).status_code == 404
    with runtime.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(consent_entry)).scalar_one() == 2


def test_the_page_allows_nothing_but_itself_when_it_is_shown(client: TestClient, alice: Mail) -> None:
    answer = client.get(alice.path("unsubscribe"))
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "form-action 'self'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "alice" not in answer.text


@pytest.mark.parametrize(
    ("background", "colour"), [("#24483a", "#ffffff"), ("#ffdd00", "#000000"), ("#777777", "#000000")]
)
def test_the_button_can_be_read_when_the_brand_has_any_colour(background: str, colour: str) -> None:
    assert text_colour_on(background) == colour


@pytest.mark.parametrize("place", ["address", "subject"])
def test_the_topic_is_left_once_when_somebody_writes_to_the_address(
    runtime: Runtime, alice: Mail, logged: Callable[..., list[Any]], place: str
) -> None:
    token = alice.path("unsubscribe").rpartition("/")[2]
    plus, subject = (f"+{token}", "unsubscribe") if place == "address" else ("", f"unsubscribe {token}")
    mail = InboundMail("in-1", (f"leave{plus}@in.shop.example",), subject, runtime.clock.now())
    store = store_callbacks(runtime, leaving_by_mail(runtime))
    for _ in range(2):
        with runtime.database.transaction() as connection:
            store(connection, [Callback("sns:1", mail, "", runtime.clock.now())])
    assert _states(runtime, alice) == {"marketing": "withdrawn", "events": "granted"}
    assert [event.properties["source"] for event in logged("unsubscribed")] == ["unsubscribe_mail"]


def test_nobody_leaves_when_a_mail_names_nobody(runtime: Runtime, alice: Mail) -> None:
    mail = InboundMail("in-1", ("leave+nonsense@in.shop.example",), "hello", runtime.clock.now())
    with runtime.database.transaction() as connection:
        store = store_callbacks(runtime, leaving_by_mail(runtime))
        assert store(connection, [Callback("sns:1", mail, "", runtime.clock.now())]) == [True]
    assert _states(runtime, alice) == {"marketing": "granted", "events": "granted"}
