"""Losing the database and putting a backup back: all of it or nothing, and nothing goes out of it unasked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text, update

import migrations
from campaigns.due import find_due
from campaigns.tables import launch
from console.backups.review import Skipped, Waiting, skip_missed
from console.rights.erasure import erase_profile
from core.cursors import cursor_position, latest_position
from core.database import Database
from core.errors import ConflictError, NotFoundError
from core.key_store import data_key
from core.keys import load_key
from core.vault import Vault
from customers.key_rotation import rotate_keys
from customers.profiles import find_profile, get_profile
from customers.reindex import count_old
from customers.tables import ProfileStatus, customer_event, identity, profile
from delivery.outbox import NewMessage, enqueue
from delivery.pauses import EVERYTHING, find_pauses, resume
from delivery.tables import OriginKind, message
from journeys.tick import tick
from tests.console.backup_world import World, counted, make_world
from tests.journeys.town import at

WELCOME = """
journey: welcome
enter: {event: signed_up}
steps:
  - {id: hello, email: hello, topic: marketing}
  - wait: 1d
  - {id: tips, email: tips, topic: marketing}
  - wait: 30d
  - {id: later, email: later, topic: marketing}
"""
SEGMENT = "segment: everybody\nwho:\n  - {attribute: tier, is: exists}\n"
CAMPAIGN = """
campaign: daily
to: {segment: everybody}
send: {every: day, at: "09:00"}
email: letter
topic: marketing
status: live
"""


@pytest.fixture
def world(database: Database, database_url: str, tmp_path: Path) -> Iterator[World]:
    made = make_world(database, database_url, tmp_path)
    yield made
    made.close()


def lift(world: World) -> None:
    with world.runtime.database.transaction() as connection:
        assert resume(connection, EVERYTHING)


def queue(world: World, person: str, name: str, due: str) -> None:
    new = NewMessage(
        id=name,
        profile_id=world.town.people[person],
        channel="email",
        topic="marketing",
        template="letter",
        origin_kind=OriginKind.CAMPAIGN,
        origin="daily",
        origin_id="launch-1",
        due_at=at(due),
    )
    with world.runtime.database.transaction() as connection:
        enqueue(connection, world.runtime.vault, [new], world.clock.now())


def test_everything_is_as_it_was_when_a_backup_is_restored(world: World) -> None:
    world.town.person("alice", tier="gold")
    world.town.log("visited", "alice", page="/tea")
    before = counted(world)
    backup = world.backup()
    world.town.person("bob")
    world.town.log("visited", "alice", page="/kettles")
    restored = world.restore(backup)
    assert counted(world) == before
    assert restored.aside is not None
    assert restored.aside.is_file()
    assert restored.manifest == backup.manifest
    with world.runtime.database.read() as connection:
        sealed = connection.execute(select(identity.c.sealed).where(identity.c.kind == "email")).scalar_one()
    assert world.runtime.vault.open(world.town.people["alice"], "identity.email", sealed) == "alice@people.example"


def test_ids_of_lost_profiles_are_not_given_away_again_when_people_come_after_a_restore(world: World) -> None:
    world.town.person("alice")
    backup = world.backup()
    lost = world.town.person("bob")
    world.restore(backup)
    assert world.town.person("carol") > lost


def test_who_was_erased_stays_erased_when_an_older_backup_is_restored(world: World) -> None:
    alice = world.town.person("alice", first_name="Alice")
    world.town.person("bob")
    backup = world.backup()
    erase_profile(world.runtime, alice, requested_by="test", now=world.clock.now())
    restored = world.restore(backup)
    assert restored.erased_again == 1
    with world.runtime.database.read() as connection:
        row = connection.execute(select(profile).where(profile.c.id == alice)).one()
        kept = connection.execute(select(identity.c.profile_id).distinct()).scalars().all()
    assert row.status == ProfileStatus.ERASED
    assert row.sealed_attributes is None
    assert kept == [world.town.people["bob"]]
    with pytest.raises(NotFoundError):
        world.runtime.vault.open(alice, "identity.email", b"\x01" * 40)


def test_a_restore_leaves_the_keys_alone_when_they_lie_beside_the_tables(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite's key store is a file of its own")
    world = make_world(database, database_url, tmp_path, keys_beside=True)
    alice, bob = world.town.person("alice"), world.town.person("bob")
    backup = world.backup()
    erase_profile(world.runtime, alice, requested_by="test", now=world.clock.now())
    assert world.restore(backup).erased_again == 1
    with world.runtime.database.read() as connection:
        sealed = connection.execute(select(identity.c.sealed).where(identity.c.kind == "email")).scalar_one()
    assert world.runtime.vault.open(bob, "identity.email", sealed) == "bob@people.example"
    with world.runtime.vault.store.read() as connection:
        assert connection.execute(select(data_key.c.profile_id)).scalars().all() == [bob]
    world.close()


def test_nothing_moves_and_nothing_is_sent_when_nobody_has_decided_yet(world: World) -> None:
    world.town.journey(WELCOME)
    world.town.person("alice")
    world.town.log("signed_up", "alice")
    world.town.work()
    backup = world.backup()
    world.town.run_until("2026-06-04T08:00")
    assert len(world.town.sends()) == 2
    world.restore(backup)
    world.town.log("visited", "alice", page="/tea")
    assert tick(world.runtime, world.clock.now()).is_idle
    world.town.run_until("2026-06-05T08:00")
    assert len(world.town.sends()) == 2
    lift(world)
    world.town.work()
    assert world.town.sends()[2:] == [("2026-06-05T08:00", "tips")]


def test_the_review_counts_what_waits_when_campaigns_and_journeys_fell_into_the_gap(world: World) -> None:
    town = world.town
    town.publish("segment", SEGMENT)
    town.journey(WELCOME)
    for name in ("alice", "bob", "carol"):
        town.person(name, tier="plain")
    for name in ("alice", "bob"):
        town.log("signed_up", name)
    town.work()
    town.publish("campaign", CAMPAIGN)
    queue(world, "alice", "in-the-gap", "2026-06-01T09:00")
    queue(world, "carol", "after-it", "2026-06-20T09:00")
    backup = world.backup()
    world.clock.move_to(at("2026-06-04T10:00"))
    world.restore(backup)
    found = world.review()
    assert found is not None
    assert found.restoration.is_held
    assert (found.restoration.made_at, found.restoration.restored_at) == (at("2026-06-01T08:00"), world.clock.now())
    assert found.waiting == (
        Waiting("campaign", "daily", messages=1, occurrences=4),
        Waiting("journey", "welcome", timers=2),
    )
    with world.runtime.database.read() as connection:
        assert find_due(connection, "daily", world.clock.now()) == []


def test_what_was_missed_is_left_out_and_the_rest_goes_on_when_somebody_says_so(world: World) -> None:
    town = world.town
    town.publish("segment", SEGMENT)
    town.journey(WELCOME)
    town.person("alice", tier="plain")
    town.log("signed_up", "alice")
    town.work()
    town.publish("campaign", CAMPAIGN)
    queue(world, "alice", "in-the-gap", "2026-06-01T09:00")
    queue(world, "alice", "after-it", "2026-06-20T09:00")
    backup = world.backup()
    town.sent.clear()
    world.clock.move_to(at("2026-06-04T10:00"))
    world.restore(backup)
    world.clock.advance(timedelta(hours=1))  # somebody had to think
    assert skip_missed(world.runtime, world.clock.now(), lambda _done: None) == Skipped(2, 1, 4, 0)
    with world.runtime.database.read() as connection:
        assert find_pauses(connection, world.clock.now()) == {}
        assert find_due(connection, "daily", world.clock.now()) == []
        assert len(find_due(connection, "daily", at("2026-06-05T09:00"))) == 1
        statuses = connection.execute(select(launch.c.status, func.count()).group_by(launch.c.status)).all()
    assert [tuple(row) for row in statuses] == [("missed", 4)]
    town.run_until("2026-07-10T08:00")
    # `tips` would have been sent on 2 June, so what comes thirty days after it comes thirty days after that.
    assert town.sends() == [("2026-06-20T09:00", None), ("2026-07-02T08:00", "later")]
    found = world.review()
    assert found is not None
    assert not found.restoration.is_held
    with pytest.raises(ConflictError, match="holds anything back"):
        skip_missed(world.runtime, world.clock.now(), lambda _done: None)


def test_what_was_under_way_at_the_backup_is_not_sent_again_when_the_missed_is_left_out(world: World) -> None:
    town = world.town
    town.journey(WELCOME)
    for name in ("alice", "bob"):
        town.person(name)
    town.log("signed_up", "alice")
    tick(world.runtime, world.clock.now())  # her first letter is due, and not sent yet
    queue(world, "bob", "calling", "2026-06-01T08:00")
    queue(world, "bob", "claimed", "2026-06-01T08:00")
    now = world.clock.now()
    broken_off = {"id": "broken-off", "campaign": "daily", "version": 1, "occurrence": "x", "status": "freezing"}
    with world.runtime.database.transaction() as connection:
        calling = {"status": "sending", "sending_at": now, "attempt_count": 1}
        connection.execute(update(message).where(message.c.id == "calling").values(**calling))
        claimed = {"status": "claimed", "claimed_by": "somebody", "lease_until": now}
        connection.execute(update(message).where(message.c.id == "claimed").values(**claimed))
        connection.execute(insert(launch).values(**broken_off, counts={}, launched_at=now))
    backup = world.backup()
    world.clock.move_to(at("2026-06-03T10:00"))
    world.restore(backup)
    found = world.review()
    assert found is not None
    assert found.waiting == (
        Waiting("campaign", "daily", messages=2, broken_off=1),
        Waiting("journey", "welcome", messages=1),
    )
    skipped = skip_missed(world.runtime, world.clock.now(), lambda _done: None)
    # Both letters of the gap: the one that was due, and the one that the run came to a day later.
    assert skipped == Skipped(messages=4, timers=1, occurrences=0, broken_off=1)
    with world.runtime.database.read() as connection:
        rows = connection.execute(select(message.c.id, message.c.status, message.c.reason)).all()
        stopped = connection.execute(select(launch.c.status)).scalar_one()
    assert {(row.status, row.reason) for row in rows if row.id not in ("calling", "claimed")} == {
        ("skipped", "restored")
    }
    assert {(row.id, row.status, row.reason) for row in rows if row.id in ("calling", "claimed")} == {
        ("calling", "unknown", None),
        ("claimed", "skipped", "restored"),
    }
    assert stopped == "stopped"
    town.run_until("2026-07-05T08:00")
    assert [step for _, step in town.sends()] == ["later"]


def test_leaving_out_goes_on_when_it_was_broken_off(world: World) -> None:
    world.town.person("alice")
    for number in range(4):
        queue(world, "alice", f"m-{number}", "2026-06-01T09:00")
    backup = world.backup()
    world.clock.move_to(at("2026-06-02T09:00"))
    world.restore(backup)

    def die(_done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        skip_missed(world.runtime, world.clock.now(), die)
    found = world.review()
    assert found is not None
    assert found.restoration.is_held
    assert skip_missed(world.runtime, world.clock.now(), lambda _done: None).messages == 0
    world.town.work()
    assert world.town.sends() == []


def test_an_older_schema_comes_up_to_date_when_its_backup_is_restored(world: World) -> None:
    head = world.backup().manifest.revision
    world.runtime.database.close()
    migrations.downgrade(world.settings.database, "0001")
    world.clock.advance(timedelta(hours=1))
    backup = world.backup()
    assert backup.manifest.revision == "0001"
    migrations.upgrade(world.settings.database)
    world.restore(backup)
    with world.runtime.database.read() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == head
        assert EVERYTHING in find_pauses(connection, world.clock.now())


def test_everything_is_read_in_its_order_when_the_other_server_had_counted_further(world: World) -> None:
    if world.runtime.database.is_sqlite:
        pytest.skip("SQLite numbers no transactions")
    town, database = world.town, world.runtime.database
    town.journey(WELCOME)
    town.person("alice")
    town.log("signed_up", "alice")
    town.work()
    town.log("visited", "alice", page="/tea")  # not read yet
    far = 5_000_000_000
    with database.transaction() as connection:
        connection.execute(update(customer_event).values(transaction_no=customer_event.c.transaction_no + far))
        ours = cursor_position.c.name == "journeys"
        before = connection.execute(select(cursor_position.c.row_id).where(ours)).scalar_one()
        connection.execute(
            update(cursor_position).where(ours).values(transaction_no=cursor_position.c.transaction_no + far)
        )
        order = connection.execute(
            select(customer_event.c.id).order_by(customer_event.c.transaction_no, customer_event.c.id)
        )
        ids = order.scalars().all()
    world.restore(world.backup())
    with database.read() as connection:
        assert latest_position(connection, customer_event).row_id == ids[-1]
        rows = connection.execute(
            select(customer_event.c.id, customer_event.c.transaction_no).order_by(
                customer_event.c.transaction_no, customer_event.c.id
            )
        ).all()
        position = connection.execute(select(cursor_position).where(cursor_position.c.name == "journeys")).one()
        horizon = connection.execute(text("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")).scalar_one()
    assert [row.id for row in rows] == list(ids)
    assert position.row_id == before
    assert max(row.transaction_no for row in rows) < horizon
    lift(world)
    assert tick(world.runtime, world.clock.now()).events == 0  # nobody waits for the visit; what was read stays read
    with database.read() as connection:
        assert (
            latest_position(connection, customer_event).row_id
            == connection.execute(
                select(cursor_position.c.row_id).where(cursor_position.c.name == "journeys")
            ).scalar_one()
        )


def test_people_are_found_when_the_key_was_rotated_after_the_backup(world: World) -> None:
    world.town.person("alice")
    backup = world.backup()
    world.runtime.database.close()
    rotate_keys(world.settings, "shop", lambda _what, _done, _total: None)
    world.restore(backup)
    vault = Vault(load_key(world.settings.key_path("shop")), world.runtime.vault.store)
    with world.runtime.database.read() as connection:
        assert count_old(connection, vault) == 0
        email = get_profile(connection, vault, world.town.people["alice"]).email
        assert email is not None
        assert find_profile(connection, vault, "email", email.value) == world.town.people["alice"]
