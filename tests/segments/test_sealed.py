from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from core.database import Database
from core.errors import InputError
from core.keys import create_key
from core.vault import Vault, open_key_store
from customers.attributes import attribute_lookup
from customers.tables import identity, profile, sealed_attribute
from segments.membership import matching
from tests.segments.parsing import parse
from tests.segments.people import NOW, SHOP, identity_row, profile_row

ALICE, BOB, DAVE = 1, 2, 4


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    opened = Vault(create_key(tmp_path / "shop.key"), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    opened.create_store()
    yield opened
    opened.close()


@pytest.fixture
def people(database: Database, vault: Vault) -> None:
    """Alice and Bob have first names and addresses, Dave has neither."""
    names = {ALICE: "Alice", BOB: "Bob"}
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(number) for number in (ALICE, BOB, DAVE)])
        for number, name in names.items():
            lookup = attribute_lookup(vault, "first_name", name)
            row = {"profile_id": number, "name": "first_name", "lookup": lookup}
            connection.execute(insert(sealed_attribute), [row])
            address = vault.blind_index("email", f"{name.lower()}@shop.example")
            connection.execute(insert(identity), [identity_row(number, number, "email", address)])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"attribute": "first_name", "is": "Alice"}, {ALICE}),
        ({"attribute": "first_name", "is": "alice"}, set()),
        ({"attribute": "first_name", "is": {"in": ["Alice", "Bob", 5]}}, {ALICE, BOB}),
        ({"attribute": "first_name", "is": {"exists": True}}, {ALICE, BOB}),
        ({"attribute": "first_name", "is": {"exists": False}}, {DAVE}),
        ({"not": {"attribute": "first_name", "is": "Alice"}}, {BOB, DAVE}),
        ({"attribute": "email", "is": " ALICE@Shop.example"}, {ALICE}),
        ({"attribute": "email", "is": {"in": ["bob@shop.example", "not an address"]}}, {BOB}),
        ({"attribute": "email", "is": {"exists": True}}, {ALICE, BOB}),
        ({"attribute": "phone", "is": {"exists": False}}, {ALICE, BOB, DAVE}),
        ({"attribute": "never_declared", "is": {"gt": 5}}, set()),
    ],
)
def test_sealed_value_is_found_by_its_blind_index_when_it_is_asked_for_whole(
    database: Database, vault: Vault, people: None, rule: Any, expected: set[int]
) -> None:
    with database.read() as connection:
        assert matching(connection, parse(rule), [ALICE, BOB, DAVE], NOW, SHOP, vault=vault) == expected


def test_sealed_value_is_refused_when_there_is_no_key(database: Database) -> None:
    rule = parse({"attribute": "first_name", "is": "Alice"})
    with database.read() as connection, pytest.raises(InputError, match="there is no key"):
        matching(connection, rule, [ALICE], NOW, SHOP)
