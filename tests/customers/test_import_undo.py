from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, func, select, update

from core.definitions import publish
from core.errors import ConflictError, NotFoundError
from core.key_store import data_key
from core.runtime import Runtime
from customers.consent import Basis, ConsentStatus, NewConsent, consent_of, record_consents
from customers.identities import lookup_of, resolve
from customers.imports.undo import UndoResult, undo_import
from customers.lists import add_to_list
from customers.log import NewEvent, append_events
from customers.profiles import Profile, find_profile, get_profile, set_attributes
from customers.suppression import find_suppressed
from customers.tables import (
    BatchStatus,
    IdentityKind,
    consent_entry,
    customer_event,
    customer_order,
    event_key,
    identity,
    import_batch,
    import_change,
    order_line,
    product,
    profile,
    sealed_attribute,
    static_list_member,
)
from tests.customers.conftest import NOW, WORKSPACE
from tests.customers.importing import import_text

LATER = NOW + timedelta(hours=1)
PROFILES = """
import: profiles
source: shop
columns:
  external_id: id
  email: mail
  phone: phone
  first_name: name
  birthday: born
  tier: tier
  country: land
  consent.email.marketing: news
  consent.email.marketing.at: news_at
"""
HEADER = "id,mail,phone,name,born,tier,land,news,news_at\n"
WRONG = (
    HEADER
    + "alice,alice@wrong.example,+44 20 7946 0018,Mallory,1970-01-01,gold,DE,granted,2026-05-01T10:00:00Z\n"
    + "bob,bob@shop.example,,Bob,1980-02-02,silver,GB,denied,2026-05-01T10:00:00Z\n"
    + "carol,carol@shop.example,,Carol,,,,granted,2026-05-01T10:00:00Z\n"
)


def undo(runtime: Runtime, batch_id: int = 1) -> UndoResult:
    told: list[int] = []
    result = undo_import(runtime, WORKSPACE, batch_id, now=LATER, progress=lambda done, _total: told.append(done))
    assert told == sorted(told)
    return result


def person(runtime: Runtime, external_id: str) -> Profile | None:
    with runtime.database.read() as connection:
        number = find_profile(connection, runtime.vault, IdentityKind.EXTERNAL_ID, external_id)
        return None if number is None else get_profile(connection, runtime.vault, number)


def make_alice(runtime: Runtime) -> int:
    """Alice is known before the wrong file comes."""
    with runtime.database.transaction() as connection:
        identifiers = {IdentityKind.EXTERNAL_ID: "alice", IdentityKind.EMAIL: "alice@shop.example"}
        number = resolve(connection, runtime.vault, identifiers, NOW - timedelta(days=9))
        assert number is not None
        set_attributes(connection, runtime.vault, WORKSPACE, number, {"first_name": "Alice", "tier": "silver"}, NOW)
    return number


def make_person(runtime: Runtime, name: str) -> int:
    with runtime.database.transaction() as connection:
        number = resolve(connection, runtime.vault, {IdentityKind.EXTERNAL_ID: name}, NOW)
    assert number is not None
    return number


def count(runtime: Runtime, table: Table) -> int:
    with runtime.database.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def states(runtime: Runtime, *addresses: str) -> list[ConsentStatus]:
    lookups = [lookup_of(runtime.vault, IdentityKind.EMAIL, address) for address in addresses]
    with runtime.database.read() as connection:
        found = consent_of(connection, "email", "marketing", lookups, LATER)
    return [found[lookup] for lookup in lookups]


def test_alice_is_who_she_was_when_a_wrong_file_is_undone(runtime: Runtime, tmp_path: Path) -> None:
    number = make_alice(runtime)
    import_text(runtime, tmp_path, PROFILES, WRONG)
    wrong = person(runtime, "alice")
    assert wrong is not None
    assert wrong.attributes["first_name"] == "Mallory"
    result = undo(runtime)
    assert dict(result.counts) == {
        "grants_withdrawn": 2,
        "withdrawals_kept": 1,
        "values_restored": 4,
        "profiles": 2,
        "identities": 2,
    }
    alice = person(runtime, "alice")
    assert alice is not None
    assert (alice.id, alice.attributes, alice.country) == (number, {"first_name": "Alice", "tier": "silver"}, None)
    assert alice.email is not None
    assert (alice.email.value, alice.phone, alice.has_phone) == ("alice@shop.example", None, False)
    with runtime.database.read() as connection:
        row = connection.execute(select(profile).where(profile.c.id == number)).one()
    assert (row.email_provider, row.phone_country, row.birth_month, row.birth_day) == ("shop.example", None, None, None)


