"""Companies and their members: learnt from rows in any order, left and joined again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from core.database import Database
from core.errors import InputError, NotFoundError
from core.vault import Vault
from customers.accounts import (
    NewAccount,
    NewMember,
    Role,
    accounts_of,
    check_key,
    end_member,
    get_account,
    list_accounts,
    members_of,
    read_role,
    set_members,
    upsert_accounts,
)
from customers.identities import resolve
from customers.tables import IdentityKind
from tests.customers.conftest import NOW

DAY = timedelta(days=1)


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.transaction() as opened:
        yield opened


@pytest.fixture
def people(connection: Connection, vault: Vault) -> dict[str, int]:
    made = {name: resolve(connection, vault, {IdentityKind.EXTERNAL_ID: name}, NOW) for name in ("alice", "bob")}
    return {name: number for name, number in made.items() if number is not None}


def test_an_account_learns_when_it_is_named_again(connection: Connection) -> None:
    first = upsert_accounts(connection, [NewAccount("acme"), NewAccount("acme", "Acme", None, {"plan": "pro"})], NOW)
    again = upsert_accounts(connection, [NewAccount("acme", country="GB", attributes={"employees": 40})], NOW)
    assert first == again
    found = get_account(connection, "acme")
    assert (found.name, found.country, found.attributes) == ("Acme", "GB", {"plan": "pro", "employees": 40})
    upsert_accounts(connection, [NewAccount("beta")], NOW)
    assert [one.key for one in list_accounts(connection, after="acme")] == ["beta"]
    with pytest.raises(NotFoundError, match="postilion accounts list"):
        get_account(connection, "gamma")


def test_a_member_keeps_its_first_day_and_role_when_it_is_named_again(
    connection: Connection, people: dict[str, int]
) -> None:
    acme = upsert_accounts(connection, [NewAccount("acme")], NOW)["acme"]
    alice, bob = people["alice"], people["bob"]
    set_members(connection, [NewMember(acme, alice, Role.USER, NOW + DAY), NewMember(acme, alice, None, NOW)])
    set_members(connection, [NewMember(acme, alice, None, NOW + 2 * DAY), NewMember(acme, bob, None, NOW)])
    assert [(one.profile_id, one.role, one.since) for one in members_of(connection, acme)] == [
        (alice, Role.USER, NOW),
        (bob, None, NOW),
    ]
    set_members(connection, [NewMember(acme, alice, Role.DECIDER, NOW + 3 * DAY)])
    assert [one.role for one in accounts_of(connection, people.values())[alice]] == [Role.DECIDER]


def test_one_who_left_is_a_member_again_when_a_later_row_says_so(
    connection: Connection, people: dict[str, int]
) -> None:
    acme = upsert_accounts(connection, [NewAccount("acme")], NOW)["acme"]
    alice = people["alice"]
    set_members(connection, [NewMember(acme, alice, Role.BUYER, NOW)])
    assert end_member(connection, acme, alice, NOW + DAY)
    assert not end_member(connection, acme, alice, NOW + DAY)
    set_members(connection, [NewMember(acme, alice, Role.BUYER, NOW)])  # the same row once more
    assert members_of(connection, acme) == []
    assert [one.until for one in members_of(connection, acme, past=True)] == [NOW + DAY]
    set_members(connection, [NewMember(acme, alice, None, NOW + 2 * DAY)])
    assert [(one.role, one.since) for one in members_of(connection, acme)] == [(Role.BUYER, NOW + 2 * DAY)]


def test_many_members_are_set_at_once_when_a_file_brings_them(connection: Connection, vault: Vault) -> None:
    ids = upsert_accounts(connection, [NewAccount(f"a{number}") for number in range(3)], NOW)
    owner = resolve(connection, vault, {IdentityKind.EXTERNAL_ID: "alice"}, NOW)
    assert owner is not None
    rows = [NewMember(number, owner, Role.USER, NOW) for number in ids.values()] * 2
    set_members(connection, rows)
    assert len(accounts_of(connection, [owner])[owner]) == 3


def test_a_role_or_key_is_refused_when_it_is_none() -> None:
    assert read_role(" Decider ") is Role.DECIDER
    with pytest.raises(InputError, match="no role in a buying centre: write one of initiator, user"):
        read_role("king")
    assert check_key(" acme ") == "acme"
    with pytest.raises(InputError, match="key of an account"):
        check_key(" ")
