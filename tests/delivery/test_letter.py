"""Letters for a print house: one row a message, whole or not at all, once."""

from __future__ import annotations

import csv
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import ManualClock
from core.errors import InputError
from delivery.letter_pages import print_pdf, read_letters, write_html
from delivery.providers.letter import LetterTransport, _record, _whole_length
from tests.delivery.counterparts import POST

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "letters"


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_a_row_stands_in_the_file_of_its_day_and_campaign_when_a_letter_is_sent(folder: Path) -> None:
    accepted = LetterTransport(folder, ManualClock(NOW)).send(replace(POST, text='Dear Alice,\n\n"hello"; é'))
    (file,) = folder.glob("*.csv")
    assert file.name == "2026-06-10-summer.csv"
    assert rows_of(file) == [
        {
            "message": "m-1",
            "name": "Alice",
            "street": "1 Elm Row",
            "sender": "Fern & Kettle",
            "text": 'Dear Alice,\n\n"hello"; é',
        }
    ]
    assert accepted.provider_id == "letter-m-1"
    assert (file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_one_letter_is_printed_when_it_is_tried_again_on_the_next_day_by_another_process(folder: Path) -> None:
    clock = ManualClock(NOW)
    LetterTransport(folder, clock).send(POST)
    clock.advance(DAY)
    LetterTransport(folder, clock).send(POST)
    LetterTransport(folder, clock).send(replace(POST, message_id="m-2"))
    assert {file.name: [row["message"] for row in rows_of(file)] for file in folder.glob("*.csv")} == {
        "2026-06-10-summer.csv": ["m-1"],
        "2026-06-11-summer.csv": ["m-2"],
    }


def test_each_letter_is_there_once_when_several_processes_write_at_once(folder: Path) -> None:
    transports = [LetterTransport(folder, ManualClock(NOW)) for _ in range(3)]  # each knows its own part of the file
    envelopes = [replace(POST, message_id=f"m-{number % 40}") for number in range(120)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda item: transports[item[0] % 3].send(item[1]), enumerate(envelopes)))
    (file,) = folder.glob("*.csv")
    assert sorted(row["message"] for row in rows_of(file)) == sorted({one.message_id for one in envelopes})


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_row_that_was_broken_off_is_written_anew_when_the_machine_died_within_it(folder: Path, cut: int) -> None:
    transport = LetterTransport(folder, ManualClock(NOW))
    transport.send(POST)
    transport.send(replace(POST, message_id="m-2", text="two\r\nlines"))
    (file,) = folder.glob("*.csv")
    os.truncate(file, file.stat().st_size - cut)
    again = LetterTransport(folder, ManualClock(NOW))
    again.send(POST)
    again.send(replace(POST, message_id="m-2", text="two\r\nlines"))
    assert [row["message"] for row in rows_of(file)] == ["m-1", "m-2"]


def test_another_file_is_begun_when_the_columns_have_changed(folder: Path) -> None:
    transport = LetterTransport(folder, ManualClock(NOW))
    transport.send(POST)
    for number in (2, 3):
        transport.send(replace(POST, message_id=f"m-{number}", details={"columns": {"name": "Bob", "town": "Bath"}}))
    assert {file.name: len(rows_of(file)) for file in folder.glob("*.csv")} == {
        "2026-06-10-summer.csv": 1,
        "2026-06-10-summer.2.csv": 2,
    }


def test_a_cell_is_no_formula_when_a_name_is_hostile(folder: Path) -> None:
    hostile = {"columns": {"name": "=HYPERLINK(1)", "street": '\t@SUM(1)","x'}}
    LetterTransport(folder, ManualClock(NOW)).send(replace(POST, details=hostile, tags={"campaign": "../../etc/x"}))
    (file,) = folder.glob("*.csv")
    assert file.name == "2026-06-10-------etc-x.csv"
    (row,) = rows_of(file)
    assert (row["name"], row["street"]) == ("HYPERLINK(1)", 'SUM(1)","x')


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4)), st.data())
def test_whole_records_are_found_when_a_file_is_cut_anywhere(rows: list[list[str]], data: st.DataObject) -> None:
    records = [_record(row) for row in rows]
    written = b"".join(records)
    cut = data.draw(st.integers(0, len(written)))
    whole, kept = 0, 0
    for record in records:
        whole += len(record)
        kept = whole if whole <= cut else kept
    assert _whole_length(written[:cut]) == kept


def test_nothing_in_a_letter_is_html_when_its_pages_are_written(folder: Path) -> None:
    hostile = {"columns": {"name": "<script>alert(1)</script>", "street": "1 Elm Row", "floor": ""}}
    transport = LetterTransport(folder, ManualClock(NOW))
    transport.send(replace(POST, details=hostile, text="Dear <b>Alice</b>,\n\nthree\nthings."))
    (file,) = folder.glob("*.csv")
    written = "".join(write_html(read_letters(file)))
    assert "<address>&lt;script&gt;alert(1)&lt;/script&gt;<br>1 Elm Row</address>" in written
    assert "<p>Dear &lt;b&gt;Alice&lt;/b&gt;,</p><p>three\nthings.</p>" in written


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium is installed")
def test_every_letter_has_a_page_when_a_file_is_printed(folder: Path) -> None:
    transport = LetterTransport(folder, ManualClock(NOW))
    for number in range(3):
        transport.send(replace(POST, message_id=f"m-{number}"))
    (file,) = folder.glob("*.csv")
    printed = file.with_suffix(".pdf")
    assert print_pdf(file, printed) == 3
    content = printed.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.count(b"/Type /Page\n") == 3
    assert printed.stat().st_mode & 0o777 == 0o600


def test_a_file_is_refused_when_it_holds_no_letters(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    for file in (other, tmp_path / "missing.csv"):
        with pytest.raises(InputError, match="folder letters"):
            read_letters(file)
