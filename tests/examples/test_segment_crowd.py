"""The crowd of the segment benchmark is the same for a seed and as large as it says; its segments are right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.segment_people import COLUMNS, draw
from benchmarks.segment_world import FOLDER, NAMED, SHOP, copy_crowd, open_world
from core.clock import to_micros
from core.located import load_yaml
from core.schema_check import check_schema
from segments.definition import load_segments

FILES = sorted(FOLDER.glob("*.yaml"))


def test_rows_are_the_same_when_drawn_again() -> None:
    first, second = draw(101, 50, 7), draw(101, 50, 7)
    assert first[1] == second[1]
    assert {name: list(rows) for name, rows in first[0].items()} == {
        name: list(rows) for name, rows in second[0].items()
    }


def test_people_have_five_order_lines_and_ten_events_on_average() -> None:
    rows, order_count = draw(1, 5_000, 1)
    events = list(rows["event"])
    names = Counter(event[1] for event in events)
    assert 4.5 < len(list(rows["order_line"])) / 5_000 < 5.5
    assert 9 < len(events) / 5_000 < 11
    assert names["order_placed"] + names["order_returned"] == order_count == len(list(rows["customer_order"]))
    assert names.keys() - {"order_placed", "order_returned"} <= SHOP["events"].keys() | {
        "message_opened",
        "link_clicked",
    }


def test_every_row_fits_its_columns() -> None:
    rows, _ = draw(1, 200, 1)
    assert rows.keys() == COLUMNS.keys()
    for table, columns in COLUMNS.items():
        assert {len(row) for row in rows[table]} == {len(columns.split())}, table


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_segment_has_no_fault_when_it_is_checked(file: Path) -> None:
    located, faults = load_yaml(file.read_bytes(), file.name)
    assert located is not None, faults
    assert check_schema(located, "segment") == []
    assert located.data["segment"] == file.stem


def test_twenty_segments_are_published_when_a_crowd_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    world = tmp_path / "world"
    world.mkdir()
    copy_crowd(world, 300)
    with open_world(world) as runtime, runtime.database.read() as connection:
        published = load_segments(connection)
        people, newest = connection.exec_driver_sql(
            "SELECT count(DISTINCT profile_id), max(occurred_at) FROM customer_event"
        ).one()
    assert len(published) == 20
    assert set(NAMED) < published.keys()
    assert people > 200
    assert newest < to_micros(runtime.clock.now())
