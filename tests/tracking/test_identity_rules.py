"""The rules by which calls make people, one by one, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from core.runtime import Runtime
from customers.merge_reviews import list_reviews
from customers.merges import split
from customers.profiles import find_profile, get_profile
from customers.tables import IdentityKind, identity, profile_merge
from customers.workspace import get_workspace
from tests.tracking.conftest import Mail, TestClient

Logged = Callable[..., list[Any]]


def _post(client: TestClient, key: str, *calls: dict[str, Any]) -> Any:
    answer = client.post("/v1/batch", json={"batch": calls}, auth=(key, ""))
    assert answer.status_code == 200, answer.text
    return answer.json()


def _at(minute: int, kind: str, **call: Any) -> dict[str, Any]:
    named = {"event": f"Step {minute}"} if kind == "track" else {}
    return {
        "type": kind,
        "timestamp": f"2026-01-05T08:{minute:02}:00Z",
        "messageId": f"{kind}{minute}",
        **named,
        **call,
    }


def _find(runtime: Runtime, name: str, kind: IdentityKind = IdentityKind.EXTERNAL_ID) -> int | None:
    with runtime.database.read() as connection:
        return find_profile(connection, runtime.vault, kind, name)


def _owners(logged: Logged) -> dict[str, int | None]:
    return {row.name: row.profile_id for row in logged() if row.name.startswith("step_")}


def test_a_visitors_past_becomes_alices_when_the_visitor_identifies(
    client: TestClient, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    _post(client, secret_key, _at(1, "track", anonymousId="v"), _at(2, "track", anonymousId="v"))
    _post(client, secret_key, _at(3, "identify", anonymousId="v", userId="alice", traits={"tier": "gold"}))
    alice = _find(runtime, "alice")
    assert alice is not None
    assert _owners(logged) == {"step_1": alice, "step_2": alice}
    with runtime.database.transaction() as connection:
        merge_id = connection.execute(select(profile_merge.c.id)).scalar_one()
        workspace = get_workspace(connection)
        split(connection, runtime.vault, workspace, merge_id, source="test", now=runtime.clock.now())
    assert len(set(_owners(logged).values()) - {alice}) == 1


def test_a_shared_device_is_whose_it_was_then_when_the_switch_arrives_late(
    client: TestClient, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    _post(client, secret_key, _at(6, "track", anonymousId="tablet", properties={"note": "sealed"}))
    _post(client, secret_key, _at(2, "identify", anonymousId="tablet", userId="alice"))
    _post(client, secret_key, _at(3, "track", anonymousId="tablet"), _at(1, "track", anonymousId="tablet"))
    _post(client, secret_key, _at(5, "identify", anonymousId="tablet", userId="bob"))
    alice, bob = _find(runtime, "alice"), _find(runtime, "bob")
    assert alice != bob
    assert _owners(logged) == {"step_1": alice, "step_3": alice, "step_6": bob}
    (event,) = logged("step_6")
    assert event.origin_profile_id is None  # sealed anew, so that erasing Alice leaves it and erasing Bob does not
    opened = runtime.vault.open_document(bob or 0, "customer_event.properties", event.sealed_properties)
    assert opened == {"note": "sealed"}


def test_track_links_only_where_nothing_contradicts(
    client: TestClient, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    _post(client, secret_key, _at(1, "track", anonymousId="v"), _at(2, "track", anonymousId="v", userId="alice"))
    _post(client, secret_key, _at(3, "track", anonymousId="v", userId="bob"), _at(4, "track", anonymousId="v"))
    alice, bob = _find(runtime, "alice"), _find(runtime, "bob")
    assert _owners(logged) == {"step_1": alice, "step_2": alice, "step_3": bob, "step_4": alice}


def test_an_alias_is_undone_and_waits_for_a_person_when_its_previous_id_proves_a_user(
    client: TestClient, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    _post(client, secret_key, _at(1, "track", anonymousId="bob"))
    _post(client, secret_key, _at(2, "alias", previousId="bob", userId="alice"))
    alice = _find(runtime, "alice")
    assert _owners(logged) == {"step_1": alice}
    _post(client, secret_key, _at(3, "track", userId="bob"))
    assert alice not in _owners(logged).values()
    with runtime.database.read() as connection:
        (review,) = list_reviews(connection)
    assert {review.first_profile_id, review.second_profile_id} == {alice, _find(runtime, "bob")}


@pytest.mark.parametrize(
    "nobody",
    [
        *("null", "undefined", "Anonymous", "guest", "0", "test", "NaN", "none", "true", "false", "[object Object]"),
        "00000000-0000-0000-0000-000000000000",
    ],
)
def test_an_id_is_refused_when_it_is_what_scripts_send_for_nobody(
    client: TestClient, secret_key: str, runtime: Runtime, nobody: str
) -> None:
    answer = _post(client, secret_key, _at(1, "track", userId=nobody), _at(2, "track", anonymousId=nobody))
    assert answer["left_out"] == 2
    with runtime.database.read() as connection:
        assert connection.execute(select(identity)).all() == []


def test_a_click_in_a_mail_names_nobody_when_the_mail_was_forwarded(
    client: TestClient, public_key: str, runtime: Runtime, logged: Logged, send_mail: Callable[..., Mail]
) -> None:
    mail = send_mail()
    client.get(mail.link(1))
    _post(client, public_key, _at(1, "track", anonymousId="v", context={"page": {"referrer": mail.link(1)}}))
    assert _owners(logged)["step_1"] != mail.profile_id
    with runtime.database.read() as connection:
        visitors = connection.execute(
            select(identity.c.profile_id).where(identity.c.kind == IdentityKind.VISITOR.value)
        ).scalars()
        assert mail.profile_id not in set(visitors)


def test_what_a_page_claimed_falls_when_the_shops_server_names_the_user(
    client: TestClient, public_key: str, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    claim = _at(2, "identify", anonymousId="v", userId="alice", traits={"email": "mallory@shop.example"})
    _post(client, public_key, _at(1, "track", anonymousId="v"), claim)
    alice = _find(runtime, "alice")
    assert alice is not None
    assert _owners(logged)["step_1"] == alice
    _post(client, secret_key, _at(3, "track", userId="alice"))
    owners = _owners(logged)
    assert owners["step_3"] == alice
    assert owners["step_1"] not in (alice, None)
    with runtime.database.read() as connection:
        known = get_profile(connection, runtime.vault, alice)
    assert (known.email, known.has_email) == (None, False)


def test_the_newest_word_holds_when_an_older_one_comes_later(
    client: TestClient, public_key: str, secret_key: str, runtime: Runtime
) -> None:
    _post(client, secret_key, _at(5, "identify", userId="alice", traits={"tier": "gold"}))
    _post(client, secret_key, _at(4, "identify", userId="alice", traits={"tier": "silver", "visits": 3}))
    _post(client, public_key, _at(6, "identify", userId="alice", traits={"tier": "free"}))
    alice = _find(runtime, "alice")
    assert alice is not None
    with runtime.database.read() as connection:
        assert get_profile(connection, runtime.vault, alice).attributes == {"tier": "gold", "visits": 3}
