from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import func, select

from core.runtime import Runtime
from customers.tables import customer_event, customer_order, order_line, profile
from tests.customers.importing import import_file

ROOT = Path(__file__).parents[2]
FILE = ROOT.parent / "shared" / "data" / "online_retail.parquet"
MAPPING = ROOT / "examples" / "retail" / "imports" / "orders.yaml"
NOW = datetime(2011, 12, 10, tzinfo=UTC)

CLEAN = "InvoiceNo NOT LIKE 'C%' AND Quantity > 0 AND UnitPrice > 0 AND regexp_matches(StockCode, '^[0-9]{5}')"


@pytest.fixture
def data() -> Path:
    if not FILE.exists():
        reason = f"the real data is missing: put online_retail.parquet into {FILE.parent}"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return FILE


def _ask(file: Path, words: str) -> tuple[int, ...]:
    row = duckdb.connect().execute(f"SELECT {words} FROM '{file}'").fetchone()
    assert row is not None
    return tuple(int(value) for value in row)


def test_every_line_of_a_real_year_is_accounted_for(runtime: Runtime, tmp_path: Path, data: Path) -> None:
    link = tmp_path / "online_retail.parquet"
    link.symlink_to(data)
    result = import_file(runtime, link, MAPPING, now=NOW)
    assert (result.read_count, result.imported_count, result.unchanged_count) == (541_909, 539_392, 0)
    assert result.rejected == {"negative_quantity": 1_336, "zero_price": 1_179, "negative_price": 2}
    assert result.details == {"orders": 19_960, "returns": 3_836, "anonymous": 1_610}

    # The same, counted by another engine from the file itself.
    exact = "sum(CAST(Quantity * CAST(UnitPrice AS DECIMAL(18,3)) * 100 AS DECIMAL(18,1)))"
    clean_lines, clean_orders, clean_cents = _ask(
        data, f"count(*), count(DISTINCT InvoiceNo), {exact} FILTER (WHERE {CLEAN}) FROM '{data}' WHERE {CLEAN} --"
    )
    (customers,) = _ask(data, "count(DISTINCT CustomerID)")
    with runtime.database.read() as connection:
        sold = (
            select(func.count(), func.count(func.distinct(order_line.c.order_id)), func.sum(order_line.c.amount))
            .join(customer_order, customer_order.c.id == order_line.c.order_id)
            .where(customer_order.c.kind == "order", order_line.c.kind == "product")
        )
        assert tuple(map(int, connection.execute(sold).one())) == (clean_lines, clean_orders, clean_cents)
        of_lines = select(func.sum(order_line.c.amount), func.count())
        of_orders = select(func.sum(customer_order.c.total), func.sum(customer_order.c.line_count))
        assert tuple(connection.execute(of_lines).one()) == tuple(connection.execute(of_orders).one())
        events = dict(
            connection.execute(select(customer_event.c.name, func.count()).group_by(customer_event.c.name))
            .tuples()
            .all()
        )
        people = connection.execute(select(func.count()).select_from(profile)).scalar_one()
    assert events == {"order_placed": 19_960, "order_returned": 3_836}
    # A customer of whom only refused lines are known leaves no profile.
    assert customers - 5 <= people <= customers
