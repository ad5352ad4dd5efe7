from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import cycle
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from core.database import Database
from core.errors import InputError
from core.vault import Vault
from customers.identities import Linking, normalise, resolve, resolve_all, resolve_each
from customers.log import NewEvent, append_events, logged_event, open_properties
from customers.profiles import find_profile, get_profile, load_profiles, set_attributes
from customers.tables import IdentityKind, ProfileStatus, customer_event, identity, profile, sealed_attribute
from customers.tombstones import bury, lift
from customers.workspace import Workspace
from tests.customers.conftest import NOW

EMAIL, PHONE, NAME, VISITOR = (
    IdentityKind.EMAIL,
    IdentityKind.PHONE,
    IdentityKind.EXTERNAL_ID,
    IdentityKind.VISITOR,
)


def test_the_same_person_is_found_when_the_address_is_typed_differently(database: Database, vault: Vault) -> None:
    with database.transaction() as connection:
        alice = resolve(connection, vault, {EMAIL: "Alice@Shop.Example", NAME: "alice"}, NOW)
        assert resolve(connection, vault, {EMAIL: " alice@shop.example "}, NOW) == alice
        assert resolve(connection, vault, {NAME: "alice", PHONE: "020 7946 0018"}, NOW, region="GB") == alice
        assert find_profile(connection, vault, PHONE, "+44 20 7946 0018") == alice
        assert alice is not None
        loaded = get_profile(connection, vault, alice)
    assert loaded.email is not None
    assert loaded.phone is not None
    assert (loaded.email.value, loaded.phone.value) == ("alice@shop.example", "+442079460018")
    assert (loaded.has_email, loaded.has_phone, loaded.external_id) == (True, True, "alice")


def test_no_address_stands_in_clear_when_it_is_stored(database: Database, vault: Vault) -> None:
    with database.transaction() as connection:
        resolve(connection, vault, {EMAIL: "alice@shop.example"}, NOW)
        rows = connection.execute(select(identity)).all()
    assert "alice" not in str(rows)


def test_two_people_share_an_address_when_their_names_differ(database: Database, vault: Vault) -> None:
    with database.transaction() as connection:
        alice = resolve(connection, vault, {NAME: "alice", EMAIL: "home@shop.example"}, NOW)
        bob = resolve(connection, vault, {NAME: "bob", EMAIL: "home@shop.example"}, NOW)
        assert alice != bob
        assert resolve(connection, vault, {EMAIL: "home@shop.example"}, NOW) == alice


def test_a_visitor_brings_its_history_when_it_turns_out_to_be_alice(
    database: Database, vault: Vault, workspace: Workspace
) -> None:
    with database.transaction() as connection:
        alice = resolve(connection, vault, {NAME: "alice"}, NOW)
        dave = resolve(connection, vault, {VISITOR: "cookie-1"}, NOW)
        seen = NewEvent("product_viewed", NOW, "web", "e1", dave, {"product_id": "TEA-001", "note": "for mum"})
        append_events(connection, vault, workspace, [seen], NOW)
        assert resolve(connection, vault, {NAME: "alice", VISITOR: "cookie-1"}, NOW) == alice
        logged = connection.execute(select(customer_event).order_by(customer_event.c.id)).all()
        assert [(row.name, row.profile_id) for row in logged] == [("product_viewed", alice), ("profile_merged", alice)]
        assert open_properties(vault, logged_event(logged[0])) == {"product_id": "TEA-001", "note": "for mum"}
        merged = connection.execute(select(profile).where(profile.c.id == dave)).one()
        assert (merged.status, merged.merged_into) == (ProfileStatus.MERGED, alice)


def test_nobody_is_merged_when_a_device_is_shared(database: Database, vault: Vault) -> None:
    with database.transaction() as connection:
        alice = resolve(connection, vault, {NAME: "alice", VISITOR: "tablet"}, NOW)
        bob = resolve(connection, vault, {NAME: "bob", VISITOR: "tablet"}, NOW, linking=Linking.WEAK)
        assert bob != alice
        assert resolve(connection, vault, {VISITOR: "tablet"}, NOW) == alice
        assert resolve(connection, vault, {NAME: "bob", VISITOR: "tablet"}, NOW) == bob
        assert resolve(connection, vault, {VISITOR: "tablet"}, NOW) == bob
        statuses = connection.execute(select(profile.c.status)).scalars().all()
    assert statuses == ["active", "active"]


@pytest.mark.parametrize("name", ["null", "undefined", "Guest", "0", "test", ""])
def test_a_name_is_refused_when_it_names_nobody(database: Database, vault: Vault, name: str) -> None:
    with database.transaction() as connection:
        if name:
            with pytest.raises(InputError):
                resolve(connection, vault, {NAME: name}, NOW)
        else:
            assert resolve(connection, vault, {NAME: name}, NOW) is None


def test_attributes_are_sealed_and_found_again_when_they_are_personal(
    database: Database, vault: Vault, workspace: Workspace
) -> None:
    values = {"first_name": "Alice", "birthday": "1990-02-28", "tier": "gold", "timezone": "Europe/London"}
    with database.transaction() as connection:
        alice = resolve(connection, vault, {NAME: "alice"}, NOW)
        assert alice is not None
        assert set_attributes(connection, vault, workspace, alice, values, NOW)
        assert not set_attributes(connection, vault, workspace, alice, values, NOW + timedelta(days=1))
        row = connection.execute(select(profile)).one()
        names = connection.execute(select(sealed_attribute.c.name)).scalars().all()
        loaded = load_profiles(connection, vault, [alice])[alice]
    assert "Alice" not in str(row)
    assert (row.attributes, row.birth_month, row.birth_day, row.updated_at) == ({"tier": "gold"}, 2, 28, NOW)
    assert sorted(names) == ["birthday", "first_name"]
    assert loaded.attributes == {"first_name": "Alice", "birthday": "1990-02-28", "tier": "gold"}
    with database.transaction() as connection:
        assert set_attributes(connection, vault, workspace, alice, {"first_name": None}, NOW)
        assert connection.execute(select(sealed_attribute.c.name)).scalars().all() == ["birthday"]


