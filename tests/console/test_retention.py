"""Letting go of what is old: what leads to a person goes, what counts and proves stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from console.check import check_project
from console.project import load_project
from console.retention import LEAST, SWEEPS, Kept, find_old, is_old, keep_retention, last_run
from console.retention_report import as_markdown
from core.database import Database
from core.durations import Duration
from core.runtime import Runtime
from customers.log import NewEvent, append_events
from customers.tables import consent_entry, customer_event, customer_order, event_key
from customers.task_tables import task
from customers.workspace import get_workspace
from delivery.outbox import NewMessage, enqueue
from delivery.tables import OriginKind, delivery_event, message
from journeys.tables import enrolment, entry_refusal
from journeys.tick import tick
from recommender.tables import offer_code, offer_decision, offer_impression
from tests.console.backup_world import World, make_world
from tests.journeys.town import WORKSPACE, at
from tracking.tables import engagement_event

YEAR = timedelta(days=365)
RETENTION = "retention: {events: 2y, messages: 13mo, engagement: 13mo, offers: 13mo, journeys: 13mo, tasks: 3y}\n"


@pytest.fixture
def world(database: Database, database_url: str, tmp_path: Path) -> Iterator[World]:
    made = make_world(database, database_url, tmp_path, "2026-06-01T08:00")
    made.town.publish("workspace", WORKSPACE + RETENTION)
    made.town.person("alice")
    yield made
    made.close()


def rows(world: World, table: Table) -> list[Any]:
    with world.runtime.database.read() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key)))


def fill(world: World) -> None:
    """One of everything, as of now, for Alice."""
    now, alice = world.clock.now(), world.town.people["alice"]
    number = now.year
    world.town.log("visited", "alice", key=f"visit-{number}", page="/tea")
    vault = world.runtime.vault
    new = NewMessage(
        id=f"m-{number}",
        profile_id=alice,
        channel="email",
        topic="marketing",
        template="letter",
        origin_kind=OriginKind.CAMPAIGN,
        origin="summer",
        origin_id="launch-1",
        due_at=now,
        context={"note": "x"},
    )
    with world.runtime.database.transaction() as connection:
        enqueue(connection, vault, [new], now)
        connection.execute(
            message.update()
            .where(message.c.id == new.id)
            .values(status="sent", sent_at=now, ended_at=now, lookup="1.abc", recipient_domain="people.example")
        )
        connection.execute(
            insert(delivery_event).values(
                key=f"d-{number}",
                message_id=new.id,
                kind="delivered",
                occurred_at=now,
                received_at=now,
                sealed_document=b"raw",
            )
        )
        connection.execute(
            insert(engagement_event).values(
                message_id=new.id,
                profile_id=alice,
                kind="opened",
                occurred_at=now,
                human_probability=1.0,
                agent="Mail on a phone",
                reasons=["early"],
            )
        )
        connection.execute(
            insert(offer_decision).values(
                id=f"o-{number}",
                offer="cross",
                surface="email",
                profile_id=alice,
                is_holdout=False,
                fallback_level="rules",
                items=[{"sku": "tea"}],
                decided_at=now,
            )
        )
        connection.execute(
            insert(offer_impression).values(decision_id=f"o-{number}", kind="shown", sku="tea", occurred_at=now)
        )
        drawn = {"draw_id": f"c-{number}", "owner": f"e-{number}", "profile_id": alice, "drawn_at": now}
        pooled = {"pool": "ten", "lookup": f"v-{number}", "code": b"sealed", "added_at": now}
        connection.execute(insert(offer_code).values(offer="cross", **drawn, **pooled))
        connection.execute(
            insert(enrolment).values(
                uid=f"e-{number}",
                journey="welcome",
                version=1,
                profile_id=alice,
                key=str(number),
                status="ended",
                state={},
                sealed_state=b"sealed",
                entered_at=now,
                ended_at=now,
            )
        )
        connection.execute(
            insert(entry_refusal).values(key=f"r-{number}", journey="w", profile_id=alice, reason="x", at=now)
        )
        for status, closed in (("done", now), ("open", None)):
            connection.execute(
                insert(task).values(
                    id=f"{status}-{number}",
                    kind="complaint",
                    status=status,
                    profile_id=alice,
                    sealed_title=b"t",
                    priority="high",
                    created_at=now,
                    updated_at=now,
                    closed_at=closed,
                )
            )
        connection.execute(
            insert(customer_order).values(key=f"order-{number}", profile_id=alice, placed_at=now, currency="GBP")
        )


def test_what_leads_to_a_person_goes_and_counts_stay_when_it_is_old(world: World) -> None:
    fill(world)
    consents = rows(world, consent_entry)
    world.clock.advance(4 * YEAR)
    fill(world)
    kept = keep_retention(world.runtime, world.clock.now())
    assert kept.is_all
    assert {one.words: one.count for one in kept.gone if one.before} == {
        "customer events deleted": 1,
        "messages emptied of content and address": 1,
        "reports emptied of the provider's words": 1,
        "opens and clicks emptied of the device": 1,
        "offers parted from their person": 1,
        "voucher codes parted from their person": 1,
        "journey runs emptied of what they carried": 1,
        "refused entries deleted": 1,
        "tasks deleted": 1,
    }
    assert [row.received_at.year for row in rows(world, customer_event)] == [2030]
    old, new = sorted(rows(world, message), key=lambda row: str(row.id))
    assert (old.context, old.links, old.lookup, old.recipient_domain) == (None, None, None, None)
    assert (old.status, old.profile_id, old.sent_at.year) == ("sent", world.town.people["alice"], 2026)
    assert new.context is not None
    assert new.lookup == "1.abc"
    assert [row.sealed_document for row in rows(world, delivery_event)] == [None, b"raw"]
    assert [(row.agent, row.reasons) for row in rows(world, engagement_event)] == [
        (None, []), ("Mail on a phone", ["early"]),
    ]  # fmt: skip
    assert sorted((row.id, row.profile_id is None) for row in rows(world, offer_decision)) == [
        ("o-2026", True), ("o-2030", False),
    ]  # fmt: skip
    assert len(rows(world, offer_impression)) == 2
    assert sorted((row.draw_id, row.profile_id is None, row.code) for row in rows(world, offer_code)) == [
        ("c-2026", True, None), ("c-2030", False, b"sealed"),
    ]  # fmt: skip
    assert sorted((row.uid, row.sealed_state) for row in rows(world, enrolment)) == [
        ("e-2026", None), ("e-2030", b"sealed"),
    ]  # fmt: skip
    assert sorted(row.id for row in rows(world, task)) == ["done-2030", "open-2026", "open-2030"]
    assert len(rows(world, customer_order)) == 2
    assert rows(world, consent_entry) == consents
    again = keep_retention(world.runtime, world.clock.now())
    assert sum(one.count for one in again.gone) == 0


def test_an_old_event_is_not_taken_twice_when_its_row_has_gone(world: World) -> None:
    fill(world)
    world.clock.advance(4 * YEAR)
    world.town.log("visited", "alice", key="newest")
    keep_retention(world.runtime, world.clock.now())
    assert [row.received_at for row in rows(world, customer_event)] == [world.clock.now()]
    assert [row.key for row in rows(world, event_key)] == ["newest", "visit-2026"]
    again = NewEvent("visited", at("2026-06-01T08:00"), "test", "visit-2026", world.town.people["alice"], {})
    with world.runtime.database.transaction() as connection:
        workspace = get_workspace(connection)
        assert append_events(connection, world.runtime.vault, workspace, [again], world.clock.now()) == 0


def test_journeys_read_on_when_all_that_they_read_was_let_go_of(world: World) -> None:
    world.town.journey("journey: hi\nenter: {event: visited}\nsteps:\n  - wait: 1d\n")
    fill(world)
    world.town.work()
    world.clock.advance(4 * YEAR)
    keep_retention(world.runtime, world.clock.now())
    world.town.work()
    assert tick(world.runtime, world.clock.now()).is_idle
    world.town.person("bob")
    world.town.log("visited", "bob")
    assert tick(world.runtime, world.clock.now()).entered == 1


def test_nothing_goes_when_it_is_only_shown(world: World) -> None:
    fill(world)
    world.clock.advance(4 * YEAR)
    fill(world)
    with world.runtime.database.read() as connection:
        found = find_old(connection, get_workspace(connection), world.clock.now())
    assert [one.count for one in found] == [1] * len(SWEEPS)
    assert len(rows(world, customer_event)) == 2


def test_the_next_run_goes_on_when_one_run_may_not_take_all(world: World) -> None:
    world.town.log_many([("visited", "alice", {"page": str(number)}) for number in range(26)])
    world.clock.advance(4 * YEAR)
    runs: list[Kept] = [keep_retention(world.runtime, world.clock.now(), batch=5, batches=2) for _ in range(3)]
    assert [run.gone[0].count for run in runs] == [10, 10, 5]
    assert [run.is_all for run in runs] == [False, False, True]
    assert "next run goes on" in as_markdown(runs[0])


def test_only_what_has_a_word_goes_when_few_words_are_written(world: World) -> None:
    world.town.publish("workspace", WORKSPACE + "retention: {tasks: 3y}\n")
    fill(world)
    world.clock.advance(4 * YEAR)
    kept = keep_retention(world.runtime, world.clock.now())
    assert [one.word for one in kept.gone if one.before] == ["tasks"]
    assert len(rows(world, customer_event)) == 1


def test_a_run_is_remembered_when_it_has_ended(world: World) -> None:
    with world.runtime.database.read() as connection:
        assert last_run(connection) is None
    keep_retention(world.runtime, world.clock.now())
    with world.runtime.database.read() as connection:
        assert last_run(connection) == world.clock.now()


def test_every_old_row_is_found_by_an_index_when_a_table_is_large(world: World) -> None:
    """On SQLite, whose plans do not depend on how many rows there are."""
    runtime: Runtime = world.runtime
    if not runtime.database.is_sqlite:
        pytest.skip("plans of SQLite")
    for sweep in SWEEPS:
        if sweep.by_arrival or sweep.table is task:
            continue
        query = select(sweep.table.c.id).where(is_old(sweep, world.clock.now())).order_by(sweep.when).limit(9)
        compiled = query.compile(runtime.database.engine, compile_kwargs={"render_postcompile": True})
        with runtime.database.read() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", (0, 9, 0)[: len(compiled.params)])
            assert "_kept" in str(plan.all()), sweep.words


PROJECT = "workspace: shop\ntimezone: UTC\ncurrency: GBP\nevents: {visited: {}}\n"
SEGMENT = "segment: loyal\nwho:\n  - {event: visited, within: 900d}\n"


def faults(folder: Path, retention: str) -> list[tuple[str, str, str]]:
    (folder / "workspace.yaml").write_text(f"{PROJECT}retention: {retention}\n")
    (folder / "segments").mkdir(exist_ok=True)
    (folder / "segments" / "loyal.yaml").write_text(SEGMENT)
    return [(one.code, one.message, one.hint) for one in check_project(load_project(folder)).faults]


def test_a_word_is_suggested_when_retention_names_no_table(tmp_path: Path) -> None:
    found = faults(tmp_path, "{event: 3y}")
    assert found[0][0] == "E102"
    assert "events" in found[0][2]


def test_it_is_said_when_something_is_kept_too_short(tmp_path: Path) -> None:
    assert faults(tmp_path, "{messages: 2w}") == [
        ("E138", "messages cannot be kept for 2w only", "write 3mo or more")
    ]  # fmt: skip
    for word, least in LEAST.items():
        assert [code for code, _, _ in faults(tmp_path, f"{{{word}: {least}}}") if code == "E138"] == []
        shorter = replace(Duration(), days=int(least.as_elapsed().days) - 1)
        assert [code for code, _, _ in faults(tmp_path, f"{{{word}: {shorter}}}") if code == "E138"] == ["E138"]


def test_it_is_said_when_a_segment_looks_back_further_than_events_are_kept(tmp_path: Path) -> None:
    assert faults(tmp_path, "{events: 2y}") == [
        ("W206", "this looks back 900d, and events are kept for 2y", "make the one shorter or the other longer")
    ]
    assert faults(tmp_path, "{events: 3y}") == []
