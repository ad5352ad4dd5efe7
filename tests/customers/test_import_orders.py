from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import msgspec
import pytest
from sqlalchemy import select, update

from core.runtime import Runtime
from customers.consent import consent_of
from customers.profiles import load_profiles
from customers.tables import (
    IdentityKind,
    customer_event,
    customer_order,
    identity,
    import_batch,
    order_line,
    product,
    profile,
)
from tests.customers.conftest import NOW
from tests.customers.importing import contents, import_file, import_text

MAPPING = """
import: orders
source: shop
timezone: Europe/London
historical: true
columns:
  order_id: number
  placed_at: {column: at, format: "%d/%m/%Y %H:%M"}
  external_id: customer
  country: land
  sku: sku
  name: name
  quantity: pieces
  unit_price: price
returns: {column: status, starts_with: return}
product_codes: "^[A-Z]{3}-[0-9]{3}$"
"""

HEADER = "number,at,customer,land,sku,name,pieces,price,status"

LINES = f"""{HEADER}
1,01/06/2026 10:00,alice,EIRE,TEA-001,Green tea,2,4.50,sold
1,01/06/2026 10:00,alice,EIRE,TEA-002,White tea,1,0.005,sold
1,01/06/2026 10:00,alice,EIRE,POST,Postage,1,3.95,sold
2,02/06/2026 10:00,,United Kingdom,TEA-001,Old tea,3,4.75,sold
1,05/06/2026 10:00,alice,EIRE,TEA-001,Green tea,1,4.50,returned
3,31/02/2026 10:00,bob,GB,TEA-001,Green tea,1,4.50,sold
3,02/06/2026 10:00,bob,GB,TEA-001,Green tea,-1,4.50,sold
3,02/06/2026 10:00,bob,GB,TEA-001,Green tea,1,n/a,sold
3,02/06/2026 10:00,bob,GB,TEA-001,Green tea,1,0,sold
3,02/06/2026 10:00,bob,GB,TEA-001,Green tea,1,4.75,sold
,02/06/2026 10:00,bob,GB,TEA-001,Green tea,1,4.50,sold
4,02/06/2026 10:00,guest,GB,CUP-001,,1,10,sold
"""


def test_lines_become_orders_when_some_are_wrong(runtime: Runtime, tmp_path: Path) -> None:
    result = import_text(runtime, tmp_path, MAPPING, LINES)
    assert (result.read_count, result.imported_count, result.unchanged_count) == (12, 7, 0)
    assert result.rejected == {
        "impossible_date": 1,
        "negative_quantity": 1,
        "wrong_price": 1,
        "zero_price": 1,
        "missing_order_id": 1,
    }
    assert result.details == {"orders": 4, "returns": 1, "anonymous": 2}
    with runtime.database.read() as connection:
        orders = {row.key: row for row in connection.execute(select(customer_order))}
        lines = connection.execute(select(order_line).order_by(order_line.c.line_no)).all()
        events = {row.properties["order_id"]: row for row in connection.execute(select(customer_event))}
        products = {row.sku: (row.name, row.price, row.currency) for row in connection.execute(select(product))}
    assert {key: (row.kind, row.total, row.line_count) for key, row in orders.items()} == {
        "shop:1": ("order", 900 + 0 + 395, 3),
        "shop:1:return": ("return", -450, 1),
        "shop:2": ("order", 1425, 1),
        "shop:3": ("order", 475, 1),
        "shop:4": ("order", 1000, 1),
    }
    assert orders["shop:1"].placed_at.isoformat() == "2026-06-01T09:00:00+00:00"
    assert (orders["shop:2"].profile_id, orders["shop:4"].profile_id) == (None, None)
    ours = [
        (row.line_no, row.kind, row.sku, row.quantity, row.amount)
        for row in lines
        if row.order_id in (orders["shop:1"].id, orders["shop:3"].id)
    ]
    assert ours == [
        (1, "product", "TEA-001", 2, 900),
        (2, "product", "TEA-002", 1, 0),
        (3, "fee", "POST", 1, 395),
        (5, "product", "TEA-001", 1, 475),
    ]
    assert events["shop:1"].properties == {
        "order_id": "shop:1",
        "total": 1295,
        "currency": "GBP",
        "item_count": 3,
        "skus": ["TEA-001", "TEA-002"],
    }
    assert (events["shop:1"].name, events["shop:1"].is_historical) == ("order_placed", True)
    assert events["shop:1:return"].name == "order_returned"
    assert products == {
        "TEA-001": ("Green tea", 475, "GBP"),
        "TEA-002": ("White tea", 0, "GBP"),
        "CUP-001": ("CUP-001", 1000, "GBP"),
    }
    with (tmp_path / "data.rejects.csv").open() as stream:
        rejects = list(csv.DictReader(stream))
    assert [(row["line"], row["reason"], row["number"]) for row in rejects] == [
        ("7", "impossible_date", "3"),
        ("8", "negative_quantity", "3"),
        ("9", "wrong_price", "3"),
        ("10", "zero_price", "3"),
        ("12", "missing_order_id", ""),
    ]


