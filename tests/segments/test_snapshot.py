"""The columnar snapshot is the system of record in other clothes: after a build, and after whatever comes later."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.errors import ConflictError
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import load_settings
from core.vault import Vault, open_key_store
from customers.tables import (
    consent_entry,
    customer_event,
    customer_order,
    identity,
    order_line,
    product,
    profile,
    static_list_member,
)
from customers.touches import TouchKind, touch
from segments.compiling.compiler import compile_rules
from segments.definition import Segment
from segments.population import evaluate_everybody
from segments.snapshot.build import build_snapshot
from segments.snapshot.delta import DeltaResult, bring_up_to_date
from segments.snapshot.files import folder_of
from segments.snapshot.owned import open_file, own_snapshot
from segments.snapshot.shape import shapes
from segments.snapshot.words import quoted
from tests.segments.parsing import parse
from tests.segments.people import (
    DAY,
    NOW,
    SHOP,
    consent_row,
    event_row,
    identity_row,
    profile_row,
)

ALICE, BOB, CAROL, DAVE = 1, 2, 3, 4
_WORKSPACE: dict[str, Any] = {
    "workspace": "shop",
    "timezone": "Europe/Berlin",
    "currency": "EUR",
    "country": "DE",
    "attributes": {
        "tier": {"kind": "text"},
        "points": {"kind": "number"},
        "first_name": {"kind": "text", "personal": True},
    },
    "events": {"cart_updated": {"properties": {"total": "number", "sku": "text"}}},
    "topics": {"marketing": {"kind": "marketing"}},
}
RULES: dict[str, Any] = {
    "buyers": {"event": "order_placed", "within": "30d"},
    "spenders": {"event": "order_placed", "sum": {"of": "total", "is": {"gte": 5000}}},
    "carts": {"event": "cart_updated", "where": {"sku": {"starts_with": "te"}}},
    "gold": {"attribute": "tier", "is": "gold"},
    "owners": {"owns": {"product": "tea"}},
    "granted": {"consent": "email.marketing", "is": "granted"},
    "vips": {"list": "vips"},
    "reached": {"attribute": "email", "is": {"exists": True}},
}


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Iterator[Runtime]:
    vault = Vault(WorkspaceKey((bytes(range(32)),)), open_key_store(f"sqlite:///{tmp_path}/keys-of-test.db"))
    vault.create_store()
    with database.transaction() as connection:
        publish(connection, "workspace", "shop", document=_WORKSPACE, source="", file="workspace.yaml", now=NOW)
        fill(connection)
    settings = load_settings({}, state=str(tmp_path / "state"), database_url=str(database.url))
    yield Runtime(settings, database, vault, ManualClock(NOW))
    vault.close()


def fill(connection: Any) -> None:
    attributes = [{"tier": "gold", "points": 5}, {"tier": 7}, {"tier": ["gold", None]}, {}]
    people = [profile_row(number, attributes=some) for number, some in enumerate(attributes, start=1)]
    people[CAROL - 1]["timezone"] = ""
    connection.execute(insert(profile), people)
    connection.execute(
        insert(identity),
        [
            identity_row(1, ALICE, "email", "blind-of-alice"),
            identity_row(2, BOB, "email", "blind-of-both"),
            identity_row(3, CAROL, "email", "blind-of-both"),
            identity_row(4, DAVE, "external_id", "C-0815"),
        ],
    )
    connection.execute(
        insert(consent_entry),
        [
            consent_row(1, "blind-of-alice", "email", "marketing", "granted", NOW - DAY),
            consent_row(2, "blind-of-both", "email", "marketing", "granted", NOW - DAY),
            consent_row(3, "blind-of-nobody", "email", "marketing", "granted", NOW - DAY),
        ],
    )
    connection.execute(insert(static_list_member), [{"list": "vips", "profile_id": BOB, "added_at": NOW}])
    connection.execute(
        insert(product),
        [{"sku": "tea", "name": "Tea\nfor two", "category": "drinks", "attributes": {}, "updated_at": NOW}],
    )
    connection.execute(
        insert(customer_event),
        [
            event_row(1, ALICE, "order_placed", NOW - 3 * DAY, total=6000),
            event_row(2, BOB, "cart_updated", NOW - DAY, total="many\n", sku='tea "green"\x1f'),
            event_row(3, CAROL, "cart_updated", NOW - DAY, sku=["tea", 5, None], odd={"a": 1}),
            event_row(4, None, "order_placed", NOW - DAY, total=9000),
        ],
    )
    connection.execute(insert(customer_order), [_order(1, ALICE), _order(2, None)])
    connection.execute(insert(order_line), [_line(1, "tea", 2), _line(2, "tea", 1)])


def _order(number: int, who: int | None) -> dict[str, Any]:
    return {
        "id": number,
        "transaction_no": 0,
        "key": f"shop:{number}",
        "kind": "order",
        "profile_id": who,
        "placed_at": NOW - DAY,
        "currency": "EUR",
        "total": 6000,
        "line_count": 1,
    }


def _line(order: int, sku: str, quantity: int) -> dict[str, Any]:
    return {"order_id": order, "line_no": 1, "kind": "product", "sku": sku, "quantity": quantity, "amount": 100}


def bring(runtime: Runtime) -> DeltaResult:
    with own_snapshot(runtime) as owned:
        return bring_up_to_date(owned, runtime)


def contents(runtime: Runtime) -> dict[str, list[Any]]:
    """Every row of every table, as DuckDB has it; the columns taken out of documents by name."""
    found = {}
    with own_snapshot(runtime) as owned:
        assert owned.connection is not None
        for shape in shapes():
            names = owned.connection.execute(
                "SELECT column_name FROM duckdb_columns() WHERE table_name = ? ORDER BY column_name", [shape.name]
            ).fetchall()
            columns = ", ".join(quoted(name) for (name,) in names)
            rows = owned.connection.execute(f"SELECT {columns} FROM {quoted(shape.name)}").fetchall()
            filled = [
                {name: value for (name,), value in zip(names, row, strict=True) if value is not None} for row in rows
            ]
            found[shape.name] = sorted(filled, key=repr)
    return found


def rebuilt(runtime: Runtime) -> dict[str, list[Any]]:
    build_snapshot(runtime)
    return contents(runtime)


def members(runtime: Runtime) -> dict[str, list[int]]:
    segments = {slug: Segment(slug, slug, parse(rule), None, "") for slug, rule in RULES.items()}
    return {slug: ids.tolist() for slug, ids in evaluate_everybody(runtime, segments, NOW).items()}


def members_of_record(runtime: Runtime) -> dict[str, list[int]]:
    rules = {slug: parse(rule) for slug, rule in RULES.items()}
    query = compile_rules(rules, now=NOW, workspace=SHOP, segments={}, vault=runtime.vault)
    with runtime.database.read() as connection:
        rows = connection.execute(query).mappings().all()
    return {slug: [row["id"] for row in rows if row[slug]] for slug in rules}


def test_members_are_those_of_the_system_of_record_when_everybody_is_asked(runtime: Runtime) -> None:
    found = members(runtime)
    assert found == members_of_record(runtime)
    assert found["granted"] == [ALICE, BOB, CAROL]
    assert found["carts"] == [BOB, CAROL]
    assert found["gold"] == [ALICE, CAROL]
    assert found["owners"] == [ALICE]


def test_snapshot_agrees_after_each_change_when_it_is_brought_up_to_date(runtime: Runtime) -> None:
    build_snapshot(runtime)
    for change in CHANGES:
        with runtime.database.transaction() as connection:
            change(connection)
        result = bring(runtime)
        assert result.rebuilt is None
        found, by_segment = contents(runtime), members(runtime)
        assert by_segment == members_of_record(runtime), change.__name__
        assert found == rebuilt(runtime), change.__name__


def _an_event_comes(connection: Any) -> None:
    connection.execute(insert(customer_event), [event_row(10, DAVE, "order_placed", NOW - DAY, total=5000, new=True)])


def _an_order_comes(connection: Any) -> None:
    connection.execute(insert(customer_order), [_order(3, BOB)])
    connection.execute(insert(order_line), [_line(3, "tea", 1)])


def _an_attribute_changes(connection: Any) -> None:
    connection.execute(update(profile).where(profile.c.id == DAVE).values(attributes={"tier": "gold", "points": True}))
    touch(connection, [DAVE])


def _consent_is_withdrawn(connection: Any) -> None:
    connection.execute(insert(consent_entry), [consent_row(9, "blind-of-both", "email", "marketing", "withdrawn", NOW)])
    touch(connection, [BOB])


def _one_of_two_who_share_an_address_goes(connection: Any) -> None:
    connection.execute(delete(identity).where(identity.c.profile_id == BOB))
    connection.execute(delete(static_list_member).where(static_list_member.c.profile_id == BOB))
    connection.execute(update(profile).where(profile.c.id == BOB).values(status="erased", attributes={}))
    connection.execute(update(customer_event).where(customer_event.c.profile_id == BOB).values(properties={}))
    touch(connection, [BOB], TouchKind.REWRITTEN)


def _a_log_is_handed_over(connection: Any) -> None:
    for table in (customer_event, customer_order):
        connection.execute(update(table).where(table.c.profile_id == ALICE).values(profile_id=CAROL))
    connection.execute(update(identity).where(identity.c.profile_id == ALICE).values(profile_id=CAROL))
    connection.execute(update(profile).where(profile.c.id == ALICE).values(status="merged", merged_into=CAROL))
    touch(connection, [ALICE, CAROL], TouchKind.REWRITTEN)


def _a_visitor_becomes_known(connection: Any) -> None:
    connection.execute(update(customer_event).where(customer_event.c.id == 4).values(profile_id=DAVE))
    connection.execute(update(customer_order).where(customer_order.c.id == 2).values(profile_id=DAVE))
    touch(connection, [DAVE], TouchKind.REWRITTEN)


def _events_and_orders_go(connection: Any) -> None:
    connection.execute(delete(order_line).where(order_line.c.order_id == 3))
    connection.execute(delete(customer_order).where(customer_order.c.id == 3))
    connection.execute(delete(customer_event).where(customer_event.c.id == 10))
    touch(connection, [BOB, DAVE], TouchKind.REWRITTEN)


def _an_address_goes(connection: Any) -> None:
    connection.execute(delete(identity).where(identity.c.profile_id == CAROL))
    touch(connection, [CAROL])


def _a_product_changes(connection: Any) -> None:
    connection.execute(update(product).values(category="hot drinks"))


CHANGES = [
    _an_event_comes,
    _an_order_comes,
    _an_attribute_changes,
    _consent_is_withdrawn,
    _one_of_two_who_share_an_address_goes,
    _a_log_is_handed_over,
    _a_visitor_becomes_known,
    _events_and_orders_go,
    _an_address_goes,
    _a_product_changes,
]


def test_second_owner_is_refused_when_there_is_one(runtime: Runtime) -> None:
    with own_snapshot(runtime), pytest.raises(ConflictError, match="another process"), own_snapshot(runtime):
        pass


def test_reader_keeps_its_copy_when_the_owner_publishes_the_next(runtime: Runtime) -> None:
    build_snapshot(runtime)
    folder = folder_of(runtime.settings)
    reader = open_file(folder.published, folder, read_only=True)
    with runtime.database.transaction() as connection:
        _an_event_comes(connection)
    build_snapshot(runtime)
    count = "SELECT count(*) FROM customer_event"
    assert reader.execute(count).fetchall() == [(3,)]
    reader.close()
    fresh = open_file(folder.published, folder, read_only=True)
    assert fresh.execute(count).fetchall() == [(4,)]
    fresh.close()


def test_a_refresh_publishes_a_new_copy_only_when_the_last_is_an_hour_old(runtime: Runtime) -> None:
    build_snapshot(runtime)
    folder = folder_of(runtime.settings)
    first = folder.published.stat().st_ino
    evaluate_everybody(runtime, {}, NOW)
    assert folder.published.stat().st_ino == first
    os.utime(folder.published, (0, 0))
    evaluate_everybody(runtime, {}, NOW)
    assert folder.published.stat().st_ino != first


@pytest.mark.parametrize("harm", [b"", b"not a database", None])
def test_file_is_built_anew_when_it_is_damaged(runtime: Runtime, harm: bytes | None) -> None:
    build_snapshot(runtime)
    folder = folder_of(runtime.settings)
    whole = folder.working.read_bytes()
    folder.working.write_bytes(whole[: len(whole) // 2] if harm is None else harm)
    assert bring(runtime).rebuilt == "there was no file, or it was damaged or outdated"
    assert members(runtime) == members_of_record(runtime)


def test_snapshot_is_built_anew_when_the_workspace_declares_more(runtime: Runtime) -> None:
    build_snapshot(runtime)
    more = _WORKSPACE | {"attributes": {**_WORKSPACE["attributes"], "size": {"kind": "text"}}}
    with runtime.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=more, source="2", file="workspace.yaml", now=NOW)
    assert bring(runtime).rebuilt is not None
    assert bring(runtime).rebuilt is None


def test_snapshot_is_built_anew_when_touches_may_have_been_forgotten(runtime: Runtime) -> None:
    build_snapshot(runtime)
    assert isinstance(runtime.clock, ManualClock)
    runtime.clock.advance(timedelta(days=2))
    assert bring(runtime).rebuilt == "it was too old"


def test_nothing_personal_is_in_the_file_when_it_is_searched(runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        connection.execute(
            update(profile).where(profile.c.id == ALICE).values(sealed_attributes=b"CANARY-SEALED-ATTRIBUTES")
        )
        connection.execute(update(customer_event).values(sealed_properties=b"CANARY-SEALED-PROPERTIES"))
    build_snapshot(runtime)
    folder = folder_of(runtime.settings).path
    data = b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())
    for canary in (b"CANARY", b"blind-of-", b"C-0815"):
        assert canary not in data
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())


_BUILD = """
import os
import sys
import time
from core.database import Database
from core.runtime import Runtime
from core.clock import SystemClock
from core.settings import load_settings
import segments.snapshot.build as build
settings = load_settings({}, state=sys.argv[1], database_url=sys.argv[2])
fill = build.fill
def slowly(connection, record, shape, keys):
    fill(connection, record, shape, keys)
    if shape.name == "customer_order":
        os.write(1, b"half-way" + bytes([10]))
        time.sleep(60)
build.fill = slowly
build.build_snapshot(Runtime(settings, Database(settings.database), None, SystemClock()))
"""


def test_snapshot_is_built_by_the_next_when_a_build_was_killed(runtime: Runtime, tmp_path: Path) -> None:
    url = runtime.database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", _BUILD, str(tmp_path / "state"), url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half-way\n"
        with pytest.raises(ConflictError):
            bring(runtime)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=30)
    assert bring(runtime).rebuilt is not None
    assert members(runtime) == members_of_record(runtime)
    left = {file.name for file in folder_of(runtime.settings).path.iterdir()}
    assert not {name for name in left if name.endswith((".new", ".scratch", ".copy"))}