def test_an_attribute_is_refused_when_its_value_is_impossible(
    database: Database, vault: Vault, workspace: Workspace
) -> None:
    with database.transaction() as connection:
        alice = resolve(connection, vault, {NAME: "alice"}, NOW)
        assert alice is not None
        with pytest.raises(InputError, match="birthday: this is not a date"):
            set_attributes(connection, vault, workspace, alice, {"birthday": "1987-02-30"}, NOW)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Anna@BÜCHER.example", "anna@xn--bcher-kva.example"),
        ("anna@XN--BCHER-KVA.example", "anna@xn--bcher-kva.example"),
        ("anna@bu\N{COMBINING DIAERESIS}cher.example", "anna@xn--bcher-kva.example"),
        ("anna@straße.example", "anna@xn--strae-oqa.example"),
        ("anna@例え。example", "anna@xn--r8jz45g.example"),
        ("Anna+News@shop.example", "anna+news@shop.example"),
        ("a.nna@shop.example", "a.nna@shop.example"),
    ],
)
def test_an_address_has_one_spelling_when_it_is_typed_in_many(typed: str, stored: str) -> None:
    assert normalise(EMAIL, typed) == stored


def test_somebody_erased_stays_unknown_when_calls_go_on(database: Database, vault: Vault) -> None:
    marks = {vault.tombstones(kind, value)[0]: kind for kind, value in ((NAME, "alice"), (EMAIL, "alice@shop.example"))}
    with database.transaction() as connection:
        bury(connection, marks, NOW)
        people = [
            {NAME: "alice"},
            {NAME: "alice", EMAIL: "alice@shop.example"},
            {NAME: "alice", VISITOR: "fresh"},
            {NAME: "bob"},
        ]
        found = resolve_each(connection, vault, people, NOW)
        assert [(one.profile_id is None, one.is_buried) for one in found] == [
            (True, True),
            (True, True),
            (False, False),
            (False, False),
        ]
        assert connection.execute(select(identity.c.kind).order_by(identity.c.id)).scalars().all() == [VISITOR, NAME]
        assert lift(connection, vault, NAME, "alice", NOW)
        assert resolve(connection, vault, {NAME: "alice"}, NOW) is not None


CALLS = st.lists(
    st.tuples(st.sampled_from(["identify", "track"]), st.sampled_from(["alice", "bob", None]), st.integers(0, 3)),
    min_size=1,
    max_size=8,
)


@given(calls=CALLS, data=st.data())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_people_come_out_in_whatever_order_and_however_often_calls_arrive(
    database: Database,
    vault: Vault,
    workspace: Workspace,
    calls: list[tuple[str, str | None, int]],
    data: st.DataObject,
) -> None:
    """Each visitor is one user's: of a shared device rule 2 says that the order counts."""
    owner: dict[int, str] = {}
    for _, user, visitor in calls:
        if user is not None:
            owner.setdefault(visitor, user)
    calls = [(kind, owner[visitor] if user else None, visitor) for kind, user, visitor in calls]
    numbered = list(enumerate(calls))
    again = data.draw(st.lists(st.sampled_from(numbered), max_size=4))
    shuffled = data.draw(st.permutations(numbered + again))
    with database.transaction() as connection:
        straight = partition(connection, vault, workspace, numbered, [len(numbered)])
        cuts = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
        assert partition(connection, vault, workspace, shuffled, cuts) == straight


def partition(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    calls: Sequence[tuple[int, tuple[str, str | None, int]]],
    cuts: Sequence[int],
) -> set[frozenset[str]]:
    """Which names, visitors and events are one person's, when the calls arrive in batches of these sizes."""
    salt = f"{uuid4().hex}:"
    rest, sizes = list(calls), cycle(cuts)
    while rest:
        size = next(sizes)
        batch, rest = rest[:size], rest[size:]
        people = [
            {VISITOR: f"{salt}v{visitor}"} | ({NAME: salt + user} if user else {}) for _, (_, user, visitor) in batch
        ]
        linking = [Linking.STRONG if kind == "identify" else Linking.WEAK for _, (kind, _, _) in batch]
        owners = resolve_all(connection, vault, people, NOW, linking=linking)
        events = [
            NewEvent("product_viewed", NOW, "web", f"{salt}e{number}", who)
            for (number, _), who in zip(batch, owners, strict=True)
        ]
        append_events(connection, vault, workspace, events, NOW)
    people_of: dict[int, set[str]] = {}
    for row in connection.execute(select(identity)):
        if row.lookup.startswith(salt):
            people_of.setdefault(row.profile_id, set()).add(row.lookup.removeprefix(salt))
    keys = select(customer_event.c.id, customer_event.c.profile_id).where(customer_event.c.name == "product_viewed")
    last = list(connection.execute(keys.order_by(customer_event.c.id.desc()).limit(len({n for n, _ in calls}))))
    counts = Counter(who for _, who in last)
    return {frozenset({*names, f"{counts[who]} events"}) for who, names in people_of.items()}