def test_nothing_is_left_of_people_when_the_import_made_them(runtime: Runtime, tmp_path: Path) -> None:
    import_text(runtime, tmp_path, PROFILES, WRONG)
    undo(runtime)
    assert [person(runtime, name) for name in ("alice", "bob", "carol")] == [None] * 3
    assert [count(runtime, table) for table in (identity, sealed_attribute, import_change)] == [0, 0, 0]
    with runtime.database.read() as connection:
        rows = connection.execute(select(profile)).all()
    assert {(row.status, row.sealed_attributes, row.has_email) for row in rows} == {("erased", None, False)}
    with runtime.vault.store.read() as connection:
        assert connection.execute(select(data_key)).all() == []


def test_nobody_may_be_written_to_when_the_wrong_file_said_granted(runtime: Runtime, tmp_path: Path) -> None:
    import_text(runtime, tmp_path, PROFILES, WRONG)
    later = NewConsent(
        lookup=lookup_of(runtime.vault, IdentityKind.EMAIL, "carol@shop.example"),
        channel="email",
        topic="marketing",
        status=ConsentStatus.GRANTED,
        basis=Basis.DOUBLE_OPT_IN,
        source="form",
        occurred_at=NOW,
        profile_id=None,
        key="form:1",
    )
    with runtime.database.transaction() as connection:
        record_consents(connection, [later], NOW)
    undo(runtime)
    people = ("alice@wrong.example", "bob@shop.example", "carol@shop.example")
    withdrawn, granted = ConsentStatus.WITHDRAWN, ConsentStatus.GRANTED
    assert states(runtime, *people) == [withdrawn, withdrawn, granted]
    with runtime.database.read() as connection:
        sources = connection.execute(select(consent_entry.c.source).order_by(consent_entry.c.id)).scalars().all()
    assert sources[-2:] == ["undo:1", "undo:1"]


def test_a_value_stays_when_somebody_changed_it_since(runtime: Runtime, tmp_path: Path) -> None:
    number = make_alice(runtime)
    import_text(runtime, tmp_path, PROFILES, WRONG)
    with runtime.database.transaction() as connection:
        set_attributes(connection, runtime.vault, WORKSPACE, number, {"tier": "platinum"}, NOW)
    result = undo(runtime)
    assert result.counts["values_kept"] == 1
    alice = person(runtime, "alice")
    assert alice is not None
    assert alice.attributes == {"first_name": "Alice", "tier": "platinum"}


def test_a_person_is_kept_without_the_wrong_values_when_they_did_something_since(
    runtime: Runtime, tmp_path: Path
) -> None:
    import_text(runtime, tmp_path, PROFILES, WRONG)
    carol = person(runtime, "carol")
    bob = person(runtime, "bob")
    assert carol is not None
    assert bob is not None
    with runtime.database.transaction() as connection:
        seen = NewEvent("product_viewed", NOW, "web", "e1", carol.id, {"product_id": "TEA-001"})
        entered = NewEvent("segment_entered", NOW, "segments", "e2", bob.id, {"segment": "all"})
        append_events(connection, runtime.vault, WORKSPACE, [seen, entered], NOW)
        set_attributes(connection, runtime.vault, WORKSPACE, carol.id, {"tier": "gold"}, NOW)
    result = undo(runtime)
    assert (result.counts["profiles"], result.counts["profiles_kept"]) == (2, 1)
    kept = person(runtime, "carol")
    assert kept is not None
    assert (kept.id, kept.attributes, kept.email is not None) == (carol.id, {"tier": "gold"}, True)
    assert count(runtime, event_key) == 2


def test_a_stop_stays_when_the_file_that_brought_it_is_undone(runtime: Runtime, tmp_path: Path) -> None:
    mapping = "import: suppressions\ncolumns: {email: mail}\n"
    import_text(runtime, tmp_path, mapping, "mail\ncarol@shop.example\n")
    assert dict(undo(runtime).counts) == {"suppressions_kept": 1}
    lookup = lookup_of(runtime.vault, IdentityKind.EMAIL, "carol@shop.example")
    with runtime.database.read() as connection:
        assert find_suppressed(connection, "email", [lookup]) == {lookup: "manual"}