def test_nothing_changes_when_a_file_is_imported_again(runtime: Runtime, tmp_path: Path) -> None:
    import_text(runtime, tmp_path, MAPPING, LINES)
    with runtime.database.read() as connection:
        before = contents(connection)
    again = import_text(runtime, tmp_path, MAPPING, LINES)
    with runtime.database.read() as connection:
        assert contents(connection) == before
    assert (again.is_repeat, again.imported_count, again.unchanged_count, again.rejected_count) == (True, 0, 7, 5)
    # Another mapping is another import: now every line is looked at, and still nothing changes.
    anew = import_text(runtime, tmp_path, f'{MAPPING}delimiter: ","\n', LINES)
    with runtime.database.read() as connection:
        after = contents(connection)
    assert (anew.is_repeat, anew.imported_count, anew.unchanged_count, anew.rejected_count) == (False, 0, 7, 5)
    assert {name: rows for name, rows in after.items() if name != "import_batch"} == {
        name: rows for name, rows in before.items() if name != "import_batch"
    }


def test_an_order_is_totalled_again_when_a_corrected_file_brings_its_missing_line(
    runtime: Runtime, tmp_path: Path
) -> None:
    import_text(runtime, tmp_path, MAPPING, LINES)
    corrected = LINES.replace("3,31/02/2026", "3,28/02/2026").replace(
        "alice,EIRE,TEA-002,White tea,1,", "alice,EIRE,TEA-002,White tea,9,"
    )
    result = import_text(runtime, tmp_path, MAPPING, corrected)
    assert (result.imported_count, result.unchanged_count) == (1, 6)
    assert result.rejected["differs_from_stored"] == 1
    with runtime.database.read() as connection:
        totals = dict(connection.execute(select(customer_order.c.key, customer_order.c.total)).tuples().all())
    assert totals["shop:3"] == 475 + 450
    assert totals["shop:1"] == 1295


def test_addresses_are_made_up_and_marked_when_the_mapping_says_so(runtime: Runtime, tmp_path: Path) -> None:
    synthesise = 'synthesise: {email: "customer-{external_id}@shop.sandbox.invalid", consent: [email.marketing]}\n'
    import_text(runtime, tmp_path, MAPPING + synthesise, LINES)
    with runtime.database.read() as connection:
        emails = connection.execute(select(identity).where(identity.c.kind == IdentityKind.EMAIL)).all()
        ids = connection.execute(select(profile.c.id)).scalars().all()
        people = {one.external_id: one for one in load_profiles(connection, runtime.vault, ids).values()}
        lookups = [row.lookup for row in emails]
        states = consent_of(connection, "email", "marketing", lookups, NOW)
    assert [row.is_synthetic for row in emails] == [True, True]
    assert people["alice"].email is not None
    assert people["alice"].email.value == "customer-alice@shop.sandbox.invalid"
    assert people["alice"].email.is_synthetic
    assert people["alice"].country == "IE"
    assert set(states.values()) == {"granted"}


