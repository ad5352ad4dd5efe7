"""Rows from a query of another database: streamed, read only, and its password told to nobody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from sqlalchemy import select

from core.errors import InputError
from core.runtime import Runtime
from customers.accounts import list_accounts, members_of
from customers.imports.dry_run import dry_run
from customers.imports.mapping import load_mapping
from customers.imports.run import ImportResult, run_import
from customers.imports.sources import Query, open_source, parse_query
from customers.profiles import find_profile, get_profile
from customers.tables import customer_order, import_batch, profile
from tests.customers.conftest import NOW, WORKSPACE
from tests.customers.importing import import_text

PEOPLE = """import: profiles
source: crm
columns:
  external_id: id
  email: mail
  tier: tier
  visits: visits
  birthday: born
  consent.email.marketing: wants_news
  consent.email.marketing.at: since
"""
TABLE = (
    "CREATE TABLE customer (id INTEGER, mail TEXT, tier TEXT, visits NUMERIC(8, 2), born DATE, wants_news {}, since {})"
)
SELECT = "SELECT id, mail, tier, visits, born, wants_news, since FROM customer WHERE mail LIKE '%' ORDER BY id"
SECRET = "s3cret-w0rd"


@pytest.fixture
def crm(tmp_path: Path) -> str:
    """Another system's SQLite file."""
    connection = sqlite3.connect(tmp_path / "crm.db")
    connection.execute(TABLE.format("BOOLEAN", "TEXT"))
    rows = [
        (1, "alice@example.org", "gold", 12.5, "1990-05-06", 1, "2026-01-01 10:00:00"),
        (2, "wrong", "", 1, None, 1, None),
    ]
    connection.executemany("INSERT INTO customer VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return f"sqlite:///{tmp_path / 'crm.db'}"


def take(
    runtime: Runtime, folder: Path, query: Query, mapping: str = PEOPLE, *, batch_rows: int = 20_000
) -> ImportResult:
    (folder / "mapping.yaml").write_text(mapping)
    loaded = load_mapping(folder / "mapping.yaml", WORKSPACE)
    return run_import(
        runtime,
        WORKSPACE,
        loaded.kind,
        query,
        loaded,
        progress=lambda _done, _total: None,
        rejects_file=folder / "rejects.csv",
        now=NOW,
        batch_rows=batch_rows,
    )


def attributes(runtime: Runtime, name: str) -> Mapping[str, Any]:
    with runtime.database.read() as connection:
        number = find_profile(connection, runtime.vault, "external_id", name)
        assert number is not None
        return get_profile(connection, runtime.vault, number).attributes


def test_rows_of_a_sqlite_file_are_imported_and_refused_as_those_of_a_file_are(
    runtime: Runtime, tmp_path: Path, crm: str
) -> None:
    result = take(runtime, tmp_path, parse_query(crm, SELECT))
    assert (result.imported_count, result.rejected) == (1, {"wrong_email": 1})
    assert attributes(runtime, "1") == {"tier": "gold", "visits": 12.5, "birthday": "1990-05-06"}
    assert result.details["consents"] == 1
    assert (tmp_path / "rejects.csv").read_text().splitlines()[1].startswith("2,wrong_email,2,***")


def test_second_run_of_a_query_is_an_import_whose_rows_are_unchanged(
    runtime: Runtime, tmp_path: Path, crm: str
) -> None:
    first, second = (take(runtime, tmp_path, parse_query(crm, SELECT)) for _ in range(2))
    assert (first.imported_count, second.imported_count, second.unchanged_count) == (1, 0, 1)
    assert not second.is_repeat
    with runtime.database.read() as connection:
        assert connection.execute(select(import_batch.c.status)).scalars().all() == ["done", "done"]


@pytest.fixture
def other(postgresql_copies: Any) -> Iterator[str]:
    """Another system's PostgreSQL database."""
    url = postgresql_copies.take()
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain) as connection:
        connection.execute(TABLE.format("BOOLEAN", "TIMESTAMPTZ"))
        connection.execute("CREATE SEQUENCE customer_no")
        connection.execute(
            "INSERT INTO customer SELECT n, 'p' || n || '@example.org', 'gold', n / 2.0, DATE '1990-05-06', n % 2 = 0, "
            "TIMESTAMPTZ '2026-01-01 10:00+01' FROM generate_series(1, 2500) n"
        )
    yield plain
    with psycopg.connect(plain) as connection:
        connection.execute("DROP TABLE customer")
        connection.execute("DROP SEQUENCE customer_no")
    postgresql_copies.give_back(url)