ORDERS = """
import: orders
source: shop
columns: {order_id: number, placed_at: at, external_id: customer, sku: sku, name: name, quantity: pieces,
          unit_price: price, country: land}
"""
LINES = "number,at,customer,sku,name,pieces,price,land\n"


def test_orders_go_with_lines_events_and_products_when_they_are_undone(runtime: Runtime, tmp_path: Path) -> None:
    first = "1,2026-05-01 10:00,alice,TEA-001,Tea,2,4.50,GB\n"
    import_text(runtime, tmp_path, ORDERS, LINES + first)
    wrong = (
        first
        + "1,2026-05-01 10:00,alice,CUP-001,Cup,1,9.00,GB\n"
        + "2,2026-05-02 10:00,bob,TEA-001,Tea,1,4.50,DE\n"
        + "3,2026-05-02 11:00,,POT-001,Pot,1,30.00,DE\n"
    )
    import_text(runtime, tmp_path, ORDERS, LINES + wrong)
    assert (count(runtime, customer_order), count(runtime, product)) == (3, 3)
    result = undo(runtime, 2)
    assert dict(result.counts) == {"events": 2, "orders": 2, "order_lines": 3, "products": 2, "profiles": 1}
    with runtime.database.read() as connection:
        [order] = connection.execute(select(customer_order)).all()
        assert (order.total, order.line_count) == (900, 1)
        assert connection.execute(select(order_line.c.sku)).scalars().all() == ["TEA-001"]
        assert connection.execute(select(product.c.sku)).scalars().all() == ["TEA-001"]
        [event] = connection.execute(select(customer_event)).all()
    assert event.properties["order_id"] == "shop:1"
    assert (count(runtime, event_key), person(runtime, "bob")) == (1, None)
    assert person(runtime, "alice") is not None


def test_products_are_what_they_were_when_a_catalogue_is_undone(runtime: Runtime, tmp_path: Path) -> None:
    mapping = "import: products\ncolumns: {sku: sku, name: name, price: price}\n"
    import_text(runtime, tmp_path, mapping, "sku,name,price\nTEA-001,Tea,4.50\nCUP-001,Cup,9.00\n")
    wrong = "sku,name,price\nTEA-001,Teapot,1.00\nPOT-001,Pot,30.00\nCUP-001,Mug,9.00\n"
    import_text(runtime, tmp_path, mapping, wrong)
    with runtime.database.transaction() as connection:
        connection.execute(update(product).where(product.c.sku == "CUP-001").values(name="Cup of ours"))
    result = undo(runtime, 2)
    assert dict(result.counts) == {"products": 1, "products_restored": 1, "products_kept": 1}
    with runtime.database.read() as connection:
        rows = connection.execute(select(product.c.sku, product.c.name, product.c.price).order_by(product.c.sku)).all()
    assert [tuple(row) for row in rows] == [("CUP-001", "Cup of ours", 900), ("TEA-001", "Tea", 450)]


def test_the_file_comes_in_again_when_its_import_was_undone(runtime: Runtime, tmp_path: Path) -> None:
    first = import_text(runtime, tmp_path, PROFILES, WRONG)
    undo(runtime)
    second = import_text(runtime, tmp_path, PROFILES, WRONG)
    assert (second.is_repeat, first.imported_count, second.imported_count) == (False, 3, 3)
    assert second.details["grants_after_withdrawal"] == 2
    assert states(runtime, "carol@shop.example") == [ConsentStatus.WITHDRAWN]
    undo(runtime, 2)
    assert person(runtime, "carol") is None


@pytest.mark.parametrize("pages", [1, 2, 3, 5])
def test_the_rest_is_undone_when_the_undoing_was_killed(runtime: Runtime, tmp_path: Path, pages: int) -> None:
    make_alice(runtime)
    import_text(runtime, tmp_path, PROFILES, WRONG)

    class KilledError(Exception):
        pass

    def killed_after(done: int, _total: int | None, seen: list[int] = []) -> None:  # noqa: B006 (counts the calls)
        seen.append(done)
        if len(seen) == pages * 2:
            raise KilledError

    with pytest.raises(KilledError):
        undo_import(runtime, WORKSPACE, 1, now=LATER, progress=killed_after)
    with pytest.raises(ConflictError, match="being undone"):
        import_text(runtime, tmp_path, PROFILES, WRONG)
    result = undo(runtime)
    assert (result.counts["profiles"], result.counts["grants_withdrawn"]) == (2, 2)
    alice = person(runtime, "alice")
    assert alice is not None
    assert alice.attributes == {"first_name": "Alice", "tier": "silver"}
    with runtime.vault.store.read() as connection:
        assert connection.execute(select(data_key.c.profile_id)).scalars().all() == [alice.id]


