"""Importing a small file in a test, here or in a process that is killed, and what the tables then hold."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select

from core.clock import ManualClock
from core.database import Database
from core.keys import load_key
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.imports.mapping import load_mapping
from customers.imports.run import ImportResult, run_import
from customers.tables import (
    consent_entry,
    customer_event,
    customer_order,
    identity,
    import_batch,
    order_line,
    product,
    profile,
)
from tests.customers.conftest import NOW, WORKSPACE


def import_file(
    runtime: Runtime, file: Path, mapping: Path, *, now: datetime = NOW, batch_rows: int = 20_000
) -> ImportResult:
    loaded = load_mapping(mapping, WORKSPACE)
    told: list[int] = []
    result = run_import(
        runtime,
        WORKSPACE,
        loaded.kind,
        file,
        loaded,
        progress=lambda done, _total: told.append(done),
        rejects_file=file.with_suffix(".rejects.csv"),
        now=now,
        batch_rows=batch_rows,
    )
    assert result.read_count == result.imported_count + result.unchanged_count + result.rejected_count
    assert told == sorted(told)
    return result


def import_text(runtime: Runtime, folder: Path, mapping: str, text: str, *, ending: str = "csv") -> ImportResult:
    """Import `text` as a file; a file of another content or mapping is another import."""
    file, yaml = folder / f"data.{ending}", folder / "mapping.yaml"
    file.write_text(text, encoding="utf-8")
    yaml.write_text(mapping, encoding="utf-8")
    return import_file(runtime, file, yaml)


def contents(connection: Connection) -> dict[str, list[Any]]:
    """What the tables hold, without the numbers that the database gives and the randomness of seals."""
    keys = dict(connection.execute(select(customer_order.c.id, customer_order.c.key)).tuples().all())
    is_name = identity.c.kind == "external_id"
    people = dict(connection.execute(select(identity.c.profile_id, identity.c.lookup).where(is_name)).tuples().all())
    named = {"order_id": keys, "profile_id": people}
    tables = (profile, identity, customer_order, order_line, customer_event, product, consent_entry, import_batch)
    return {table.name: _rows(connection, table, named) for table in tables}


def _rows(connection: Connection, table: Table, named: dict[str, dict[int, str]]) -> list[Any]:
    left_out = {"id", "batch_id", "transaction_no", "sealed", "sealed_attributes", "sealed_properties"}
    rows = []
    for row in connection.execute(select(table)).mappings():
        values = {name: value for name, value in row.items() if name not in left_out}
        values |= {name: named[name].get(value) for name, value in values.items() if name in named}
        if table is import_batch:
            values["counts"] = {name: value for name, value in row["counts"].items() if name != "state"}
        rows.append(values)
    return sorted(rows, key=str)


def main() -> None:
    """`python -m tests.customers.importing URL KEY KEYS FILE MAPPING`: an import that may be killed."""
    url, key, keys, file, mapping = sys.argv[1:]
    vault = Vault(load_key(Path(key)), open_key_store(keys))
    vault.create_store()
    runtime = Runtime(Settings(), Database(url), vault, ManualClock(NOW))
    sys.stdout.write("begins\n")
    sys.stdout.flush()
    import_file(runtime, Path(file), Path(mapping), batch_rows=500)
    sys.stdout.write("ends\n")


if __name__ == "__main__":
    main()