def test_rows_of_postgresql_are_streamed_in_batches(runtime: Runtime, tmp_path: Path, other: str) -> None:
    result = take(runtime, tmp_path, parse_query(other, SELECT), batch_rows=700)
    assert (result.imported_count, result.rejected_count) == (2500, 0)
    assert result.details["consents"] == 2500
    assert attributes(runtime, "7") == {"tier": "gold", "visits": 3.5, "birthday": "1990-05-06"}


def test_nothing_can_be_written_when_a_query_would(runtime: Runtime, tmp_path: Path, crm: str, other: str) -> None:
    for url in (crm, other):
        for text in (
            "DELETE FROM customer",
            "-- SELECT\nUPDATE customer SET mail = ''",
            "",
            "  ;",
            "PRAGMA user_version = 3",
        ):
            with pytest.raises(InputError, match="must only read"):
                parse_query(url, text)
    sneaky = "WITH gone AS (DELETE FROM customer RETURNING *) SELECT * FROM gone"
    with pytest.raises(InputError, match="cannot be read: DECLARE CURSOR must not contain data-modifying statements"):
        take(runtime, tmp_path, parse_query(other, sneaky))
    with pytest.raises(InputError, match="in a read-only transaction"):
        take(runtime, tmp_path, parse_query(other, SELECT.replace("id,", "nextval('customer_no') AS id,", 1)))
    with pytest.raises(InputError, match="cannot be read"):
        take(runtime, tmp_path, parse_query(crm, "SELECT 1; DELETE FROM customer"))
    with psycopg.connect(other) as connection:
        assert connection.execute("SELECT count(*) FROM customer").fetchone() == (2500,)


def test_query_stands_in_a_file_when_it_is_long(runtime: Runtime, tmp_path: Path, crm: str) -> None:
    (tmp_path / "people.sql").write_text(f"-- everybody\n{SELECT};\n")
    query = parse_query(crm, str(tmp_path / "people.sql"))
    assert query.name == "sqlite:crm.db people.sql"
    assert take(runtime, tmp_path, query).imported_count == 1
    with pytest.raises(InputError, match=r"the query .*none\.sql cannot be read"):
        parse_query(crm, str(tmp_path / "none.sql"))


def test_password_is_told_to_nobody_when_the_source_cannot_be_reached(
    runtime: Runtime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    query = parse_query(f"postgresql://crm:{SECRET}@127.0.0.1:1/shop?application_name={SECRET}", SELECT)
    with pytest.raises(InputError, match="cannot be read") as raised:
        take(runtime, tmp_path, query)
    chain = [raised.value, raised.value.__cause__]
    assert SECRET not in "".join(map(repr, [*chain, query, str(query), query.name]))
    assert raised.value.__suppress_context__
    assert SECRET not in caplog.text
    assert query.name.startswith("postgresql://127.0.0.1/shop query ")


def test_password_stands_in_no_table_and_no_result_when_the_import_is_done(
    runtime: Runtime, tmp_path: Path, other: str
) -> None:
    secretive = f"{other}{'&' if '?' in other else '?'}options=-capplication_name%3D{SECRET}"
    query = parse_query(secretive, SELECT)
    result = take(runtime, tmp_path, query)
    with runtime.database.read() as connection:
        rows = connection.execute(select(import_batch)).all()
    assert SECRET not in repr(rows) + repr(result) + msgspec.json.encode(asdict(result), enc_hook=str).decode()
    loaded = load_mapping(tmp_path / "mapping.yaml", WORKSPACE)
    tried = dry_run(runtime, WORKSPACE, "profiles", query, loaded, progress=lambda *_: None, now=NOW)
    assert SECRET not in repr(tried)
    assert tried.counts == {"unchanged": 2500}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("nonsense", "--from is no database address"),
        (f"mysql://crm:{SECRET}@db/shop", "install pymysql"),
        ("mssql+pyodbc://db/shop", "install pyodbc"),
        ("klingon://db/shop", "the SQLAlchemy driver of klingon"),
        ("sqlite:///nowhere.db", "there is no SQLite file nowhere.db"),
    ],
)
def test_address_that_leads_nowhere_is_told_with_the_way_out(
    runtime: Runtime, tmp_path: Path, url: str, sentence: str
) -> None:
    with pytest.raises(InputError) as raised:
        take(runtime, tmp_path, parse_query(url, SELECT))
    assert sentence in str(raised.value)
    assert SECRET not in str(raised.value)
    assert not Path("nowhere.db").exists()


