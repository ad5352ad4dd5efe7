from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from core.runtime import Runtime
from customers.accounts import Role, get_account, members_of
from customers.merge_reviews import list_reviews
from customers.profiles import find_profile, get_profile
from customers.tables import IdentityKind, customer_order, profile, write_key
from tests.tracking.conftest import TestClient
from tracking.events.people import user_hash_secret

Post = Callable[..., Any]
Logged = Callable[..., list[Any]]


def _post(client: TestClient, key: str, *calls: dict[str, Any]) -> Any:
    numbered = [{"messageId": f"id-{number}", **call} for number, call in enumerate(calls)]
    answer = client.post("/v1/batch", json={"batch": numbered}, auth=(key, ""))
    assert answer.status_code == 200, answer.text
    return answer.json()


def _identify(user: str | None, visitor: str | None = None, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user, "anonymousId": visitor, "traits": traits}


def _track(name: str, user: str | None = None, visitor: str | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": name, "userId": user, "anonymousId": visitor, "properties": properties}


def _find(runtime: Runtime, kind: IdentityKind, value: str) -> int | None:
    with runtime.database.read() as connection:
        return find_profile(connection, runtime.vault, kind, value)


def test_a_visitors_history_is_alices_when_she_says_who_she_is(
    client: TestClient, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    answer = _post(
        client,
        secret_key,
        _track("Product Viewed", visitor="v1", product_id="TEA-1", price=4.5, note="for mum"),
        {"type": "page", "anonymousId": "v1", "context": {"page": {"path": "/tea", "url": "https://shop.example/tea"}}},
        _identify("alice", "v1", email="Alice@Shop.Example", firstName="Alice", visits="many", tier="gold"),
    )
    assert (answer["accepted"], answer["left_out"]) == (3, 0)
    assert answer["remarks"] == ["visits: this is not a number: write 12 or 12.5."]
    alice = _find(runtime, IdentityKind.EXTERNAL_ID, "alice")
    assert alice is not None
    assert _find(runtime, IdentityKind.VISITOR, "v1") == alice
    with runtime.database.read() as connection:
        found = get_profile(connection, runtime.vault, alice)
    assert found.email is not None
    assert found.email.value == "alice@shop.example"
    assert dict(found.attributes) == {"first_name": "Alice", "tier": "gold"}
    assert [(event.name, event.profile_id, event.properties) for event in logged()] == [
        ("product_viewed", alice, {"product_id": "TEA-1", "price": 4.5}),
        ("page_viewed", alice, {"path": "/tea"}),
    ]


def test_nothing_changes_when_the_same_batch_is_sent_again(
    client: TestClient, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    order = _track("Order Completed", "alice", order_id="1", products=[{"sku": "TEA-1", "price": 4.5}])
    calls = [_identify("alice", tier="gold"), _track("Product Viewed", "alice"), order]
    _post(client, secret_key, *calls)
    later = {"messageId": "later", **_identify("alice", tier="silver")}
    _post(client, secret_key, later)
    _post(client, secret_key, *calls)
    alice = _find(runtime, IdentityKind.EXTERNAL_ID, "alice")
    assert alice is not None
    with runtime.database.read() as connection:
        assert get_profile(connection, runtime.vault, alice).attributes == {"tier": "silver"}
        assert connection.execute(select(func.count()).select_from(customer_order)).scalar_one() == 1
    assert [event.name for event in logged()] == ["product_viewed", "order_placed"]


def test_an_order_is_stored_when_it_is_completed(
    client: TestClient, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    order = _track(
        "Order Completed",
        "alice",
        order_id="1001",
        total=11.5,
        decision_id="d-1",
        products=[{"product_id": "TEA-1", "quantity": 2, "price": 4.5}],
    )
    _post(client, secret_key, order)
    with runtime.database.read() as connection:
        row = connection.execute(select(customer_order)).one()
    assert (row.key, row.total, row.currency, row.decision_id) == ("backend:1001", 1150, "GBP", "d-1")
    (placed,) = logged("order_placed")
    assert placed.properties["total"] == 1150
    assert placed.profile_id == row.profile_id == _find(runtime, IdentityKind.EXTERNAL_ID, "alice")


def test_the_good_calls_are_stored_when_a_bad_one_stands_between(
    client: TestClient, secret_key: str, logged: Logged
) -> None:
    answer = _post(
        client,
        secret_key,
        _track("Product Viewed", "alice"),
        _track("Link Clicked", "alice", is_human=True),
        _track("Product Viewed", "undefined", None),
        {"type": "dance"},
        _track("Product Added", "null", "v1"),
    )
    assert (answer["success"], answer["accepted"], answer["left_out"]) == (True, 2, 3)
    assert [reason["index"] for reason in answer["reasons"]] == [1, 2, 3]
    assert [event.name for event in logged()] == ["product_viewed", "product_added"]


def test_two_users_stay_two_and_wait_for_a_decision_when_an_alias_would_merge_them(
    client: TestClient, secret_key: str, public_key: str, runtime: Runtime
) -> None:
    alias = {"type": "alias", "previousId": "bob", "userId": "alice"}
    answer = _post(
        client,
        secret_key,
        {**alias, "messageId": "a"},  # before the calls that make them known: the order says nothing
        _identify("alice"),
        _identify("bob"),
        {**alias, "messageId": "b"},
        {**alias, "previousId": "v9", "messageId": "c"},
    )
    assert (answer["accepted"], answer["left_out"]) == (5, 0)
    alice, bob = (_find(runtime, IdentityKind.EXTERNAL_ID, name) for name in ("alice", "bob"))
    assert alice != bob
    assert _find(runtime, IdentityKind.VISITOR, "v9") == alice
    assert _post(client, public_key, {**alias, "messageId": "d"})["left_out"] == 1
    with runtime.database.read() as connection:
        (review,) = list_reviews(connection)
    assert {review.first_profile_id, review.second_profile_id} == {alice, bob}
    assert review.reason == "alias"


def test_somebody_belongs_to_a_company_when_a_group_call_says_so(
    client: TestClient, secret_key: str, public_key: str, runtime: Runtime, logged: Logged
) -> None:
    group = {"type": "group", "groupId": "acme", "userId": "alice"}
    traits = {"name": "Acme", "role": "Decider", "employees": 40, "email": "boss@acme.example"}
    answer = _post(client, secret_key, {**group, "traits": traits}, {**group, "traits": {"role": "king"}})
    assert (answer["accepted"], answer["left_out"]) == (2, 0)
    (remark,) = answer["remarks"]
    assert remark.startswith("role: 'king' is no role in a buying centre: write one of initiator, user, ")
    _post(client, public_key, {**group, "userId": "mallory", "messageId": "m1", "traits": {"name": "Mine"}})
    _post(client, public_key, {**group, "groupId": "new", "userId": "carol", "messageId": "m2"})
    alice, carol = (_find(runtime, IdentityKind.EXTERNAL_ID, name) for name in ("alice", "carol"))
    with runtime.database.read() as connection:
        acme, new = get_account(connection, "acme"), get_account(connection, "new")
        members = members_of(connection, acme.id) + members_of(connection, new.id)
    assert (acme.name, acme.attributes, new.name) == ("Acme", {"employees": 40}, "new")
    assert [(one.profile_id, one.role) for one in members] == [(alice, Role.DECIDER), (carol, None)]
    assert [event.name for event in logged()] == ["group_joined"] * 4


def test_a_device_is_bobs_from_then_on_when_alice_used_it_before(
    client: TestClient, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    _post(client, secret_key, _identify("alice", "tablet"), _identify("bob", "tablet"))
    _post(client, secret_key, {"messageId": "t", **_track("Product Viewed", visitor="tablet")})
    bob = _find(runtime, IdentityKind.EXTERNAL_ID, "bob")
    assert bob is not None
    assert bob != _find(runtime, IdentityKind.EXTERNAL_ID, "alice")
    assert [event.profile_id for event in logged()] == [bob]


def test_a_public_key_makes_a_new_person_when_nobody_is_known(
    client: TestClient, public_key: str, runtime: Runtime
) -> None:
    _post(
        client,
        public_key,
        _track("Product Viewed", visitor="v1"),
        _identify("alice", "v1", email="alice@shop.example"),
    )
    alice = _find(runtime, IdentityKind.EXTERNAL_ID, "alice")
    assert alice is not None
    assert _find(runtime, IdentityKind.VISITOR, "v1") == alice
    assert _find(runtime, IdentityKind.EMAIL, "alice@shop.example") == alice


def test_a_public_key_changes_nobodys_identity_when_that_person_is_known(
    client: TestClient, public_key: str, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    _post(client, secret_key, _identify("alice", "v1", email="alice@shop.example"), _identify("bob"))
    alice, bob = (_find(runtime, IdentityKind.EXTERNAL_ID, name) for name in ("alice", "bob"))
    _post(
        client,
        public_key,
        _identify("alice", "v2", email="mallory@shop.example", phone="+442079460018"),
        _identify("mallory", "v1", email="alice@shop.example"),
        _identify(None, "v1", email="mallory@shop.example"),
        {"type": "alias", "previousId": "v1", "userId": "mallory"},
        _track("Product Viewed", "bob", "v1"),
    )
    with runtime.database.read() as connection:
        assert alice is not None
        known = get_profile(connection, runtime.vault, alice)
    assert known.email is not None
    assert (known.email.value, known.phone) == ("alice@shop.example", None)
    assert _find(runtime, IdentityKind.VISITOR, "v1") == alice
    assert _find(runtime, IdentityKind.VISITOR, "v2") is None
    assert _find(runtime, IdentityKind.EMAIL, "mallory@shop.example") is None
    assert [event.profile_id for event in logged()] == [bob]


def test_a_public_key_is_believed_when_the_shops_server_vouches_for_the_user(
    client: TestClient, public_key: str, secret_key: str, runtime: Runtime
) -> None:
    _post(client, secret_key, _identify("alice"))
    secret = user_hash_secret(runtime.vault)
    vouched = {"context": {"user_hash": hmac.new(secret.encode(), b"alice", hashlib.sha256).hexdigest()}}
    _post(client, public_key, {**_identify("alice", "v1", email="alice@shop.example"), **vouched})
    alice = _find(runtime, IdentityKind.EXTERNAL_ID, "alice")
    assert _find(runtime, IdentityKind.VISITOR, "v1") == alice
    assert _find(runtime, IdentityKind.EMAIL, "alice@shop.example") == alice


@pytest.mark.parametrize("place", ["basic", "header", "body"])
def test_a_call_is_taken_when_its_key_stands_where_sdks_put_it(
    client: TestClient, secret_key: str, logged: Logged, place: str
) -> None:
    call = _track("Product Viewed", "alice")
    headers = {"content-type": "text/plain"}
    if place == "basic":
        headers["Authorization"] = "Basic " + base64.b64encode(f"{secret_key}:".encode()).decode()
    elif place == "header":
        headers["X-Write-Key"] = secret_key
    else:
        call["writeKey"] = secret_key
    body = gzip.compress(json.dumps(call).encode())
    assert client.post("/v1/track", content=body, headers=headers).status_code == 200
    assert [event.name for event in logged()] == ["product_viewed"]


def test_requests_get_the_status_that_sdks_understand_when_something_is_wrong(
    client: TestClient, secret_key: str, runtime: Runtime
) -> None:
    call = {"type": "track", "event": "x", "userId": "alice"}
    assert client.post("/v1/track", json=call).status_code == 401
    assert client.post("/v1/track", json=call, auth=("secret_wrong", "")).status_code == 401
    assert client.post("/v1/batch", content=b"{", auth=(secret_key, "")).status_code == 400
    assert client.post("/v1/batch", content=b"x" * 1_000_001, auth=(secret_key, "")).status_code == 413
    assert client.post("/v1/batch", content=gzip.compress(bytes(6_000_000)), auth=(secret_key, "")).status_code == 413
    assert client.get("/v1/batch").status_code == 405
    with runtime.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(profile)).scalar_one() == 0
        stored = str(connection.execute(select(write_key)).all())
    assert secret_key not in stored


def test_a_browser_may_read_the_answer_when_its_page_is_on_the_list(client: TestClient, public_key: str) -> None:
    mine, other = {"Origin": "https://shop.example"}, {"Origin": "https://evil.example"}
    preflight = client.options("/v1/batch", headers=mine)
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "https://shop.example"
    allowed = preflight.headers["access-control-allow-headers"]
    assert allowed == "authorization, content-type, anonymousid, sentat, x-write-key"
    call = {"event": "Product Viewed", "anonymousId": "v1", "writeKey": public_key}
    assert client.post("/v1/track", json=call, headers=mine).headers["vary"] == "Origin"
    refused = client.post("/v1/track", json=call, headers=other)
    assert "access-control-allow-origin" not in refused.headers
