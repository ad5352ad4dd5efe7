"""The segments of examples/retail find on real orders whom a count of the file itself finds, and their page is true."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sqlalchemy import select

from core.database import Database
from core.located import load_yaml
from customers.tables import IdentityKind, identity
from segments.membership import members
from tests.documents import ROOT, blocks
from tests.following import follow

PAGE = ROOT / "docs" / "how-to" / "crm-questions.md"
RETAIL = ROOT / "examples" / "retail"
FILE = ROOT.parent / "shared" / "data" / "online_retail.parquet"

# What the mapping keeps: lines of customers with a price and, unless it is a return, with a quantity. Windows end at
# 2011-12-10 00:00 UTC; the file's local times are an hour ahead of that in summer, when nobody orders around midnight.
LINES = """
    SELECT CustomerID AS person, InvoiceNo AS invoice, StockCode AS sku, InvoiceDate AS placed, Quantity AS quantity,
        round(Quantity * UnitPrice * 100) AS amount, InvoiceNo LIKE 'C%' AS is_return
    FROM read_parquet(?)
    WHERE CustomerID IS NOT NULL AND UnitPrice > 0 AND (InvoiceNo LIKE 'C%' OR Quantity > 0)
"""
SINCE = "TIMESTAMP '2011-12-10' - INTERVAL {} DAY"
HAVING = {
    "most_valuable": f"sum(amount) FILTER (WHERE placed >= {SINCE.format(365)}) >= 500000",
    "about_to_leave": f"count(DISTINCT invoice) FILTER (WHERE NOT is_return AND placed >= {SINCE.format(365)}) >= 4 "
    f"AND max(placed) FILTER (WHERE NOT is_return) >= {SINCE.format(120)} "
    f"AND max(placed) FILTER (WHERE NOT is_return) < {SINCE.format(60)}",
    "cakestand_without_tins": "sum(quantity) FILTER (WHERE sku = '22423') > 0 "
    "AND NOT coalesce(sum(quantity) FILTER (WHERE sku = '22720'), 0) > 0",
    "first_time_buyers": f"count(DISTINCT invoice) FILTER (WHERE NOT is_return) = 1 "
    f"AND max(placed) FILTER (WHERE NOT is_return) >= {SINCE.format(30)}",
    "dormant": f"max(placed) FILTER (WHERE NOT is_return) < {SINCE.format(90)}",
}


@pytest.fixture(scope="module")
def file() -> Path:
    if not FILE.exists():
        reason = f"the real data is missing: put online_retail.parquet into {FILE.parent}"
        pytest.fail(reason, pytrace=False) if os.environ.get("CI") else pytest.skip(reason)
    return FILE


@pytest.fixture(scope="module")
def project(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example in which the page was followed, word by word."""
    folder = tmp_path_factory.mktemp("crm")
    shutil.copytree(RETAIL, folder / "retail", ignore=shutil.ignore_patterns(".postilion"))
    (folder / "retail" / file.name).symlink_to(file)
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert follow(PAGE, folder, monkeypatch) >= 14
    return folder / "retail"


@pytest.mark.parametrize("slug", HAVING)
def test_segment_finds_whom_the_file_itself_names_when_a_year_was_imported(
    slug: str, project: Path, file: Path
) -> None:
    query = f"SELECT person FROM ({LINES}) GROUP BY person HAVING {HAVING[slug]}"
    with duckdb.connect() as connection:
        expected = {str(int(person)) for (person,) in connection.execute(query, [str(file)]).fetchall()}
    assert len(expected) > 100
    assert _members(project, slug) == expected


def test_page_shows_the_segments_of_the_example() -> None:
    shown = {block.file: block.text for block in blocks(PAGE) if block.file}
    files = {f"segments/{slug}.yaml" for slug in HAVING}
    assert files <= shown.keys()
    for name in files:
        assert _data(shown[name]) == _data((RETAIL / name).read_text(encoding="utf-8")), name


def test_page_names_each_number_that_its_segments_have(project: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for slug in (*HAVING, "bought_again"):
        said = re.search(rf"preview segments/{slug}\.yaml\n([\d,]+) of 4,371 people", text)
        assert said is not None, slug
        assert int(said[1].replace(",", "")) == len(_members(project, slug)), slug


def _members(project: Path, slug: str) -> set[str]:
    """The customer numbers of a segment's members."""
    database = Database(f"sqlite:///{project / '.postilion' / 'postilion.db'}")
    with database.read() as connection:
        query = select(identity.c.profile_id, identity.c.lookup).where(
            identity.c.kind == IdentityKind.EXTERNAL_ID.value
        )
        numbers: dict[int, str] = dict(connection.execute(query).tuples().all())
        found = {numbers[profile_id].rpartition(":")[2] for profile_id in members(connection, slug)}
    database.close()
    return found


def _data(text: str) -> Any:
    located, faults = load_yaml(text.encode(), "segment.yaml")
    assert located is not None, faults
    return located.data