def test_a_catalogue_product_is_left_alone_when_order_lines_name_it(runtime: Runtime, tmp_path: Path) -> None:
    catalogue = "import: products\ncolumns: {sku: sku, name: name, price: price}\n"
    result = import_text(runtime, tmp_path, catalogue, "sku,name,price\nTEA-001,Sencha,5.00\n,nameless,1\nX,Y,-1\n")
    assert (result.imported_count, result.rejected) == (1, {"missing_sku": 1, "negative_price": 1})
    import_text(runtime, tmp_path, MAPPING, LINES)
    with runtime.database.read() as connection:
        names = dict(connection.execute(select(product.c.sku, product.c.name)).tuples().all())
    assert names["TEA-001"] == "Sencha"
    changed = import_text(runtime, tmp_path, catalogue, "sku,name,price\nTEA-001,Sencha,5.00\nTEA-002,Bai Mu Dan,9\n")
    assert (changed.imported_count, changed.unchanged_count) == (1, 1)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_the_same_orders_come_from_every_format(runtime: Runtime, tmp_path: Path, ending: str) -> None:
    rows = list(csv.DictReader(LINES.splitlines()))
    file, yaml = tmp_path / f"data.{ending}", tmp_path / "mapping.yaml"
    yaml.write_text(MAPPING)
    lines = tmp_path / "data.jsonl"
    lines.write_bytes(b"\n".join(map(msgspec.json.encode, rows)) + b"\n")
    if ending == "parquet":
        columns = dict.fromkeys(HEADER.split(","), "VARCHAR")
        read = f"read_json('{lines}', format='newline_delimited', columns={columns})"
        duckdb.connect().execute(f"COPY (FROM {read}) TO '{file}' (FORMAT parquet)")
    result = import_file(runtime, file, yaml)
    assert (result.imported_count, result.rejected_count) == (7, 5)
    with runtime.database.read() as connection:
        assert sorted(connection.execute(select(customer_order.c.total)).scalars()) == [-450, 475, 1000, 1295, 1425]


def test_totals_are_made_when_an_import_ended_before_it_made_them(runtime: Runtime, tmp_path: Path) -> None:
    """As after a crash between the last line and the totals, when the file then comes with another mapping."""
    import_text(runtime, tmp_path, MAPPING, LINES)
    with runtime.database.transaction() as connection:
        connection.execute(update(customer_order).values(total=0, line_count=0))
    import_text(runtime, tmp_path, f"{MAPPING}encoding: utf-8\n", LINES)
    with runtime.database.read() as connection:
        assert sorted(connection.execute(select(customer_order.c.total)).scalars()) == [-450, 475, 1000, 1295, 1425]


def test_a_line_is_refused_when_it_holds_what_no_database_can(runtime: Runtime, tmp_path: Path) -> None:
    lines = ("1,01/06/2026 10:00,al\x00ice,GB,TEA-001,Tea,1,4.50,sold", "2,01/06/2026 10:00,,,TE\x1fA,Tea,1,4.50,sold")
    text = "\n".join([HEADER, *lines, ""])
    result = import_text(runtime, tmp_path, MAPPING, text)
    assert result.rejected == {"wrong_characters": 1, "wrong_sku": 1}


def test_everything_is_read_again_when_the_rejects_of_a_broken_import_are_gone(
    runtime: Runtime, tmp_path: Path
) -> None:
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    (tmp_path / "data.csv").write_text(LINES)
    import_file(runtime, tmp_path / "data.csv", tmp_path / "mapping.yaml", batch_rows=4)
    whole = (tmp_path / "data.rejects.csv").read_text()
    with runtime.database.transaction() as connection:
        connection.execute(update(import_batch).values(status="running", rows_done=8, finished_at=None))
    (tmp_path / "data.rejects.csv").unlink()
    result = import_file(runtime, tmp_path / "data.csv", tmp_path / "mapping.yaml", batch_rows=4)
    assert (result.imported_count, result.unchanged_count, result.rejected_count) == (0, 7, 5)
    assert (tmp_path / "data.rejects.csv").read_text() == whole
