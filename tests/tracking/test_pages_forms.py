"""Signing up by a form: two people can tell a known address from a strange one, the shop and its owner."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from core.clock import ManualClock
from core.definitions import publish
from core.located import load_yaml
from core.runtime import Runtime
from customers.consent import ConsentStatus, consent_of
from customers.identities import lookup_of, resolve
from customers.profiles import find_profile, get_profile
from customers.tables import IdentityKind, consent_entry, identity, profile
from customers.tombstones import bury
from customers.workspace import get_workspace
from delivery.tables import message
from tests.tracking.conftest import TestClient
from tracking.pages.signing_up.definition import parse_form
from tracking.pages.signing_up.taking import delete_unconfirmed
from tracking.tables import sign_up

FORM: Mapping[str, Any] = {
    "form": "newsletter",
    "title": "Letters from the shop",
    "fields": [{"attribute": "first_name", "label": "First name", "required": True}],
    "topics": ["marketing"],
    "consent": {"text": "Fern & Kettle may write to me.", "version": "2026-11"},
    "embed": ["https://shop.example"],
}
ALICE = "alice@shop.example"


@pytest.fixture
def form(runtime: Runtime) -> None:
    publish_form(runtime, FORM)


def publish_form(runtime: Runtime, document: Mapping[str, Any]) -> None:
    with runtime.database.transaction() as connection:
        now = runtime.clock.now()
        publish(connection, "form", document["form"], document=document, source="", file="forms/x.yaml", now=now)


def fill(client: TestClient, clock: ManualClock, path: str = "/f/newsletter", **changed: str) -> Any:
    """Open the form, read it for ten seconds, send it."""
    page = client.get(path).text
    stamp = re.search(r'name="stamp" value="([^"]+)"', page)
    assert stamp is not None
    clock.advance(timedelta(seconds=10))
    fields = {"email": ALICE, "first_name": "Alice", "consent": "2026-11", "stamp": stamp[1], **changed}
    return client.post(path, data=fields)


def links(runtime: Runtime) -> list[str]:
    """The paths behind the buttons of the mails that are due, in the order in which they were queued."""
    with runtime.database.read() as connection:
        rows = connection.execute(select(message).order_by(message.c.created_at, message.c.id)).all()
    documents = [
        runtime.vault.open_document(row.profile_id, "message.context", row.context) for row in rows if row.context
    ]
    return ["/" + one["links"]["button"].partition("://")[2].partition("/")[2] for one in documents]


def state(runtime: Runtime, email: str = ALICE) -> ConsentStatus:
    lookup = lookup_of(runtime.vault, IdentityKind.EMAIL, email)
    with runtime.database.read() as connection:
        return consent_of(connection, "email", "marketing", [lookup], runtime.clock.now())[lookup]


def person(runtime: Runtime, email: str = ALICE) -> int | None:
    with runtime.database.read() as connection:
        return find_profile(connection, runtime.vault, IdentityKind.EMAIL, email)


def count(runtime: Runtime, table: Any) -> int:
    with runtime.database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


@pytest.mark.usefixtures("form")
def test_alice_is_written_to_when_she_has_pressed_the_button_in_the_mail(
    client: TestClient, runtime: Runtime, clock: ManualClock, logged: Callable[..., list[Any]]
) -> None:
    answer = fill(client, clock)
    assert answer.status_code == 200
    assert "Thank you" in answer.text
    assert state(runtime) is ConsentStatus.UNKNOWN
    assert person(runtime) is None
    (link,) = links(runtime)
    for _ in range(2):
        assert client.get(link).status_code == client.head(link).status_code == 200
    assert state(runtime) is ConsentStatus.UNKNOWN  # a scanner has looked, and nobody has pressed

    clock.advance(timedelta(days=1))
    for _ in range(2):
        assert "You are in" in client.post(link).text
    assert state(runtime) is ConsentStatus.GRANTED
    alice = person(runtime)
    assert alice is not None
    with runtime.database.read() as connection:
        known = get_profile(connection, runtime.vault, alice)
        entry = connection.execute(select(consent_entry)).one()
        proof = connection.execute(select(sign_up)).one()
        verified = connection.execute(select(identity.c.is_verified)).scalar_one()
    assert known.attributes == {"first_name": "Alice"}
    assert known.locale == "en"
    assert verified
    assert (entry.basis, entry.source, entry.text_version) == ("double_opt_in", "form:newsletter", "2026-11")
    assert (proof.status, proof.sealed_document, proof.form_version) == ("confirmed", None, 1)
    assert proof.confirmed_at - proof.requested_at == timedelta(days=1)
    assert "testclient" not in proof.network
    assert proof.network == proof.confirmed_network
    assert [event.profile_id for event in logged("consent_granted")] == [alice]


@pytest.mark.usefixtures("form")
def test_the_answer_is_the_same_and_nothing_changes_when_the_address_is_known(
    client: TestClient, runtime: Runtime, clock: ManualClock
) -> None:
    with runtime.database.transaction() as connection:
        alice = resolve(connection, runtime.vault, {IdentityKind.EMAIL: ALICE}, clock.now())
        assert alice is not None
        before = connection.execute(select(profile).where(profile.c.id == alice)).one()
    known = fill(client, clock, first_name="Mallory")
    strange = fill(client, clock, email="carol@shop.example")
    assert known.text == strange.text
    assert known.status_code == strange.status_code
    with runtime.database.read() as connection:
        assert connection.execute(select(profile).where(profile.c.id == alice)).one() == before
    assert state(runtime) is ConsentStatus.UNKNOWN
    assert client.post(links(runtime)[0]).status_code == 200
    assert state(runtime) is ConsentStatus.GRANTED
    assert person(runtime) == alice
    with runtime.database.read() as connection:
        assert get_profile(connection, runtime.vault, alice).attributes == {"first_name": "Mallory"}


@pytest.mark.usefixtures("form")
def test_somebody_erased_comes_back_when_she_signs_up_afresh(
    client: TestClient, runtime: Runtime, clock: ManualClock
) -> None:
    with runtime.database.transaction() as connection:
        marks = {runtime.vault.tombstones(IdentityKind.EMAIL, ALICE)[0]: "email"}
        bury(connection, marks, clock.now())
    fill(client, clock)
    assert person(runtime) is None
    client.post(links(runtime)[0])
    assert person(runtime) is not None
    assert state(runtime) is ConsentStatus.GRANTED


@pytest.mark.usefixtures("form")
def test_nothing_is_kept_when_a_program_filled_it_in(client: TestClient, runtime: Runtime, clock: ManualClock) -> None:
    assert "Thank you" in fill(client, clock, website="https://spam.example").text
    assert count(runtime, sign_up) == 0


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("stamp", ["", "nonsense", "1.2", "9" * 40 + ".x", "another"])
def test_the_form_is_shown_once_more_when_it_does_not_come_from_our_page(
    client: TestClient, runtime: Runtime, clock: ManualClock, stamp: str
) -> None:
    shown = fill(client, clock, stamp=stamp)
    assert shown.status_code == 200
    assert 'value="alice@shop.example"' in shown.text
    assert 'role="status"' in shown.text
    assert count(runtime, sign_up) == 0


@pytest.mark.usefixtures("form")
def test_the_form_is_shown_once_more_when_it_comes_back_within_two_seconds(
    client: TestClient, runtime: Runtime, clock: ManualClock
) -> None:
    stamp = re.findall(r'name="stamp" value="([^"]+)"', client.get("/f/newsletter").text)[0]
    clock.advance(timedelta(seconds=1))
    fields = {"email": ALICE, "first_name": "Alice", "consent": "2026-11", "stamp": stamp}
    assert "One more look" in client.post("/f/newsletter", data=fields).text
    assert count(runtime, sign_up) == 0


@pytest.mark.usefixtures("form")
def test_every_fault_is_told_at_once_when_fields_are_wrong(
    client: TestClient, runtime: Runtime, clock: ManualClock
) -> None:
    shown = fill(client, clock, email="no address", first_name=" ", consent="an older text")
    assert shown.status_code == 422
    assert "3 things are missing" in shown.text
    assert "<title>Error: Letters from the shop" in shown.text
    for name in ("email", "first_name", "consent"):
        assert f'href="#{name}"' in shown.text
        assert f'id="wrong-{name}"' in shown.text
    assert 'value="no address"' in shown.text
    assert count(runtime, sign_up) == 0


@pytest.mark.usefixtures("form")
def test_mails_are_bounded_when_somebody_signs_up_again_and_again(
    client: TestClient, runtime: Runtime, clock: ManualClock
) -> None:
    for _ in range(10):
        fill(client, clock)
    assert len(links(runtime)) == 1
    for _ in range(10):
        clock.advance(timedelta(minutes=6))
        fill(client, clock)
    assert len(links(runtime)) == 3
    assert len(set(links(runtime))) == 1
    assert count(runtime, sign_up) == 1


@pytest.mark.usefixtures("form")
def test_a_network_waits_when_it_signs_up_too_many(client: TestClient, runtime: Runtime, clock: ManualClock) -> None:
    answers = [fill(client, clock, email=f"person{n}@shop.example").status_code for n in range(31)]
    assert answers == [200] * 30 + [429]
    clock.advance(timedelta(hours=1))
    assert fill(client, clock, email="late@shop.example").status_code == 200


@pytest.mark.usefixtures("form")
def test_the_link_is_too_old_after_a_week_and_all_is_forgotten_after_a_month(
    client: TestClient, runtime: Runtime, clock: ManualClock
) -> None:
    fill(client, clock)
    (link,) = links(runtime)
    clock.advance(timedelta(days=7))
    assert client.get(link).status_code == client.post(link).status_code == 410
    assert state(runtime) is ConsentStatus.UNKNOWN
    assert delete_unconfirmed(runtime, clock.now()) == 0
    clock.advance(timedelta(days=24))
    with runtime.database.read() as connection:
        number = connection.execute(select(sign_up.c.profile_id)).scalar_one()
    assert delete_unconfirmed(runtime, clock.now()) == 1
    assert count(runtime, sign_up) == 0
    assert not runtime.vault.has_key(number)
    assert client.get(link).status_code == 404


@pytest.mark.parametrize(
    ("origin", "fetch", "status"),
    [
        ("https://links.shop.example", None, 200),
        ("https://shop.example", None, 200),
        ("https://evil.example", None, 403),
        ("null", "cross-site", 403),
        ("null", "same-origin", 200),
    ],
)
@pytest.mark.usefixtures("form")
def test_only_friends_may_post_when_a_form_is_embedded(
    client: TestClient, clock: ManualClock, origin: str, fetch: str | None, status: int
) -> None:
    client.headers["Origin"] = origin
    if fetch:
        client.headers["Sec-Fetch-Site"] = fetch
    assert fill(client, clock, "/f/newsletter/embed").status_code == status


@pytest.mark.usefixtures("form")
def test_only_friends_may_frame_the_form_when_it_is_embedded(client: TestClient) -> None:
    framed = client.get("/f/newsletter/embed").headers["content-security-policy"]
    assert "frame-ancestors https://shop.example" in framed
    assert "frame-ancestors 'none'" in client.get("/f/newsletter").headers["content-security-policy"]


def test_people_are_led_on_when_the_form_says_where(client: TestClient, runtime: Runtime, clock: ManualClock) -> None:
    publish_form(runtime, {**FORM, "redirect": "https://shop.example/thanks"})
    policy = client.get("/f/newsletter").headers["content-security-policy"]
    assert "form-action 'self' https://shop.example" in policy
    answer = fill(client, clock)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://shop.example/thanks")


def test_a_strange_address_is_taken_at_once_and_a_known_one_asked_when_no_confirmation_is_wanted(
    client: TestClient, runtime: Runtime, clock: ManualClock
) -> None:
    publish_form(runtime, {**FORM, "double_opt_in": False})
    with runtime.database.transaction() as connection:
        resolve(connection, runtime.vault, {IdentityKind.EMAIL: "carol@shop.example"}, clock.now())
    strange, known = fill(client, clock), fill(client, clock, email="carol@shop.example")
    assert strange.text == known.text
    assert state(runtime) is ConsentStatus.GRANTED
    assert state(runtime, "carol@shop.example") is ConsentStatus.UNKNOWN
    assert len(links(runtime)) == 1


def test_nobody_finds_a_form_when_there_is_none(client: TestClient) -> None:
    for path in ("/f/nothing", "/f/nothing/embed", "/y/nothing"):
        assert client.get(path).status_code == client.post(path, data={"email": ALICE}).status_code == 404


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ("topics: [marketting]", "E120"),
        ("topics: [transactional]", "E124"),
        ("fields: [{attribute: first_nam, label: Name}]", "E120"),
        ("fields: [{attribute: email, label: Mail}]", "E100"),
        ("embed: ['https://shop.example/path']", "E103"),
        ("consent: {text: Yes}", "E101"),
    ],
)
def test_a_form_is_refused_when_it_names_what_is_not_there(runtime: Runtime, changed: str, code: str) -> None:
    lines = {
        "form": "form: newsletter",
        "title": "title: Letters",
        "topics": "topics: [marketing]",
        "consent": "consent: {text: Yes, version: '1'}",
    }
    lines[changed.partition(":")[0]] = changed
    located, _ = load_yaml("\n".join(lines.values()).encode(), "forms/newsletter.yaml")
    assert located is not None
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
    _form, faults = parse_form(located, workspace)
    assert [fault.code for fault in faults] == [code], faults
