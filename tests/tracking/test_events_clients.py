"""What other products' clients post and ask for, in their own words."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.runtime import Runtime
from customers.profiles import find_profile, get_profile
from customers.tables import IdentityKind
from tests.tracking.conftest import TestClient
from tracking.events.event_spec import Call, CallKind
from tracking.events.request import Dialect, Door, read_request

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
POSTHOG = Door(Dialect.POSTHOG)
Logged = Callable[..., list[Any]]


def _read(*events: dict[str, Any], **envelope: Any) -> list[Call]:
    posted = read_request(json.dumps({"batch": events, **envelope}).encode(), POSTHOG, NOW)
    assert posted.left == ()
    return [call for _, call in posted.calls]


@pytest.mark.parametrize(
    ("path", "event"),
    [
        ("/v1/t", "tea_drunk"),
        ("/v1/track", "tea_drunk"),
        ("/api/s/track", "tea_drunk"),
        ("/api/s/s2s/track", "tea_drunk"),
        ("/v1/p", "page_viewed"),
        ("/v1/s", "screen_viewed"),
        ("/v1/g", "group_joined"),
    ],
)
def test_a_call_is_taken_when_its_address_is_written_in_another_way(
    path: str, event: str, client: TestClient, secret_key: str, logged: Logged
) -> None:
    call = {"event": "Tea Drunk", "userId": "alice", "messageId": "1", "groupId": "acme"}
    answer = client.post(path, json=call, headers={"x-write-key": f"backend:{secret_key}"})
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert [one.name for one in logged()] == [event]


@pytest.mark.parametrize("path", ["/v1/b", "/v1/import", "/v1/batch", "/beacon/v1/batch", "/api/s/batch"])
def test_a_batch_is_taken_when_its_address_is_written_in_another_way(
    path: str, client: TestClient, public_key: str, logged: Logged
) -> None:
    batch = {"batch": [{"type": "track", "event": "Tea Drunk", "anonymousId": "v1", "messageId": "1"}]}
    assert client.post(f"{path}?writeKey={public_key}", json=batch).status_code == 200
    assert [one.name for one in logged()] == ["tea_drunk"]


@pytest.mark.parametrize("path", ["/batch/", "/e/", "/i/v0/e/", "/capture/", "/e"])
@pytest.mark.parametrize("packing", ["plain", "gzip-js", "base64", "list"])
def test_posthogs_events_are_taken_when_they_are_packed_in_its_ways(
    path: str, packing: str, client: TestClient, public_key: str, logged: Logged
) -> None:
    properties = {"token": public_key, "$device_id": "v1", "distinct_id": "v1", "product_id": "TEA-1", "$lib": "web"}
    event = {"event": "Product Viewed", "properties": properties, "uuid": "0190", "offset": 2_000}
    body = json.dumps([event] if packing == "list" else event).encode()
    if packing == "gzip-js":
        body = gzip.compress(body)
    elif packing == "base64":
        body = b"data=" + base64.b64encode(body).replace(b"+", b"%2B").replace(b"=", b"%3D")
    client.follow_redirects = True
    answer = client.post(f"{path}?compression={packing}&ver=1", content=body, headers={"content-type": "text/plain"})
    assert answer.status_code == 200, answer.text
    (viewed,) = logged()
    assert (viewed.name, viewed.properties) == ("product_viewed", {"product_id": "TEA-1"})


def test_posthogs_names_become_calls_when_they_mean_one() -> None:
    identify, page, alias, person, group, screen = _read(
        {
            "event": "$identify",
            "distinct_id": "alice",
            "$set": {"tier": "gold"},
            "properties": {"$anon_distinct_id": "v"},
        },
        {
            "event": "$pageview",
            "distinct_id": "v",
            "properties": {"$is_identified": False, "$current_url": "https://a/b?c"},
        },
        {"event": "$create_alias", "distinct_id": "v", "properties": {"distinct_id": "v", "alias": "alice"}},
        {
            "event": "$set",
            "distinct_id": "alice",
            "properties": {"$set": {"tier": "x", "$geoip": 1}, "$set_once": {"a": 1}},
        },
        {
            "event": "$groupidentify",
            "distinct_id": "alice",
            "properties": {"$group_key": "acme", "$group_set": {"name": "A"}},
        },
        {"event": "$screen", "distinct_id": "alice", "properties": {"$screen_name": "Home"}},
    )
    assert (identify.kind, identify.user_id, identify.anonymous_id) == (CallKind.IDENTIFY, "alice", "v")
    assert identify.traits == {"tier": "gold"}
    assert (page.kind, page.user_id, page.anonymous_id) == (CallKind.PAGE, None, "v")
    assert page.context["page"] == {"url": "https://a/b?c", "path": "/b"}
    assert (alias.kind, alias.previous_id, alias.user_id) == (CallKind.ALIAS, "v", "alice")
    assert (person.kind, person.user_id, person.traits) == (CallKind.IDENTIFY, "alice", {"a": 1, "tier": "x"})
    assert (group.kind, group.group_id, group.traits) == (CallKind.GROUP, "acme", {"name": "A"})
    assert (screen.kind, screen.name) == (CallKind.SCREEN, "Home")


def test_an_event_of_posthog_sets_traits_too_when_it_brings_some() -> None:
    identify, track = _read(
        {"event": "Tea", "distinct_id": "alice", "uuid": "1", "properties": {"$set": {"tier": "x"}}}
    )
    assert (identify.kind, identify.key, identify.traits) == (CallKind.IDENTIFY, "1:set", {"tier": "x"})
    assert (track.kind, track.key, track.properties) == (CallKind.TRACK, "1", {})


def test_a_distinct_id_is_a_visitors_when_posthog_says_that_nobody_is_identified() -> None:
    visitors: list[dict[str, Any]]
    visitors = [{"$is_identified": False}, {"$device_id": "x"}, {"$process_person_profile": False}]
    users: list[dict[str, Any]]
    users = [{"$is_identified": True, "$device_id": "x"}, {"$device_id": "y"}, {}, {"$user_id": "x"}]
    for said in visitors:
        (call,) = _read({"event": "Tea", "distinct_id": "x", "properties": said})
        assert (call.user_id, call.anonymous_id) == (None, "x")
    for said in users:
        (call,) = _read({"event": "Tea", "distinct_id": "x", "properties": said})
        assert (call.user_id, call.anonymous_id) == ("x", None)


def test_an_event_of_posthog_is_dated_by_our_clock_when_it_says_how_long_ago_it_was() -> None:
    (ago,) = _read({"event": "Tea", "distinct_id": "x", "offset": 1_500})
    (stamped,) = _read(
        {"event": "Tea", "distinct_id": "x", "timestamp": "2024-01-01T00:00:00Z"}, sent_at="2024-01-01T00:01:00Z"
    )
    assert (ago.occurred_at, stamped.occurred_at) == (NOW - timedelta(milliseconds=1_500), NOW - timedelta(minutes=1))


def test_recordings_and_talk_about_the_client_are_passed_over_when_posthog_sends_them() -> None:
    assert (
        _read({"event": "$snapshot", "distinct_id": "x"}, {"event": "$feature_flag_called", "distinct_id": "x"}) == []
    )


def test_traits_are_found_when_rudderstack_puts_them_into_the_context(
    client: TestClient, secret_key: str, runtime: Runtime
) -> None:
    call = {
        "userId": "alice",
        "context": {"traits": {"tier": "gold", "firstName": "A"}},
        "traits": {"firstName": "Alice"},
    }
    assert client.post("/v1/identify", json=call, auth=(secret_key, "")).status_code == 200
    with runtime.database.read() as connection:
        alice = find_profile(connection, runtime.vault, IdentityKind.EXTERNAL_ID, "alice")
        assert alice is not None
        assert get_profile(connection, runtime.vault, alice).attributes == {"tier": "gold", "first_name": "Alice"}


def test_clients_are_told_that_nothing_is_on_when_they_ask_for_settings(client: TestClient, public_key: str) -> None:
    page = {"Origin": "https://shop.example"}
    segment = client.get(f"/v1/projects/{public_key}/settings", headers=page)
    assert segment.json()["integrations"]["Segment.io"]["apiHost"] == "links.shop.example/v1"
    assert segment.headers["access-control-allow-origin"] == "https://shop.example"
    rudder = client.get(f"/sourceConfig/?writeKey={public_key}", headers=page)
    assert (rudder.json()["source"]["name"], rudder.json()["source"]["destinations"]) == ("web", [])
    assert client.get("/sourceConfig/", auth=("public_guess", "")).status_code == 401
    for path in ("/flags/?v=2", "/decide/?v=3"):
        flags = client.post(path, json={"token": public_key, "distinct_id": "v1"}, headers=page)
        assert (flags.json()["featureFlags"], flags.json()["sessionRecording"]) == ({}, False)
    assert client.get(f"/array/{public_key}/config").json()["autocapture_opt_out"] is True
    script = client.get(f"/array/{public_key}/config.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert f'_POSTHOG_REMOTE_CONFIG["{public_key}"]=' in script.text
    assert client.get("/array/%22%5D;alert(1)/config.js").status_code == 404


@pytest.mark.parametrize("path", ["/v1/t", "/e/", "/api/s/track", "/sourceConfig/", "/flags/"])
def test_a_page_may_read_answers_when_its_origin_is_on_the_list(path: str, client: TestClient) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-write-key"}
    mine = client.options(path, headers={"Origin": "https://shop.example", **asked})
    assert (mine.status_code, mine.headers["access-control-allow-origin"]) == (204, "https://shop.example")
    assert mine.headers["access-control-allow-credentials"] == "true"
    other = client.options(path, headers={"Origin": "https://evil.example", **asked})
    assert not [name for name in other.headers if name.startswith("access-control")]
