from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from core.database import Database
from core.errors import InputError
from core.vault import Vault
from customers.identities import Linking, resolve
from customers.log import NewEvent, append_events
from customers.profiles import find_profile, get_profile, load_profiles, set_attributes
from customers.tables import IdentityKind, ProfileStatus, customer_event, identity, profile, sealed_attribute
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
        assert connection.execute(select(customer_event.c.profile_id)).scalars().all() == [alice]
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
