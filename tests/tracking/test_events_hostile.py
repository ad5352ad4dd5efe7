"""Whatever is posted is refused, put into quarantine or taken, and never makes the server fall over."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from core.runtime import Runtime
from customers.profiles import find_profile, get_profile
from customers.tables import IdentityKind
from tests.tracking.conftest import TestClient
from tracking.events.event_spec import CallKind
from tracking.events.packing import unpack
from tracking.events.quarantine import list_quarantined
from tracking.events.request import Dialect, Door, read_request

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
DOORS = [Door(), Door(kind=CallKind.TRACK), Door(kind=CallKind.IDENTIFY), Door(Dialect.POSTHOG)]
GOOD = b'{"type":"track","event":"Tea Drunk","userId":"alice","messageId":"good"}'
Logged = Callable[..., list[Any]]

HOSTILE = {
    "NUL": b'{"type":"track","event":"a\\u0000b","userId":"alice"}',
    "NUL in an id": b'{"type":"track","event":"a","userId":"al\\u0000ice"}',
    "bad UTF-8": b'{"type":"track","event":"a\xff","userId":"alice"}',
    "a lone surrogate": b'{"type":"track","event":"\\ud800","userId":"alice"}',
    "deep nesting": b'{"type":"track","event":"a","userId":"alice","properties":{"x":' + b"[" * 40 + b"]" * 40 + b"}}",
    "a huge number": b'{"type":"track","event":"a","userId":"alice","properties":{"x":' + b"9" * 400 + b"}}",
    "an infinite number": b'{"type":"track","event":"a","userId":"alice","properties":{"x":1e999}}',
    "NaN": b'{"type":"track","event":"a","userId":"alice","properties":{"x":NaN}}',
    "Infinity": b'{"type":"track","event":"a","userId":"alice","properties":{"x":-Infinity}}',
    "1970": b'{"type":"track","event":"a","userId":"alice","timestamp":"1970-01-01T00:00:00Z"}',
    "2100": b'{"type":"track","event":"a","userId":"alice","timestamp":"2100-01-01T00:00:00Z"}',
    "the year 1": b'{"type":"track","event":"a","userId":"alice","timestamp":"0001-01-01T00:00:00+14:00"}',
    "a list": b"[1,2]",
    "a number": b"7",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_call_is_quarantined_and_its_neighbours_are_taken_when_it_is(
    name: str, client: TestClient, secret_key: str, runtime: Runtime, logged: Logged
) -> None:
    body = b'{"batch":[' + HOSTILE[name] + b"," + GOOD + b"]}"
    answer = client.post("/v1/batch", content=body, auth=(secret_key, ""))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["accepted"], answer.json()["left_out"]) == (1, 1)
    assert [event.name for event in logged()] == ["tea_drunk"]
    with runtime.database.read() as connection:
        assert len(list_quarantined(connection, 10)) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"null", 400),
        (b"NaN", 400),
        (b"\xff\xfe\x00", 400),
        (b"[" * 200_000, 400),
        (b'{"batch":' * 100_000, 400),
        (b'{"batch":[' + b"9" * 5_000 + b",NaN]}", 400),
        (b"\x1f\x8b no gzip", 400),
        (gzip.compress(GOOD, mtime=0)[:-6], 400),
        (b"data=%ff%fe", 400),
        (b"data=" + base64.b64encode(b"{"), 400),
        (b"&".join([b"data=x"] * 1_000), 400),
        (gzip.compress(bytes(20_000_000), mtime=0), 413),
        (b"data=" + base64.b64encode(gzip.compress(bytes(20_000_000), mtime=0)), 413),
        (b'{"batch":[' + b",".join([b"1"] * 2_501) + b"]}", 413),
        (b"x" * 1_000_001, 413),
    ],
)
def test_a_request_is_refused_when_nothing_in_it_can_be_read(
    client: TestClient, secret_key: str, body: bytes, status: int
) -> None:
    for path in ("/v1/batch", "/batch/"):
        answer = client.post(path, content=body, auth=(secret_key, ""))
        if body != b"null":
            assert answer.status_code == status, (path, answer.text[:200])
        assert answer.status_code in (400, 413)
        assert answer.json()["error"].endswith(".")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
spec_words = ["type", "event", "userId", "anonymousId", "previousId", "groupId", "properties", "traits", "context"]
other_words = ["timestamp", "sentAt", "messageId", "distinct_id", "uuid", "offset", "$set", "name", "token", "api_key"]
words = st.sampled_from([*spec_words, *other_words])
posthog_words = st.sampled_from(["$identify", "$pageview", "$create_alias", "$set", "$groupidentify", "$screen", "Tea"])
calls = st.dictionaries(
    words, json_values | posthog_words | st.dictionaries(words, json_values, max_size=4), max_size=8
)


def _never_falls_over(body: bytes) -> None:
    for door in DOORS:
        try:
            posted = read_request(unpack(body, ""), door, NOW)
        except InputError:
            continue
        assert all(left.reason and left.document for left in posted.left)
        assert all(call.occurred_at.year >= 2000 and call.occurred_at <= NOW for _, call in posted.calls)


@given(st.binary(max_size=400))
@example(b"data=e30=")
@example(b"\x1f\x8b\x08\x00")
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_read_or_refused_when_they_are_posted(body: bytes) -> None:
    _never_falls_over(body)


@given(st.lists(calls, max_size=4), st.booleans())
@settings(max_examples=400, deadline=None)
def test_any_json_is_read_or_refused_when_it_is_posted(batch: list[Any], is_listed: bool) -> None:
    _never_falls_over(json.dumps(batch if is_listed else {"batch": batch}).encode())


@given(st.integers(0, 400), st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_a_damaged_batch_is_read_or_refused_when_one_byte_is_another(place: int, byte: int) -> None:
    body = bytearray(b'{"batch":[' + b",".join([GOOD, HOSTILE["NaN"], HOSTILE["NUL"], GOOD]) + b'],"sentAt":"x"}')
    body[place % len(body)] = byte
    _never_falls_over(bytes(body))


@given(call=calls)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_answer_is_never_a_fault_of_ours_when_any_call_is_posted(
    client: TestClient, secret_key: str, call: dict[str, Any]
) -> None:
    for path in ("/v1/identify", "/v1/track", "/v1/group", "/v1/alias", "/e/"):
        answer = client.post(path, content=json.dumps(call).encode(), headers={"x-write-key": secret_key})
        assert answer.status_code in (200, 400), answer.text


def test_nothing_changes_when_a_public_key_speaks_of_somebody_known_in_any_dialect(
    client: TestClient, secret_key: str, public_key: str, runtime: Runtime
) -> None:
    known = {"userId": "alice", "anonymousId": "v1", "traits": {"email": "alice@shop.example", "tier": "gold"}}
    assert client.post("/v1/identify", json=known, auth=(secret_key, "")).status_code == 200
    evil = {"email": "mallory@evil.example", "phone": "+442079460018"}
    attempts: list[tuple[str, Any]] = [
        ("/v1/identify", {"userId": "alice", "anonymousId": "v2", "traits": evil}),
        ("/v1/i", {"userId": "mallory", "anonymousId": "v1", "traits": {"email": "alice@shop.example"}}),
        ("/v1/alias", {"previousId": "alice", "userId": "mallory"}),
        ("/v1/alias", {"previousId": "v1", "userId": "mallory"}),
        ("/api/s/identify", {"userId": "alice", "context": {"traits": evil}}),
        (
            "/e/",
            {"event": "$identify", "distinct_id": "alice", "properties": {"$anon_distinct_id": "v2"}, "$set": evil},
        ),
        ("/e/", {"event": "$create_alias", "distinct_id": "alice", "properties": {"alias": "mallory"}}),
        ("/batch/", {"batch": [{"event": "x", "distinct_id": "alice", "properties": {"$set": evil}}]}),
    ]
    for number, (path, document) in enumerate(attempts):
        answer = client.post(path, json={**document, "messageId": f"e{number}"}, headers={"x-write-key": public_key})
        assert answer.status_code == 200, answer.text
    with runtime.database.read() as connection:
        alice = find_profile(connection, runtime.vault, IdentityKind.EXTERNAL_ID, "alice")
        assert alice is not None
        found = get_profile(connection, runtime.vault, alice)
        assert found.email is not None
        assert (found.email.value, found.phone) == ("alice@shop.example", None)
        owners = [
            find_profile(connection, runtime.vault, kind, value)
            for kind, value in (
                (IdentityKind.VISITOR, "v1"),
                (IdentityKind.VISITOR, "v2"),
                (IdentityKind.EMAIL, "alice@shop.example"),
                (IdentityKind.EMAIL, "mallory@evil.example"),
            )
        ]
    assert owners == [alice, None, alice, None]
