"""Events that could not be taken are kept sealed for two days, in bounded number, for whoever mends their sender."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from core.clock import ManualClock
from core.errors import NotFoundError
from core.key_store import day_key
from core.runtime import Runtime
from tests.tracking.conftest import TestClient
from tracking import quarantine as subject
from tracking.event_spec import Left
from tracking.quarantine import destroy_old_day_keys, keep_refused, list_quarantined, open_quarantined
from tracking.tables import quarantine

GOOD = {"type": "track", "event": "Product Viewed", "userId": "alice", "messageId": "good"}
UNREADABLE = {"type": "Dave Brown", "userId": "dave", "messageId": "bad", "traits": {"email": "dave@people.example"}}
SENSELESS = {"type": "alias", "userId": "dave", "messageId": "worse", "traits": {"email": "dave@people.example"}}


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
