"""Events that could not be taken are kept sealed for two days, in bounded number, for whoever mends their sender."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from core.clock import ManualClock
from core.errors import NotFoundError
from core.key_store import day_key
from core.runtime import Runtime
from customers.workspace import Workspace, get_workspace
from tests.tracking.conftest import TestClient
from tracking.events import quarantine as subject
from tracking.events.event_spec import Left
from tracking.events.quarantine import (
    destroy_old_day_keys,
    drop_quarantined,
    keep_refused,
    list_quarantined,
    open_quarantined,
)
from tracking.events.retry import Retried, retry
from tracking.tables import quarantine

GOOD = {"type": "track", "event": "Product Viewed", "userId": "alice", "messageId": "good"}
UNREADABLE = {"type": "Dave Brown", "userId": "dave", "messageId": "bad", "traits": {"email": "dave@people.example"}}
SENSELESS = {"type": "alias", "userId": "dave", "messageId": "worse", "traits": {"email": "dave@people.example"}}
WIDE = {"type": "track", "event": "Tea Drunk", "userId": "dave", "messageId": "wide", "properties": {"note": "x" * 200}}


def count(runtime: Runtime) -> int:
    with runtime.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(quarantine)).scalar_one())


def test_a_refused_call_is_kept_sealed_when_the_others_are_taken(
    client: TestClient, secret_key: str, runtime: Runtime
) -> None:
    answer = client.post("/v1/batch", json={"batch": [GOOD, UNREADABLE, SENSELESS]}, auth=(secret_key, "")).json()
    assert (answer["accepted"], answer["left_out"]) == (1, 2)
    with runtime.database.read() as connection:
        newest, older = list_quarantined(connection, 10)
        assert older.reason.startswith("its type '…' is unknown")
        assert newest.reason == "an alias names a previousId and a userId."
        assert {newest.source, older.source} == {"backend"}
        for one in (newest, older):
            assert "dave@people.example" in open_quarantined(connection, runtime.vault, one.id)
        for sealed in connection.scalars(select(quarantine.c.sealed_document)):
            assert b"dave" not in sealed


def test_nothing_is_kept_when_the_write_key_is_unknown(client: TestClient, runtime: Runtime) -> None:
    assert client.post("/v1/batch", json={"batch": [UNREADABLE]}, auth=("secret_guess", "")).status_code == 401
    assert count(runtime) == 0


def test_few_and_short_ones_are_kept_when_a_request_is_all_wrong(runtime: Runtime, clock: ManualClock) -> None:
    refused = [Left(number, "wrong", "x" * 50_000) for number in range(500)]
    with runtime.database.transaction() as connection:
        assert keep_refused(connection, runtime.vault, "web", refused, clock.now()) == subject.MAX_KEPT_OF_REQUEST
        number = list_quarantined(connection, 1)[0].id
        assert len(open_quarantined(connection, runtime.vault, number)) == subject.MAX_LENGTH


def test_no_more_is_kept_when_the_day_is_full(
    runtime: Runtime, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "MAX_KEPT_OF_DAY", 3)
    with runtime.database.transaction() as connection:
        for expected in (2, 1, 0):
            refused = [Left(0, "wrong", "{}"), Left(1, "wrong", "{}")]
            assert keep_refused(connection, runtime.vault, "web", refused, clock.now()) == expected


def test_nobody_reads_it_any_more_when_its_day_has_been_over_for_a_day(runtime: Runtime, clock: ManualClock) -> None:
    with runtime.database.transaction() as connection:
        keep_refused(connection, runtime.vault, "web", [Left(0, "wrong", "{}")], clock.now())
        row = connection.execute(select(quarantine)).one()
    next_midnight = clock.now().replace(hour=0) + timedelta(days=1)
    almost = next_midnight + timedelta(hours=24) - timedelta(microseconds=1)
    assert destroy_old_day_keys(runtime, almost) == 0
    assert count(runtime) == 1
    assert destroy_old_day_keys(runtime, next_midnight + timedelta(hours=24)) == 1
    assert count(runtime) == 0
    with runtime.vault.store.read() as connection:
        assert connection.execute(select(func.count()).select_from(day_key)).scalar_one() == 0
    with runtime.database.transaction() as connection:
        connection.execute(insert(quarantine).values(**row._mapping))  # as in a restored backup
        with pytest.raises(NotFoundError, match="key of the day"):
            open_quarantined(connection, runtime.vault, row.id)
        with pytest.raises(NotFoundError, match="quarantine list"):
            open_quarantined(connection, runtime.vault, row.id + 1)


def _retry(runtime: Runtime, ids: list[int] | None = None, workspace: Workspace | None = None) -> list[Retried]:
    with runtime.database.transaction() as connection:
        return retry(connection, runtime.vault, workspace or get_workspace(connection), ids, runtime.clock.now())


def test_a_call_is_taken_when_the_rules_of_now_let_it_through(
    client: TestClient,
    secret_key: str,
    runtime: Runtime,
    logged: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = {"order_id": "1", "products": [{"sku": "TEA-1", "price": 4.5}]}
    refused = [
        {
            "type": "track",
            "event": "Order Completed",
            "userId": "dave",
            "messageId": "o",
            "properties": {**order, "currency": ""},
        },
        UNREADABLE,
        SENSELESS,
    ]
    monkeypatch.setattr("tracking.events.event_mapping._MAX_LINES", 0)  # as an older release that took no order
    monkeypatch.setattr("tracking.events.envelope.MAX_CALL", 150)
    assert client.post("/v1/batch", json={"batch": [*refused, WIDE]}, auth=(secret_key, "")).json()["left_out"] >= 2
    monkeypatch.undo()
    with runtime.database.read() as connection:
        reasons = {one.id: one.reason for one in list_quarantined(connection, 10)}
    assert len(reasons) == 4
    retried = _retry(runtime)
    assert sorted(one.was_taken for one in retried) == [False, False, True, True]
    assert {event.name for event in logged()} == {"order_placed", "tea_drunk"}
    with runtime.database.read() as connection:
        assert {one.id for one in list_quarantined(connection, 10)} == {one.id for one in retried if not one.was_taken}
    assert [one.was_taken for one in _retry(runtime)] == [False, False]


def test_nothing_is_doubled_when_a_call_was_sent_again_meanwhile(
    client: TestClient,
    secret_key: str,
    runtime: Runtime,
    logged: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tracking.events.envelope.MAX_CALL", 150)
    client.post("/v1/batch", json={"batch": [WIDE]}, auth=(secret_key, ""))
    monkeypatch.undo()
    client.post("/v1/batch", json={"batch": [WIDE]}, auth=(secret_key, ""))
    assert [one.was_taken for one in _retry(runtime)] == [True]
    assert [event.name for event in logged()] == ["tea_drunk"]
    assert count(runtime) == 0


def test_it_has_to_be_sent_again_when_only_its_beginning_was_kept(runtime: Runtime, clock: ManualClock) -> None:
    with runtime.database.transaction() as connection:
        keep_refused(connection, runtime.vault, "web", [Left(0, "wrong", '{"call": "' + "x" * 20_000)], clock.now())
    (one,) = _retry(runtime)
    assert one.reason == "only its beginning was kept: it has to be sent again."
    with pytest.raises(NotFoundError, match="quarantine list"):
        _retry(runtime, [one.id + 1])


def test_it_is_gone_when_it_is_thrown_away(runtime: Runtime, clock: ManualClock) -> None:
    with runtime.database.transaction() as connection:
        refused = [Left(number, "wrong", "{}") for number in range(3)]
        keep_refused(connection, runtime.vault, "web", refused, clock.now())
        first = list_quarantined(connection, 1)[0].id
        assert [drop_quarantined(connection, ids) for ids in ([first], [first], None)] == [1, 0, 2]