def test_it_says_why_when_an_import_cannot_be_undone(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no import 7"):
        undo(runtime, 7)
    import_text(runtime, tmp_path, PROFILES, WRONG)
    undo(runtime)
    with pytest.raises(ConflictError, match="undone already"):
        undo(runtime)
    with runtime.database.read() as connection:
        [batch] = connection.execute(select(import_batch)).all()
    assert (batch.status, batch.undone_at) == (BatchStatus.UNDONE, LATER)


def test_half_an_import_is_undone_when_it_was_killed_and_nobody_went_on_with_it(
    runtime: Runtime, tmp_path: Path
) -> None:
    import_text(runtime, tmp_path, PROFILES, WRONG)
    with runtime.database.transaction() as connection:
        connection.execute(update(import_batch).values(status=BatchStatus.RUNNING))
    assert undo(runtime).counts["profiles"] == 3


def test_lists_are_what_they_were_when_their_import_is_undone(runtime: Runtime, tmp_path: Path) -> None:
    mapping = "import: lists\ncolumns: {external_id: id, list: {value: friends}, is_member: member}\n"
    people = [make_person(runtime, name) for name in ("alice", "bob")]
    with runtime.database.transaction() as connection:
        publish(
            connection, "list", "friends", document={"list": "friends"}, source="", file="lists/friends.yaml", now=NOW
        )
        add_to_list(connection, "friends", people[:1], NOW)
    import_text(runtime, tmp_path, mapping, "id,member\nalice,no\nbob,yes\n")
    with runtime.database.read() as connection:
        assert connection.execute(select(static_list_member.c.profile_id)).scalars().all() == people[1:]
    assert dict(undo(runtime).counts) == {"list_members": 1, "list_members_restored": 1}
    with runtime.database.read() as connection:
        assert connection.execute(select(static_list_member.c.profile_id)).scalars().all() == people[:1]


def test_events_of_a_file_go_when_it_is_undone(runtime: Runtime, tmp_path: Path) -> None:
    mapping = """
import: events
source: shop
columns: {type: type, message_id: id, external_id: user, name: event, occurred_at: at, traits: traits}
"""
    number = make_alice(runtime)
    lines = (
        '{"type":"track","id":"1","user":"alice","event":"Product Viewed","at":"2026-06-01T10:00:00Z"}\n'
        '{"type":"identify","id":"2","user":"alice","at":"2026-06-01T10:00:00Z","traits":{"tier":"gold"}}\n'
        '{"type":"track","id":"3","user":"dave","event":"Product Viewed","at":"2026-06-01T10:00:00Z"}\n'
    )
    import_text(runtime, tmp_path, mapping, lines, ending="jsonl")
    result = undo(runtime)
    assert dict(result.counts) == {"events": 2, "values_restored": 1, "profiles": 1}
    assert (count(runtime, customer_event), count(runtime, event_key)) == (0, 0)
    alice = person(runtime, "alice")
    assert alice is not None
    assert (alice.id, alice.attributes["tier"]) == (number, "silver")
    again = import_text(runtime, tmp_path, mapping, lines, ending="jsonl")
    assert again.imported_count == 3


def test_everything_is_undone_when_it_takes_many_pieces(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("undo_people", "undo_records", "undo_steps"):
        monkeypatch.setattr(f"customers.imports.{module}.PAGE", 3)
    rows = "".join(f"c{number},c{number}@shop.example,,N,,,,granted,2026-05-01T10:00:00Z\n" for number in range(10))
    import_text(runtime, tmp_path, PROFILES, HEADER + rows)
    result = undo(runtime)
    assert (result.counts["profiles"], result.counts["grants_withdrawn"]) == (10, 10)
    with runtime.vault.store.read() as connection:
        assert connection.execute(select(data_key)).all() == []
