"""Touches: in stretches, in the order of commits, kept until everybody has read them; and who touches whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, delete, insert, select

from core.cursors import Position, latest_position
from core.database import Database
from core.vault import Vault
from customers.accounts import NewAccount, NewMember, end_member, set_members, upsert_accounts
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of, resolve
from customers.lists import add_to_list, remove_from_list
from customers.merges import merge
from customers.profiles import set_attributes
from customers.replacing import replace_address
from customers.tables import IdentityKind, customer_event, identity, profile, profile_touch
from customers.touches import KEPT, TouchKind, prune_touches, touch, touch_everybody, touch_range
from customers.workspace import Workspace
from tests.customers.conftest import NOW
from tests.segments.people import event_row, profile_row

ALICE, BOB, CAROL = 1, 2, 3
Deed = Callable[[Connection, Vault, Workspace], object]


@pytest.fixture
def people(database: Database, vault: Vault) -> Database:
    """Alice and Bob share an address; Carol has none. Nobody is touched yet."""
    shared = lookup_of(vault, "email", "home@shop.example")
    rows = [{"profile_id": who, "kind": "email", "lookup": shared, "created_at": NOW} for who in (ALICE, BOB)]
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(who) for who in (ALICE, BOB, CAROL)])
        connection.execute(insert(identity), rows)
        event = event_row(1, BOB, "page_viewed", NOW)
        connection.execute(insert(customer_event).values(**event))
    return database


def touched(database: Database) -> list[tuple[int, int, str]]:
    row = profile_touch.c
    with database.read() as connection:
        query = select(row.first_id, row.last_id, row.kind).order_by(row.id)
        return [tuple(found) for found in connection.execute(query)]


def touched_people(database: Database) -> set[int]:
    return {number for first, last, _ in touched(database) for number in range(first, last + 1)}


def test_neighbours_share_a_row_when_many_are_touched_at_once(database: Database) -> None:
    with database.transaction() as connection:
        touch(connection, [3, 1, 2, 2, None, 7])
        touch(connection, [])
        touch_range(connection, 100, 900, TouchKind.REWRITTEN)
    assert touched(database) == [(1, 3, "changed"), (7, 7, "changed"), (100, 900, "rewritten")]


def test_everybody_is_one_row_and_nobody_is_none(database: Database) -> None:
    with database.transaction() as connection:
        touch_everybody(connection)
        connection.execute(insert(profile), [profile_row(5)])
        touch_everybody(connection)
    assert touched(database) == [(1, 5, "changed")]


def test_a_touch_stays_until_it_is_old_and_all_readers_are_past(database: Database) -> None:
    with database.transaction() as connection:
        touch(connection, [1])
    with database.transaction() as connection:
        at: datetime = connection.scalar(select(profile_touch.c.touched_at)) or datetime.now(UTC)
        behind, old = latest_position(connection, profile_touch), at + KEPT + timedelta(seconds=1)
        assert prune_touches(connection, at + timedelta(days=1), [behind]) == 0
        assert prune_touches(connection, old, [behind, Position()]) == 0
        assert prune_touches(connection, old, [behind]) == 1


def _new_person(connection: Connection, vault: Vault, _workspace: Workspace) -> object:
    return resolve(connection, vault, {IdentityKind.EXTERNAL_ID: "c9"}, NOW)


def _attribute(connection: Connection, vault: Vault, workspace: Workspace) -> object:
    return set_attributes(connection, vault, workspace, CAROL, {"tier": "gold"}, NOW)


def _on_list(connection: Connection, _vault: Vault, _workspace: Workspace) -> object:
    return add_to_list(connection, "vips", [CAROL], NOW)


def _off_list(connection: Connection, _vault: Vault, _workspace: Workspace) -> object:
    add_to_list(connection, "vips", [CAROL], NOW)
    connection.execute(profile_touch.delete())
    return remove_from_list(connection, "vips", [ALICE, CAROL])


def _address(connection: Connection, vault: Vault, _workspace: Workspace) -> object:
    return replace_address(connection, vault, CAROL, IdentityKind.EMAIL, "new@shop.example", NOW)


def _member(connection: Connection, _vault: Vault, _workspace: Workspace) -> object:
    [account_id] = upsert_accounts(connection, [NewAccount("acme", "Acme", None, {})], NOW).values()
    set_members(connection, [NewMember(account_id, CAROL, None, NOW)])
    return account_id


def _left_account(connection: Connection, vault: Vault, workspace: Workspace) -> object:
    _member(connection, vault, workspace)
    connection.execute(profile_touch.delete())
    [account_id] = upsert_accounts(connection, [NewAccount("acme", "Acme", None, {})], NOW).values()
    return end_member(connection, account_id, CAROL, NOW)


def _account(connection: Connection, vault: Vault, workspace: Workspace) -> object:
    _member(connection, vault, workspace)
    connection.execute(profile_touch.delete())
    return upsert_accounts(connection, [NewAccount("acme", "Acme Ltd", None, {})], NOW)


@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        (_new_person, {4}),
        (_attribute, {CAROL}),
        (_on_list, {CAROL}),
        (_off_list, {CAROL}),
        (_address, {CAROL}),
        (_member, {CAROL}),
        (_left_account, {CAROL}),
        (_account, {CAROL}),
    ],
)
def test_exactly_those_are_touched_whose_rows_changed(
    people: Database, vault: Vault, workspace: Workspace, deed: Deed, expected: set[int]
) -> None:
    if not people.is_sqlite:
        with people.transaction() as connection:
            connection.exec_driver_sql("SELECT setval(pg_get_serial_sequence('profile', 'id'), 3)")
    with people.transaction() as connection:
        deed(connection, vault, workspace)
    assert touched_people(people) == expected


def test_whoever_shares_an_address_is_touched_when_it_is_spoken_for(people: Database, vault: Vault) -> None:
    lookup = lookup_of(vault, "email", "home@shop.example")
    entry = NewConsent(
        lookup, "email", "marketing", ConsentStatus.GRANTED, Basis.OPT_IN, "test", NOW, ALICE, "consent:1"
    )
    with people.transaction() as connection:
        record_consents(connection, [entry], NOW)
    assert touched_people(people) == {ALICE, BOB}
    with people.transaction() as connection:
        connection.execute(profile_touch.delete())
        record_consents(connection, [entry], NOW)  # said again, it changes nothing
    assert touched(people) == []


def test_both_are_rewritten_when_two_are_merged(people: Database, vault: Vault, workspace: Workspace) -> None:
    with people.transaction() as connection:
        connection.execute(delete(identity))
    with people.transaction() as connection:
        merge(connection, vault, workspace, CAROL, BOB, cause="manual", source="test", now=NOW)
    rewritten = {number for first, last, kind in touched(people) if kind == "rewritten" for number in (first, last)}
    assert rewritten == {BOB, CAROL}
