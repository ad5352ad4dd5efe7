"""Merging and splitting people: to whom rows belong afterwards, and what comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, insert, select, update

from core.database import Database
from core.errors import ConflictError, InputError, NotFoundError
from core.vault import Vault
from customers.accounts import NewAccount, NewMember, Role, members_of, set_members, upsert_accounts
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of, resolve
from customers.log import NewEvent, append_events, logged_event, open_properties
from customers.merge_rows import MergeCause
from customers.merges import list_merges, merge, split
from customers.ownership import families_of, family_of, survivor_of, survivors_of
from customers.profiles import find_profile, get_profile, set_attributes
from customers.tables import (
    IdentityKind,
    ProfileStatus,
    consent_entry,
    customer_event,
    identity,
    profile,
    profile_merge,
    sealed_attribute,
    static_list_member,
)
from customers.workspace import Workspace
from tests.customers.conftest import NOW

EMAIL, PHONE, NAME, VISITOR = (
    IdentityKind.EMAIL,
    IdentityKind.PHONE,
    IdentityKind.EXTERNAL_ID,
    IdentityKind.VISITOR,
)

Merging = Callable[[int, int], int]
Splitting = Callable[[int], int]


class People:
    """A few people in one transaction, and short words for what happens to them."""

    def __init__(self, connection: Connection, vault: Vault, workspace: Workspace) -> None:
        self.connection, self.vault, self.workspace = connection, vault, workspace

    def make(self, **identifiers: str) -> int:
        kinds = {IdentityKind(kind): value for kind, value in identifiers.items()}
        made = resolve(self.connection, self.vault, kinds, NOW)
        assert made is not None
        return made

    def merge(self, survivor: int, merged: int) -> int:
        return merge(
            self.connection, self.vault, self.workspace, survivor, merged, cause=MergeCause.MANUAL, source="t", now=NOW
        )

    def split(self, merge_id: int) -> int:
        return split(self.connection, self.vault, self.workspace, merge_id, source="t", now=NOW)

    def set(self, profile_id: int, **values: object) -> None:
        set_attributes(self.connection, self.vault, self.workspace, profile_id, values, NOW)

    def log(self, profile_id: int, *keys: str) -> None:
        events = [
            NewEvent("product_viewed", NOW, "t", key, profile_id, {"product_id": key, "note": key}) for key in keys
        ]
        append_events(self.connection, self.vault, self.workspace, events, NOW)

    def events(self, profile_id: int) -> list[str]:
        """The notes, opened, of everything that the profile did."""
        query = select(customer_event).where(
            customer_event.c.profile_id == profile_id, customer_event.c.name == "product_viewed"
        )
        rows = self.connection.execute(query.order_by(customer_event.c.id))
        return [open_properties(self.vault, logged_event(row))["note"] for row in rows]


@pytest.fixture
def people(database: Database, vault: Vault, workspace: Workspace):  # type: ignore[no-untyped-def] # a generator
    with database.transaction() as connection:
        yield People(connection, vault, workspace)


def test_everything_belongs_to_alice_when_her_second_profile_is_merged(people: People) -> None:
    alice, second = people.make(external_id="alice", email="alice@shop.example"), people.make(phone="+442079460018")
    people.log(alice, "tea")
    people.log(second, "pot", "cup")
    number = people.merge(alice, second)
    assert people.events(alice) == ["tea", "pot", "cup"]
    loaded = get_profile(people.connection, people.vault, alice)
    assert loaded.email is not None
    assert loaded.phone is not None
    assert (loaded.email.value, loaded.phone.value) == ("alice@shop.example", "+442079460018")
    row = people.connection.execute(select(profile).where(profile.c.id == alice)).one()
    assert (row.has_email, row.has_phone, row.phone_country) == (True, True, "GB")
    assert find_profile(people.connection, people.vault, PHONE, "+442079460018") == alice
    gone = people.connection.execute(select(profile).where(profile.c.id == second)).one()
    assert (gone.status, gone.merged_into) == (ProfileStatus.MERGED, alice)
    event = people.connection.execute(select(customer_event).where(customer_event.c.name == "profile_merged")).one()
    assert (event.profile_id, event.properties) == (
        alice,
        {"merge_id": number, "other_profile_id": second, "cause": "manual"},
    )
    assert [one.id for one in list_merges(people.connection)] == [number]


def test_each_has_its_own_again_when_a_merge_is_undone(people: People) -> None:
    alice, second = people.make(external_id="alice", email="alice@shop.example"), people.make(phone="+442079460018")
    people.log(alice, "tea")
    people.log(second, "pot")
    number = people.merge(alice, second)
    people.log(alice, "since")
    people.split(number)
    assert people.events(alice) == ["tea", "since"]
    assert people.events(second) == ["pot"]
    assert find_profile(people.connection, people.vault, PHONE, "+442079460018") == second
    rows = {row.id: row for row in people.connection.execute(select(profile))}
    assert (rows[alice].has_email, rows[alice].has_phone, rows[alice].phone_country) == (True, False, None)
    assert (rows[second].has_email, rows[second].has_phone, rows[second].status) == (False, True, "active")
    assert people.connection.execute(select(identity.c.id).where(identity.c.origin_profile_id.is_not(None))).all() == []
    assert list_merges(people.connection) == []


def test_the_survivor_keeps_its_own_address_when_the_other_has_a_newer_one(people: People) -> None:
    alice = people.make(external_id="alice", email="alice@shop.example")
    second = people.make(external_id="alice-2", email="alice@work.example")
    people.merge(alice, second)
    loaded = get_profile(people.connection, people.vault, alice)
    assert loaded.email is not None
    assert (loaded.email.value, loaded.external_id) == ("alice@shop.example", "alice")
    people.make(external_id="alice", email="alice@home.example")
    assert get_profile(people.connection, people.vault, alice).email.value == "alice@home.example"  # type: ignore[union-attr] # it has one


def test_gaps_are_filled_and_taken_back_when_people_are_merged_and_split(people: People) -> None:
    alice, second = people.make(external_id="alice"), people.make(external_id="alice-2")
    people.set(alice, first_name="Alice", tier="gold")
    people.set(second, first_name="Ally", birthday="1990-02-28", visits=3, timezone="Europe/London")
    number = people.merge(alice, second)
    loaded = get_profile(people.connection, people.vault, alice)
    assert loaded.attributes == {"first_name": "Alice", "tier": "gold", "birthday": "1990-02-28", "visits": 3}
    assert loaded.timezone == "Europe/London"
    found = people.connection.execute(select(profile_merge.c.sealed_document)).scalar_one()
    assert b"1990" not in found
    people.set(alice, visits=4)  # said by Alice since: hers
    people.split(number)
    loaded = get_profile(people.connection, people.vault, alice)
    assert (loaded.attributes, loaded.timezone) == ({"first_name": "Alice", "tier": "gold", "visits": 4}, None)
    names = select(sealed_attribute.c.name).where(sealed_attribute.c.profile_id == alice)
    assert people.connection.execute(names).scalars().all() == ["first_name"]
    other = get_profile(people.connection, people.vault, second)
    assert other.attributes == {"first_name": "Ally", "birthday": "1990-02-28", "visits": 3}


def test_an_objection_holds_for_both_and_goes_back_when_people_are_merged_and_split(people: People) -> None:
    alice, second = people.make(external_id="alice"), people.make(external_id="alice-2")
    people.connection.execute(update(profile).where(profile.c.id == second).values(objected_at=NOW))
    number = people.merge(alice, second)
    objected = select(profile.c.objected_at).where(profile.c.id == alice)
    assert people.connection.execute(objected).scalar() == NOW
    people.split(number)
    assert people.connection.execute(objected).scalar() is None


def test_lists_and_companies_are_shared_and_taken_back_when_people_are_merged_and_split(people: People) -> None:
    alice, second = people.make(external_id="alice"), people.make(external_id="alice-2")
    rows = [("both", alice), ("both", second), ("hers", alice), ("other", second)]
    people.connection.execute(
        insert(static_list_member), [{"list": name, "profile_id": who, "added_at": NOW} for name, who in rows]
    )
    accounts = upsert_accounts(people.connection, [NewAccount("acme", "Acme")], NOW)
    set_members(people.connection, [NewMember(accounts["acme"], second, Role.BUYER, NOW)])
    number = people.merge(alice, second)
    mine = select(static_list_member.c.list).where(static_list_member.c.profile_id == alice)
    assert set(people.connection.scalars(mine)) == {"both", "hers", "other"}
    assert {one.profile_id for one in members_of(people.connection, accounts["acme"])} == {alice}
    people.split(number)
    assert set(people.connection.scalars(mine)) == {"both", "hers"}
    assert {one.profile_id for one in members_of(people.connection, accounts["acme"])} == {second}


def test_an_address_stays_with_each_when_both_had_it(people: People) -> None:
    alice = people.make(external_id="alice", email="home@shop.example")
    bob = people.make(external_id="bob", email="home@shop.example")
    number = people.merge(alice, bob)
    assert people.make(email="home@shop.example") == alice
    assert people.make(external_id="bob") == alice
    people.split(number)
    assert people.make(external_id="bob", email="home@shop.example") == bob
    loaded = get_profile(people.connection, people.vault, bob)
    assert loaded.email is not None
    assert loaded.email.value == "home@shop.example"


def test_an_address_comes_in_when_the_one_who_had_it_as_well_leaves(people: People) -> None:
    alice = people.make(external_id="alice")
    bob, carol = (people.make(external_id=name, email="home@shop.example") for name in ("bob", "carol"))
    of_bob, _of_carol = people.merge(alice, bob), people.merge(alice, carol)
    people.split(of_bob)
    for who in (alice, bob):
        loaded = get_profile(people.connection, people.vault, who)
        assert loaded.email is not None
        assert loaded.email.value == "home@shop.example"


def test_a_merge_is_refused_when_it_makes_no_sense(people: People) -> None:
    alice, bob, carol = (people.make(external_id=name) for name in ("alice", "bob", "carol"))
    with pytest.raises(InputError, match="cannot be merged with itself"):
        people.merge(alice, alice)
    with pytest.raises(NotFoundError, match="no profile 999"):
        people.merge(alice, 999)
    people.merge(alice, bob)
    with pytest.raises(ConflictError, match=f"profile {bob} is part of profile {alice} already"):
        people.merge(carol, bob)
    for status, words in ((ProfileStatus.ERASED, "was erased"), (ProfileStatus.RESTRICTED, "lift the restriction")):
        people.connection.execute(update(profile).where(profile.c.id == carol).values(status=status))
        with pytest.raises(ConflictError, match=words):
            people.merge(alice, carol)


def test_a_split_is_refused_when_it_makes_no_sense(people: People) -> None:
    alice, bob, carol = (people.make(external_id=name) for name in ("alice", "bob", "carol"))
    first = people.merge(bob, carol)
    later = people.merge(alice, bob)
    with pytest.raises(NotFoundError, match="no merge 999"):
        people.split(999)
    with pytest.raises(ConflictError, match=f"undo merge {later} first"):
        people.split(first)
    done = people.split(later)
    with pytest.raises(ConflictError, match="is undone already"):
        people.split(later)
    with pytest.raises(NotFoundError, match=f"no merge {done}"):
        people.split(done)
    assert people.split(first) > done
    assert people.merge(alice, bob) > done  # and they may be merged again


def test_the_family_is_told_when_merges_follow_each_other(people: People) -> None:
    alice, bob, carol, dave = (people.make(external_id=name) for name in ("alice", "bob", "carol", "dave"))
    people.merge(bob, carol)
    people.merge(alice, bob)
    assert family_of(people.connection, alice) == [alice, bob, carol]
    assert family_of(people.connection, bob) == [bob, carol]
    assert family_of(people.connection, dave) == [dave]
    assert survivors_of(people.connection, [alice, carol, dave, 999]) == {alice: alice, carol: alice, dave: dave}
    assert survivor_of(people.connection, carol) == alice


def test_a_visitor_goes_back_when_it_was_somebody_else_after_all(people: People) -> None:
    alice, dave = people.make(external_id="alice"), people.make(visitor="cookie-1")
    people.log(dave, "tea")
    assert people.make(external_id="alice", visitor="cookie-1") == alice
    assert people.events(alice) == ["tea"]
    row = people.connection.execute(select(profile_merge)).one()
    assert (row.cause, row.profile_id, row.merged_profile_id) == ("visitor", alice, dave)
    people.split(row.id)
    assert (people.events(alice), people.events(dave)) == ([], ["tea"])
    assert people.make(visitor="cookie-1") == dave


def test_a_withdrawal_stays_in_force_when_people_are_merged_and_split(people: People) -> None:
    alice, bob = people.make(external_id="alice"), people.make(external_id="bob", email="bob@shop.example")
    lookup = lookup_of(people.vault, EMAIL, "bob@shop.example")
    withdrawn = NewConsent(
        lookup, "email", "*", ConsentStatus.WITHDRAWN, Basis.OPT_IN, "t", NOW, bob, "w", text_version=None
    )
    record_consents(people.connection, [withdrawn], NOW)
    number = people.merge(alice, bob)
    owner = select(consent_entry.c.profile_id, consent_entry.c.lookup)
    assert people.connection.execute(owner).tuples().all() == [(alice, lookup)]
    people.split(number)
    assert people.connection.execute(owner).tuples().all() == [(bob, lookup)]


def test_a_merge_is_quick_when_both_have_ten_thousand_events(people: People) -> None:
    alice, bob = people.make(external_id="alice"), people.make(external_id="bob")
    for who in (alice, bob):
        people.log(who, *(f"{who}-{number}" for number in range(10_000)))
    started = time.perf_counter()
    number = people.merge(alice, bob)
    people.split(number)
    assert time.perf_counter() - started < 10
    counts = select(customer_event.c.profile_id, func.count()).where(customer_event.c.name == "product_viewed")
    assert dict(people.connection.execute(counts.group_by(customer_event.c.profile_id)).tuples().all()) == {
        alice: 10_000,
        bob: 10_000,
    }


ACTS = st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 5)), max_size=14)


@example(acts=[(True, 1, 0), (True, 2, 1)], shared={0, 1})  # an address waits, and its owner's survivor leaves
@given(acts=ACTS, shared=st.sets(st.integers(0, 5)))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_belong_to_the_survivor_of_their_first_owner_whatever_was_merged_and_split(
    database: Database, vault: Vault, workspace: Workspace, acts: list[tuple[bool, int, int]], shared: set[int]
) -> None:
    """A model of parents in a dictionary says who everything belongs to; splitting everything gives all of it back."""
    with database.transaction() as connection:
        people = People(connection, vault, workspace)
        salt = connection.execute(select(func.count()).select_from(profile)).scalar_one()
        ids = [people.make(external_id=f"{salt}-{number}") for number in range(6)]
        for number, who in enumerate(ids):
            people.log(who, f"{salt}-{number}")
            if number in shared:
                people.make(external_id=f"{salt}-{number}", email=f"home{salt}@shop.example")
        parents: dict[int, int] = {}
        standing: list[tuple[int, int, int]] = []  # merge, survivor, merged

        def root(number: int) -> int:
            return root(parents[number]) if number in parents else number

        def check() -> None:
            for number, who in enumerate(ids):
                owners = {other for other in range(6) if root(other) == root(number)}
                assert survivor_of(connection, who) == ids[root(number)]
                if number == root(number):
                    assert sorted(people.events(who)) == sorted(f"{salt}-{other}" for other in owners)
                    loaded = get_profile(connection, vault, who)
                    assert (loaded.email is not None) == loaded.has_email == bool(owners & shared)
                    assert set(family_of(connection, who)) == {ids[other] for other in owners}

        for is_merge, one, other in acts:
            if is_merge and one not in parents and other not in parents and root(one) != root(other):
                standing.append((people.merge(ids[one], ids[other]), one, other))
                parents[other] = one
            elif not is_merge and standing:
                number, survivor, merged = standing[one % len(standing)]
                if survivor in parents:
                    with pytest.raises(ConflictError, match="lies under a later one"):
                        people.split(number)
                else:
                    people.split(number)
                    standing.remove((number, survivor, merged))
                    del parents[merged]
            check()
        while standing:
            number, survivor, merged = standing.pop()
            people.split(number)
            del parents[merged]
        check()
        for table in (identity, customer_event):
            assert connection.execute(select(func.count()).where(table.c.origin_profile_id.is_not(None))).scalar() == 0
        assert all(len(family) == 1 for family in families_of(connection, ids).values())


def test_later_calls_find_the_survivor_when_two_were_merged(people: People) -> None:
    alice, bob = people.make(external_id="alice"), people.make(external_id="bob", visitor="tablet")
    people.merge(alice, bob)
    assert people.make(external_id="bob") == alice
    assert people.make(visitor="tablet") == alice
    late = NOW + timedelta(days=1)
    assert resolve(people.connection, people.vault, {NAME: "bob", EMAIL: "bob@shop.example"}, late) == alice
