"""`GET /v1/events`: who follows gets every event once, whoever writes meanwhile, and nothing personal unasked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core.clock import ManualClock
from core.cursors import RESTORED, Position, save_position
from core.runtime import Runtime
from customers.identities import resolve
from customers.log import NewEvent, append_events
from customers.tables import IdentityKind, ProfileStatus, customer_event, profile
from customers.workspace import Workspace
from tests.tracking.conftest import TestClient
from tracking.events.write_keys import create_write_key

Follow = Callable[..., Any]


@pytest.fixture
def alice(runtime: Runtime) -> int:
    with runtime.database.transaction() as connection:
        email = {IdentityKind.EMAIL: "alice@shop.example"}
        found = resolve(connection, runtime.vault, email, runtime.clock.now())
    assert found is not None
    return found


@pytest.fixture
def write(runtime: Runtime, workspace: Workspace) -> Callable[..., None]:
    """Appends events called `page_viewed`, with one property declared and one personal."""

    def append(*keys: str, profile_id: int | None = None, name: str = "page_viewed") -> None:
        now = runtime.clock.now()
        events = [
            NewEvent(name, now, "backend", key, profile_id, {"path": f"/{key}", "search": "a gift for Bob"})
            for key in keys
        ]
        with runtime.database.transaction() as connection:
            append_events(connection, runtime.vault, workspace, events, now)

    return append


@pytest.fixture
def follow(runtime: Runtime, client: TestClient) -> Follow:
    """Asks for a page with a read key, a plain one where nothing else is said."""
    with runtime.database.transaction() as connection:
        keys = {
            kind: create_write_key(connection, runtime.vault, kind=kind, name=kind, now=runtime.clock.now())
            for kind in ("read", "personal", "secret")
        }

    def ask(after: str = "", *, kind: str = "read", status: int = 200, **query: str) -> Any:
        headers = {"Authorization": f"Bearer {keys[kind]}"}
        answer = client.get("/v1/events", params={"after": after, **query}, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    return ask


def paths(page: Any) -> list[str]:
    return [event["properties"]["path"] for event in page["events"]]


def test_pages_follow_each_other_when_there_is_more_than_the_limit(write: Any, follow: Follow, alice: int) -> None:
    write("a", "b", "c", profile_id=alice)
    first = follow(limit="2")
    assert (paths(first), first["has_more"], first["schema"]) == (["/a", "/b"], True, 1)
    second = follow(first["cursor"], limit="2")
    assert (paths(second), second["has_more"]) == (["/c"], False)
    assert follow(second["cursor"])["events"] == []
    assert {event["profile"] for event in first["events"]} == {alice}
    assert follow()["events"][:2] == first["events"]  # the same ids whenever they are asked for
    assert len({event["id"] for event in first["events"] + second["events"]}) == 3


def test_only_the_future_is_told_when_one_begins_at_the_end(write: Any, follow: Follow) -> None:
    write("past")
    cursor = follow("end")["cursor"]
    write("future")
    assert paths(follow(cursor)) == ["/future"]


def test_only_some_are_told_and_the_others_passed_over_when_names_are_given(write: Any, follow: Follow) -> None:
    write("a")
    write("b", name="product_viewed")
    write("c")
    page = follow(name="product_viewed,order_placed")
    assert [event["name"] for event in page["events"]] == ["product_viewed"]
    assert follow(page["cursor"])["events"] == []  # c was looked at, and is not what was asked for


def test_personal_properties_are_told_when_the_key_was_made_with_that_right(
    write: Any, follow: Follow, alice: int
) -> None:
    write("a", profile_id=alice)
    (plain,), (personal,) = follow()["events"], follow(kind="personal")["events"]
    assert plain["properties"] == personal["properties"] == {"path": "/a"}
    assert "personal" not in plain
    assert personal["personal"] == {"search": "a gift for Bob"}


@pytest.mark.parametrize("status", [ProfileStatus.ERASED, ProfileStatus.RESTRICTED])
def test_the_event_comes_without_person_when_somebody_was_erased_or_is_restricted(
    runtime: Runtime, write: Any, follow: Follow, alice: int, status: ProfileStatus
) -> None:
    write("a", profile_id=alice)
    with runtime.database.transaction() as connection:
        connection.execute(update(profile).where(profile.c.id == alice).values(status=status.value))
    (event,) = follow(kind="personal")["events"]
    assert (event["name"], event["profile"], event["personal"]) == ("page_viewed", None, {})


def test_nothing_is_told_when_the_key_is_not_for_reading(follow: Follow, client: TestClient) -> None:
    follow(kind="secret", status=401)
    assert client.get("/v1/events").status_code == 401


@pytest.mark.parametrize("wrong", [{"limit": "0"}, {"limit": "1001"}, {"limit": "²"}, {"wait": "21"}, {"wait": "-1"}])
def test_it_is_refused_when_a_number_is_out_of_bounds(follow: Follow, wrong: dict[str, str]) -> None:
    assert "is a number from" in follow(status=400, **wrong)["error"]


@pytest.mark.parametrize("cursor", ["x", "ä", "MTox", "MTowOjA6MTo", "MTowOjA6OTk5OTk5OTk5OTk5OTk5OTk5OQ", "=" * 9])
def test_it_is_refused_when_the_cursor_is_made_up(follow: Follow, cursor: str) -> None:
    assert "is no cursor" in follow(cursor, status=400)["error"]


def test_the_cursor_has_ended_when_the_database_was_put_back_from_a_backup(
    runtime: Runtime, write: Any, follow: Follow, clock: ManualClock
) -> None:
    write("a")
    cursor = follow()["cursor"]
    with runtime.database.transaction() as connection:
        save_position(connection, RESTORED, Position(1, 2))
    assert "backup" in follow(cursor, status=410)["error"]
    assert paths(follow(follow()["cursor"])) == []


def test_the_answer_comes_with_the_event_when_one_waits_for_it(write: Any, follow: Follow) -> None:
    cursor = follow("end")["cursor"]
    later = threading.Timer(0.7, write, ("a",))
    later.start()
    begun = time.monotonic()
    assert paths(follow(cursor, wait="20")) == ["/a"]
    assert time.monotonic() - begun < 15
    later.join()
    begun = time.monotonic()
    assert follow(cursor, wait="1", name="order_placed")["events"] == []
    assert 0.9 <= time.monotonic() - begun < 10


def test_each_event_is_told_once_when_writers_write_while_one_follows(
    runtime: Runtime, write: Any, follow: Follow, alice: int, clock: ManualClock
) -> None:
    """Transactions that overtake each other: each writer waits a moment between its inserts and its commit."""

    def work(writer: int) -> None:
        for turn in range(25):
            write(*(f"{writer}-{turn}-{number}" for number in range(4)), profile_id=alice if turn % 2 else None)
            time.sleep(0.001 * writer)

    writers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    seen: list[str] = []
    ids: list[str] = []
    cursor, end = "", time.monotonic() + 60
    while time.monotonic() < end:
        over = not any(writer.is_alive() for writer in writers)
        page = follow(cursor, limit="7")
        seen += paths(page)
        ids += [event["id"] for event in page["events"]]
        cursor = page["cursor"]
        if over and not page["has_more"]:
            break
        clock.advance(timedelta(milliseconds=1))
    with runtime.database.read() as connection:
        written = [row["path"] for row in connection.scalars(select(customer_event.c.properties))]
    assert len(written) == 400
    assert sorted(seen) == sorted(written)
    assert len(set(ids)) == 400
