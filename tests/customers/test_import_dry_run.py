"""Trying an import: what it says comes true, what it writes is nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from core.definitions import publish
from core.runtime import Runtime
from customers.imports.dry_examples import masked_address, shown
from customers.imports.dry_rows import PREVIEWS
from customers.imports.dry_run import DryRun, dry_run
from customers.imports.fields import ImportKind
from customers.imports.kinds import IMPORTERS
from customers.imports.mapping import load_mapping
from customers.imports.seen_rows import open_seen_rows
from customers.lists import add_to_list
from customers.tables import import_batch, profile
from migrations.tables import metadata
from tests.customers.conftest import NOW, WORKSPACE
from tests.customers.importing import import_text

PEOPLE = """import: profiles
columns:
  external_id: id
  email: mail
  first_name: name
  tier: tier
  birthday: born
  consent.email.marketing: news
  consent.email.marketing.at: since
skip: [colour]
"""
HEADER = "id,mail,name,tier,born,news,since,colour,shoes\n"


def try_text(
    runtime: Runtime, folder: Path, mapping: str, text: str, *, ending: str = "csv", batch_rows: int = 10_000
) -> DryRun:
    (folder / f"tried.{ending}").write_text(text, encoding="utf-8")
    (folder / "tried.yaml").write_text(mapping, encoding="utf-8")
    loaded = load_mapping(folder / "tried.yaml", WORKSPACE)
    before = _row_counts(runtime)
    told: list[int] = []
    tried = dry_run(
        runtime,
        WORKSPACE,
        loaded.kind,
        folder / f"tried.{ending}",
        loaded,
        progress=lambda done, _total: told.append(done),
        now=NOW,
        batch_rows=batch_rows,
    )
    assert _row_counts(runtime) == before
    assert list(runtime.settings.state_folder.glob("dry-run*")) == []
    return tried


def _row_counts(runtime: Runtime) -> dict[str, int]:
    with runtime.database.read() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


@pytest.mark.parametrize("batch_rows", [1, 2, 10_000])
def test_every_outcome_is_counted_when_customers_are_tried(runtime: Runtime, tmp_path: Path, batch_rows: int) -> None:
    stored = (
        "A,alice@example.org,Alice,gold,1990-05-06,yes,2026-01-01,red,38\n"
        "B,bob@example.org,Bob,,,no,2026-02-01,red,44\n"
    )
    import_text(runtime, tmp_path, PEOPLE, HEADER + stored)
    rows = [
        "A,alice@example.org,Alice,gold,1990-05-06,yes,2026-01-01,red,38",  # unchanged
        "B,bob@example.org,Robert,silver,,yes,2026-03-01,red,44",  # changed, and his consent is refused
        "C,carol@example.org,Carol,,,yes,2026-03-01,red,40",  # new
        "C,carol@example.org,Carola,,,,,red,40",  # a second row that says something else
        "C,carol@example.org,Carola,,,,,red,40",  # a third one that says the same
        "X,alice@example.org,Alan,,,,,red,40",  # somebody else at Alice's address
        ",dave@example.org,Dave,,,yes,,red,1",  # consent without its day
        "E,eve@example.org,Eve,,2027-01-01,,,red,1",
        ",,Nobody,,,,,red,1",
    ]
    tried = try_text(runtime, tmp_path, PEOPLE, HEADER + "\n".join(rows) + "\n", batch_rows=batch_rows)
    assert dict(tried.counts) == {
        "new_profiles": 2,
        "changed": 1,
        "unchanged": 1,
        "repeated_rows": 2,
        "conflicts": 1,
        "two_external_ids_for_one_address": 1,
        "consents": 1,
        "consents_refused_because_withdrawn": 1,
    }
    assert dict(tried.rejected) == {"missing_consent_date": 1, "impossible_birthday": 1, "missing_identity": 1}
    assert tried.unread_columns == ("shoes",)
    assert (tried.read_count, tried.file) == (9, "tried.csv")


def test_examples_show_what_would_change_and_no_personal_value(runtime: Runtime, tmp_path: Path) -> None:
    import_text(runtime, tmp_path, PEOPLE, HEADER + "A,alice@example.org,Alice,gold,1990-05-06,,,,\n")
    rows = "A,alice@work.example,Alicia,silver,1990-05-06,,,,\n,bob@example.org,Bob,gold,,,,,\n"
    tried = try_text(runtime, tmp_path, PEOPLE, HEADER + rows)
    assert [(one.line, one.what, one.who) for one in tried.examples] == [
        (2, "changed", "A"),
        (3, "new_profiles", "b***@example.org"),
    ]
    assert {name: (old, new) for name, old, new in tried.examples[0].changes} == {
        "email": ("a***@example.org", "a***@work.example"),
        "first_name": ("A***", "A***"),
        "tier": ("gold", "silver"),
    }
    told = msgspec.json.encode(asdict(tried)).decode()
    assert not any(word in told for word in ("alice@", "bob@", "Alicia", "1990"))


def test_examples_are_twenty_and_of_every_outcome(runtime: Runtime, tmp_path: Path) -> None:
    rows = [f"N{number},n{number}@example.org,Ann,,,,,," for number in range(100)]
    rows += [f"N{number},n{number}@example.org,Anna,,,,,," for number in range(3)]
    tried = try_text(runtime, tmp_path, PEOPLE, HEADER + "\n".join(rows) + "\n")
    assert len(tried.examples) == 20
    assert {one.what for one in tried.examples} == {"new_profiles", "conflicts"}


def test_what_was_foreseen_comes_true_when_the_file_is_imported(runtime: Runtime, tmp_path: Path) -> None:
    rows = []
    for number in range(200):
        name = "" if number % 7 == 0 else f"P{number % 40}"
        day = f"2026-01-0{number % 9 + 1}"
        rows.append(f"{name},p{number % 40}@example.org,Ann{number % 3},gold,,yes,{day},,")
    tried = try_text(runtime, tmp_path, PEOPLE, HEADER + "\n".join(rows) + "\n", batch_rows=17)
    done = import_text(runtime, tmp_path, PEOPLE, HEADER + "\n".join(rows) + "\n")
    with runtime.database.read() as connection:
        assert (
            connection.execute(select(func.count()).select_from(profile)).scalar_one() == tried.counts["new_profiles"]
        )
    assert tried.counts["consents"] == done.details["consents"]
    assert sum(tried.counts.get(name, 0) for name in ("new_profiles", "changed", "unchanged", "repeated_rows")) == 200
    again = try_text(runtime, tmp_path, PEOPLE, HEADER + "\n".join(rows[-40:]) + "\n")
    assert "new_profiles" not in again.counts


# -- the other kinds --------------------------------------------------------------------------------------------------

PRODUCTS = "import: products\ncolumns: {sku: sku, name: name, price: price}\n"
ORDERS = """import: orders
columns: {order_id: order, placed_at: at, external_id: who, sku: sku, quantity: n, unit_price: price}
"""
EVENTS = "import: events\ncolumns: {name: event, occurred_at: at, external_id: who, message_id: id}\n"
CONSENTS = "import: consents\ncolumns: {email: mail, channel: channel, topic: topic, status: said, occurred_at: at}\n"
STOPS = "import: suppressions\ncolumns: {email: mail, reason: why}\n"
LISTS = "import: lists\ncolumns: {email: mail, list: {value: press}, is_member: on}\n"
RETURNS = """import: returns
columns: {return_id: no, order_id: order, placed_at: at, sku: sku, quantity: n, unit_price: price}
"""


@pytest.mark.parametrize(
    ("mapping", "stored", "text", "counts", "rejected"),
    [
        (
            PRODUCTS,
            "sku,name,price\nA,Sencha,5\nB,Assam,4\n",
            "sku,name,price\nA,Sencha,5\nB,Assam,4.50\nC,Gong,9\nC,Gong,9\nD,,1\n",
            {"new_products": 2, "changed": 1, "unchanged": 1, "repeated_rows": 1},
            {"missing_name": 1},
        ),
        (
            ORDERS,
            "order,at,who,sku,n,price\n1,2026-01-01,A,TEA,1,5\n1,2026-01-01,A,POT,1,9\n",
            (
                "order,at,who,sku,n,price\n1,2026-01-01,A,TEA,2,5\n1,2026-01-01,A,POT,1,9\n2,2026-01-02,,TEA,1,5\n"
                "2,2026-01-02,,POT,1,9\n3,2026-01-02,B,TEA,0,5\n"
            ),
            {"new_orders": 1, "known_orders": 1, "new_lines": 2, "unchanged": 1, "anonymous_orders": 1},
            {"differs_from_stored": 1, "zero_quantity": 1},
        ),
        (
            EVENTS,
            "event,at,who,id\nproduct_viewed,2026-01-01,A,1\n",
            "event,at,who,id\nproduct_viewed,2026-01-01,A,1\nproduct_viewed,2026-01-02,A,2\nx,2026-01-02,A,2\n,2026-01-01,A,3\n",
            {"new_events": 1, "unchanged": 1, "repeated_rows": 1},
            {"missing_name": 1},
        ),
        (
            CONSENTS,
            "mail,channel,topic,said,at\nbob@example.org,email,marketing,no,2026-02-01\n",
            (
                "mail,channel,topic,said,at\nbob@example.org,email,marketing,yes,2026-03-01\n"
                "bob@example.org,email,marketing,no,2026-02-01\nalice@example.org,email,marketing,yes,2026-01-01\n"
                "carol@example.org,email,*,no,2026-01-01\nx@example.org,smoke,marketing,yes,2026-01-01\n"
            ),
            {"grants": 1, "withdrawals": 1, "unchanged": 1, "grants_refused_because_withdrawn": 1},
            {"unknown_channel": 1},
        ),
        (
            STOPS,
            "mail,why\ncarol@example.org,bounce\n",
            "mail,why\ncarol@example.org,bounce\ndave@example.org,spam\ndave@example.org,spam\n,spam\n",
            {"new_suppressions": 1, "unchanged": 1, "repeated_rows": 1},
            {"missing_address": 1},
        ),
        (
            RETURNS,
            "no,order,at,sku,n,price\nR1,1,2026-01-05,TEA,1,5\n",
            "no,order,at,sku,n,price\nR1,1,2026-01-05,TEA,1,5\nR2,1,2026-01-06,TEA,1,5\n,1,2026-01-06,TEA,1,5\n",
            {"new_returns": 1, "known_orders": 1, "new_lines": 1, "unchanged": 1, "anonymous_orders": 1},
            {"missing_order_id": 1},
        ),
    ],
    ids=["products", "orders", "events", "consents", "suppressions", "returns"],
)
def test_outcomes_are_counted_when_other_rows_are_tried(
    runtime: Runtime, tmp_path: Path, mapping: str, stored: str, text: str, counts: Any, rejected: Any
) -> None:
    import_text(runtime, tmp_path, mapping, stored)
    tried = try_text(runtime, tmp_path, mapping, text)
    assert dict(tried.counts) == counts
    assert dict(tried.rejected) == rejected
    assert tried.examples


def test_members_are_counted_when_a_list_is_tried(runtime: Runtime, tmp_path: Path) -> None:
    import_text(runtime, tmp_path, "import: profiles\ncolumns: {email: mail}\n", "mail\na@x.org\nb@x.org\nc@x.org\n")
    with runtime.database.transaction() as connection:
        publish(connection, "list", "press", document={"list": "press"}, source="", file="lists/press.yaml", now=NOW)
        ids = connection.execute(select(profile.c.id).order_by(profile.c.id)).scalars().all()
        add_to_list(connection, "press", ids[:2], NOW)
    rows = "mail,on\na@x.org,yes\nb@x.org,no\nc@x.org,yes\nc@x.org,yes\nnobody@x.org,yes\n"
    tried = try_text(runtime, tmp_path, LISTS, rows)
    assert dict(tried.counts) == {"added": 1, "removed": 1, "unchanged": 1, "repeated_rows": 1}
    assert dict(tried.rejected) == {"unknown_person": 1}


def test_every_kind_can_be_tried() -> None:
    assert set(PREVIEWS) == set(IMPORTERS) == set(ImportKind)


# -- what is remembered, and for how long -----------------------------------------------------------------------------


def test_hashes_survive_on_disk_when_they_do_not_fit_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customers.imports.seen_rows._CACHE_ROWS", 10)
    with open_seen_rows(tmp_path) as seen:
        for number in range(100):
            seen.load([])
            seen.put(seen.hash(number), str(number).encode())
        assert all(seen.get(seen.hash(number)) == str(number).encode() for number in range(100))
        assert seen.get(seen.hash("other")) is None
    assert list(tmp_path.iterdir()) == []


def test_file_of_hashes_is_gone_when_the_work_is_interrupted(tmp_path: Path) -> None:
    def work() -> None:
        with open_seen_rows(tmp_path) as seen:
            seen.put(b"a", b"b")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_the_process_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom customers.imports.seen_rows import open_seen_rows\n"
        "with open_seen_rows(Path(sys.argv[1])) as seen:\n"
        "    seen.put(seen.hash('alice@example.org'), b'1')\n"
        "    seen._store()\n    print('there', flush=True)\n    time.sleep(60)\n"
    )
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"there\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    process.stdout.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "value", "masked"),
    [("email", "alice@example.org", "a***@example.org"), ("phone", "+442079460018", "+44***18")],
)
def test_address_is_masked_when_it_is_shown(kind: str, value: str, masked: str) -> None:
    assert masked_address(kind, value) == masked


def test_plain_value_is_shown_and_a_personal_one_is_not() -> None:
    assert shown("gold", is_personal=False) == "gold"
    assert shown("Alice", is_personal=True) == "A***"
    assert shown(None, is_personal=True) is None
    assert shown("x" * 100, is_personal=False) == "x" * 59 + "…"


def test_batch_is_not_recorded_when_it_is_only_tried(runtime: Runtime, tmp_path: Path) -> None:
    try_text(runtime, tmp_path, PRODUCTS, "sku,name,price\nA,Sencha,5\n")
    with runtime.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(import_batch)).scalar_one() == 0
