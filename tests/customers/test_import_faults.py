from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.errors import ConfigError, InputError, PostilionError
from core.runtime import Runtime
from customers.imports.mapping import load_mapping
from customers.tables import import_batch, product
from tests.customers.conftest import WORKSPACE
from tests.customers.importing import import_file

PRODUCTS = "import: products\ncolumns: {sku: sku, name: name, price: price}\n"
CSV = b"sku,name,price\nTEA-001,Sencha,5.00\n"

# name -> (mapping, name of the data file, its bytes or None)
CASES: dict[str, tuple[str, str, bytes | None]] = {
    "no such file": (PRODUCTS, "products.csv", None),
    "unknown ending": (PRODUCTS, "products.xlsx", CSV),
    "empty file": (PRODUCTS, "products.csv", b""),
    "not parquet": (PRODUCTS, "products.parquet", CSV),
    "missing column": (PRODUCTS.replace("name: name", "name: nmae"), "products.csv", CSV),
    "missing column, long form": (PRODUCTS.replace("price: price", "price: {column: cost}"), "products.csv", CSV),
    "two columns of one name": (PRODUCTS, "products.csv", b"sku,name,name,price\n"),
    "wrong encoding": (f"{PRODUCTS}encoding: utf-8\n", "products.csv", CSV + b"TEA-002,Th\xe9,1\n"),
    "unknown encoding": (f"{PRODUCTS}encoding: klingon\n", "products.csv", CSV),
    "unknown field": (PRODUCTS.replace("price:", "prize:"), "products.csv", CSV),
    "missing field": ("import: products\ncolumns: {sku: sku}\n", "products.csv", CSV),
    "column and value": (PRODUCTS.replace("name: name", "name: {column: a, value: b}"), "products.csv", CSV),
    "skipped and mapped": (f"{PRODUCTS}skip: [colour, name]\n", "products.csv", CSV),
    "undeclared attribute": ("import: profiles\ncolumns: {email: mail, shoe_size: shoes}\n", "people.csv", b"mail\n"),
    "consent without its time": (
        "import: profiles\ncolumns: {email: mail, consent.email.marketing: news}\n",
        "people.csv",
        b"mail\n",
    ),
    "unknown zone": (f"{PRODUCTS}timezone: Mars/Base\n", "products.csv", CSV),
    "made-up addresses of nobody": (
        """import: orders
columns: {order_id: a, placed_at: b, sku: c, quantity: d, unit_price: e}
synthesise: {email: "{external_id}@shop.invalid"}
""",
        "orders.csv",
        CSV,
    ),
}


def test_every_fault_is_one_sentence_with_its_place(
    runtime: Runtime, tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    told = []
    for name, (mapping, file, content) in CASES.items():
        (tmp_path / "mapping.yaml").write_text(mapping)
        data = tmp_path / file
        data.unlink(missing_ok=True)
        if content is not None:
            data.write_bytes(content)
        with pytest.raises(PostilionError) as raised:
            import_file(runtime, data, tmp_path / "mapping.yaml")
        told.append(f"{name}\n    {str(raised.value).replace(f'{tmp_path}/', '')}\n")
    golden("customers/import_faults.txt", "\n".join(told))
    with runtime.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(product)).scalar_one() == 0
        finished = select(func.count()).select_from(import_batch).where(import_batch.c.status == "done")
        assert connection.execute(finished).scalar_one() == 0


def test_a_mapping_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_mapping(tmp_path / "none.yaml")


def test_a_mapping_of_another_kind_is_told(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text("import: nonsense\ncolumns: {a: b}\n")
    with pytest.raises(ConfigError, match="nonsense"):
        load_mapping(tmp_path / "mapping.yaml")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"\xef\xbb\xbfsku;name;price\r\nTEA-001;Th\xc3\xa9;5.00\r\n", "Thé"),
        (b"sku\tname\tprice\nTEA-001\tTh\xe9\t5.00\n", "Thé"),
        (b'sku,name,price\n\nTEA-001,"Green\ntea",5.00', "Green\ntea"),
    ],
)
def test_a_csv_file_is_read_when_it_comes_from_another_system(
    runtime: Runtime, tmp_path: Path, content: bytes, name: str
) -> None:
    (tmp_path / "mapping.yaml").write_text(PRODUCTS)
    (tmp_path / "products.csv").write_bytes(content)
    assert load_mapping(tmp_path / "mapping.yaml", WORKSPACE).kind == "products"
    assert import_file(runtime, tmp_path / "products.csv", tmp_path / "mapping.yaml").imported_count == 1
    with runtime.database.read() as connection:
        assert connection.execute(select(product.c.name)).scalars().all() == [name]


def test_the_line_of_a_wrong_row_is_right_when_cells_hold_line_ends(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text(PRODUCTS)
    (tmp_path / "products.csv").write_text('sku,name,price\nA,"Green\ntea",5\nB,Black tea,cheap\n')
    import_file(runtime, tmp_path / "products.csv", tmp_path / "mapping.yaml")
    assert (
        tmp_path / "products.rejects.csv"
    ).read_text() == "line,reason,sku,name,price\n4,wrong_price,B,Black tea,cheap\n"