def test_missing_column_is_told_with_its_place_when_the_query_does_not_name_it(
    runtime: Runtime, tmp_path: Path, crm: str
) -> None:
    from core.errors import ConfigError

    with pytest.raises(ConfigError, match="has no column 'mail', it has id"):
        take(runtime, tmp_path, parse_query(crm, "SELECT id FROM customer"))


def test_bytes_are_text_when_a_driver_gives_them(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "b.db").close()
    (tmp_path / "mapping.yaml").write_text("import: products\ncolumns: {sku: sku, name: name}\n")
    loaded = load_mapping(tmp_path / "mapping.yaml", WORKSPACE)
    query = parse_query(f"sqlite:///{tmp_path / 'b.db'}", "VALUES (1)")
    assert query.text == "VALUES (1)"
    query = parse_query(f"sqlite:///{tmp_path / 'b.db'}", "SELECT 'A' AS sku, CAST('Thé' AS BLOB) AS name")
    with open_source(query, loaded, WORKSPACE) as (source, _):
        assert [batch.rows for batch in source.iter_batches(["sku", "name"], 10)] == [[("A", "Thé")]]


# -- kinds that build on others ---------------------------------------------------------------------------------------

ORDERS = """import: orders
columns: {order_id: order, placed_at: at, external_id: who, sku: sku, quantity: n, unit_price: price}
"""
RETURNS = """import: returns
columns: {return_id: no, order_id: order, placed_at: at, sku: sku, quantity: n, amount: amount}
"""


def test_returned_goods_are_negative_and_belong_to_whoever_ordered_them(runtime: Runtime, tmp_path: Path) -> None:
    import_text(runtime, tmp_path, ORDERS, "order,at,who,sku,n,price\n1,2026-01-01,A,TEA,2,5\n")
    rows = "no,order,at,sku,n,amount\nR1,1,2026-01-05,TEA,1,5.00\nR1,1,2026-01-05,POT,1,9.00\n,,2026-01-05,POT,1,9\n"
    result = import_text(runtime, tmp_path, RETURNS, rows)
    assert (result.imported_count, result.rejected, result.details["returns"]) == (2, {"missing_order_id": 1}, 1)
    order = customer_order.c
    with runtime.database.read() as connection:
        found = connection.execute(select(order.kind, order.total, order.profile_id).order_by(order.id)).all()
        owner = connection.execute(select(profile.c.id)).scalar_one()
    assert [tuple(row) for row in found] == [("order", 1000, owner), ("return", -1400, owner)]
    again = import_text(runtime, tmp_path, RETURNS, rows + "\n")
    assert (again.imported_count, again.unchanged_count) == (0, 2)


def test_return_is_known_by_its_order_when_it_has_no_number_of_its_own(runtime: Runtime, tmp_path: Path) -> None:
    import_text(runtime, tmp_path, ORDERS, "order,at,who,sku,n,price\n1,2026-01-01,A,TEA,2,5\n")
    mapping = RETURNS.replace("return_id: no, ", "")
    result = import_text(runtime, tmp_path, mapping, "order,at,sku,n,amount\n1,2026-01-05,TEA,1,5.00\n")
    assert result.details["returns"] == 1
    with runtime.database.read() as connection:
        keys = connection.execute(select(customer_order.c.key).order_by(customer_order.c.id)).scalars().all()
    assert keys == ["import:1", "import:1:return"]


ACCOUNTS = "import: profiles\ncolumns: {external_id: id, account: firm, account_name: name, account_role: role}\n"


def test_people_are_members_of_the_company_that_their_row_names(runtime: Runtime, tmp_path: Path) -> None:
    rows = "id,firm,name,role\nA,F1,Fern & Co,Decider\nB,F1,,\nC,,Kettle Ltd,user\nD,,,\nE,F1,,emperor\n"
    result = import_text(runtime, tmp_path, ACCOUNTS, rows)
    assert (result.details["account_members"], result.rejected) == (3, {"wrong_account_role": 1})
    with runtime.database.read() as connection:
        accounts = {one.key: one for one in list_accounts(connection)}
        roles = {key: [one.role for one in members_of(connection, accounts[key].id)] for key in accounts}
    assert {key: one.name for key, one in accounts.items()} == {"F1": "Fern & Co", "Kettle Ltd": "Kettle Ltd"}
    assert roles == {"F1": ["decider", None], "Kettle Ltd": ["user"]}
    again = import_text(runtime, tmp_path, ACCOUNTS, rows.replace("B,F1,,", "B,F1,,buyer"))
    assert (again.imported_count, again.unchanged_count) == (1, 3)
