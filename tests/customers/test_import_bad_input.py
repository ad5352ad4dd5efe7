"""Files as other systems, spreadsheets and people make them: what is read, what is refused, and in which words."""

from __future__ import annotations

import bz2
import gzip
import io
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from sqlalchemy import select

from core.errors import InputError, PostilionError
from core.runtime import Runtime
from customers.imports import values
from customers.imports.csv_source import CsvSource
from customers.imports.decimal_commas import with_point
from customers.imports.encodings import look_through
from customers.imports.rejects import neutralised
from customers.imports.run import ImportResult
from customers.profiles import find_profile, get_profile
from customers.tables import product
from tests.customers.importing import import_file

PRODUCTS = "import: products\ncolumns: {sku: sku, name: name, price: price}\n"
PEOPLE = "import: profiles\ncolumns: {external_id: id, email: mail, first_name: name, birthday: born}\n"
HEADER = "id,mail,name,born\n"


def take(
    runtime: Runtime, folder: Path, content: bytes, mapping: str = PRODUCTS, *, name: str = "data.csv"
) -> ImportResult:
    (folder / name).write_bytes(content)
    (folder / "mapping.yaml").write_text(mapping, encoding="utf-8")
    return import_file(runtime, folder / name, folder / "mapping.yaml")


def names(runtime: Runtime) -> dict[str, str]:
    with runtime.database.read() as connection:
        return dict(connection.execute(select(product.c.sku, product.c.name)).tuples().all())


def rejected(folder: Path) -> list[str]:
    file = folder / "data.rejects.csv"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


# -- files that are something else ------------------------------------------------------------------------------------


def _zip(names: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _sqlite(folder: Path) -> bytes:
    connection = sqlite3.connect(folder / "made.db")
    connection.execute("CREATE TABLE customers (id INTEGER)")
    connection.close()
    return (folder / "made.db").read_bytes()


def _cases(folder: Path) -> dict[str, tuple[str, bytes | None]]:
    csv = b"sku,name,price\nTEA-001,Sencha,5.00\n"
    return {
        "a folder": ("folder.csv", None),
        "an empty file": ("data.csv", b""),
        "only blanks": ("data.csv", b"  \n\n"),
        "only a byte order mark": ("data.csv", b"\xef\xbb\xbf"),
        "an Excel workbook": ("data.xlsx", _zip({"[Content_Types].xml": b"", "xl/workbook.xml": b""})),
        "an Excel workbook named csv": ("data.csv", _zip({"[Content_Types].xml": b"", "xl/workbook.xml": b""})),
        "an old Excel workbook": ("data.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
        "an OpenDocument sheet": ("data.ods", _zip({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"})),
        "a zip archive": ("data.zip", _zip({"data.csv": csv})),
        "a gzip file": ("data.csv.gz", gzip.compress(csv)),
        "a bzip2 file": ("data.csv", bz2.compress(csv)),
        "a damaged archive": ("data.csv", b"PK\x03\x04" + bytes(100)),
        "a PDF": ("data.csv", b"%PDF-1.7\n"),
        "a web page": ("data.csv", b"<!DOCTYPE html><html><title>Log in</title>"),
        "a SQLite file": ("data.csv", _sqlite(folder)),
        "a Parquet file named csv": ("data.csv", b"PAR1" + bytes(100)),
        "JSON named csv": ("data.csv", b'{"sku": "TEA-001"}\n'),
        "a JSON list": ("data.jsonl", b'[{"sku": "TEA-001"}]\n'),
        "two columns of one name after trimming": ("data.csv", b"sku,name, name ,price\n"),
        "no header": ("data.csv", b"TEA-001,Sencha,5.00\nTEA-002,Assam,4.00\n"),
        "an open quote in the header": ("data.csv", b'sku,"name,price\nTEA-001,Sencha,5.00\n' + b"x" * (1 << 20)),
        "UTF-16 that breaks off": ("data.csv", "sku,name,price\nA,Thé,1\n".encode("utf-16")[:-1]),
    }


def test_file_that_is_something_else_is_refused_with_the_way_out(
    runtime: Runtime, tmp_path: Path, golden: Callable[[str, str], None]
) -> None:
    (tmp_path / "folder.csv").mkdir()
    told = []
    for name, (file, content) in _cases(tmp_path).items():
        if content is not None:
            (tmp_path / file).write_bytes(content)
        (tmp_path / "mapping.yaml").write_text(PRODUCTS)
        with pytest.raises(PostilionError) as raised:
            import_file(runtime, tmp_path / file, tmp_path / "mapping.yaml")
        told.append(f"{name}\n    {str(raised.value).replace(f'{tmp_path}/', '')}\n")
    golden("customers/mistaken_files.txt", "\n".join(told))
    assert names(runtime) == {}


# -- encodings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_accents_are_right_when_the_encoding_has_to_be_found(runtime: Runtime, tmp_path: Path, encoding: str) -> None:
    text = "sku;name;price\r\nA;Thé vert;5.00\r\nB;Grüner Tee;4.00\r\n"
    assert take(runtime, tmp_path, text.encode(encoding)).imported_count == 2
    assert names(runtime) == {"A": "Thé vert", "B": "Grüner Tee"}


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
def test_utf_16_is_read_in_either_order_when_it_has_a_mark(runtime: Runtime, tmp_path: Path, mark: bytes) -> None:
    order = "utf-16-le" if mark == b"\xff\xfe" else "utf-16-be"
    assert take(runtime, tmp_path, mark + "sku,name,price\nA,Thé,1\n".encode(order)).imported_count == 1
    assert names(runtime) == {"A": "Thé"}


@pytest.mark.parametrize("stated", ["", "encoding: utf-8\n"])
def test_only_the_damaged_rows_are_refused_when_encodings_are_mixed(
    runtime: Runtime, tmp_path: Path, stated: str
) -> None:
    good = "".join(f"T-{number},Thé {number},1\n" for number in range(20))
    content = f"sku,name,price\n{good}".encode() + b"X,Caf\xe9,1\nY,Assam,1\n"
    result = take(runtime, tmp_path, content, PRODUCTS + stated)
    assert (result.imported_count, result.rejected) == (21, {"wrong_encoding": 1})
    assert names(runtime)["T-7"] == "Thé 7"
    assert rejected(tmp_path)[1:] == ["22,wrong_encoding,X,Caf�,1"]


def test_bytes_that_windows_does_not_know_refuse_their_row_alone(runtime: Runtime, tmp_path: Path) -> None:
    result = take(runtime, tmp_path, b"sku,name,price\nA,Th\xe9,1\nB,\x81,1\n")
    assert (result.imported_count, result.rejected) == (1, {"wrong_encoding": 1})
    assert names(runtime) == {"A": "Thé"}


def test_json_lines_refuse_the_damaged_line_alone(runtime: Runtime, tmp_path: Path) -> None:
    content = '{"sku": "A", "name": "Thé", "price": 1}\n'.encode() + b'{"sku": "B", "name": "Th\xe9"}\n{"sku"\n'
    result = take(runtime, tmp_path, content, name="data.jsonl")
    assert (result.imported_count, result.rejected) == (1, {"wrong_encoding": 1, "not_json": 1})


def test_json_lines_are_decoded_when_the_mapping_names_their_encoding(runtime: Runtime, tmp_path: Path) -> None:
    content = '{"sku": "A", "name": "Thé", "price": 1}\n'.encode("cp1252")
    assert take(runtime, tmp_path, content, f"{PRODUCTS}encoding: cp1252\n", name="data.jsonl").imported_count == 1
    assert names(runtime) == {"A": "Thé"}


# -- quotes, columns, cells -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_rows", [1, 2, 20_000])
def test_line_with_an_open_quote_is_named_and_the_rest_is_read(
    runtime: Runtime, tmp_path: Path, batch_rows: int
) -> None:
    (tmp_path / "data.csv").write_text('sku,name,price\nA,"Green\ntea",1\nB,"Black,1\nC,Assam,1\nD,Pu-erh,1')
    (tmp_path / "mapping.yaml").write_text(PRODUCTS)
    result = import_file(runtime, tmp_path / "data.csv", tmp_path / "mapping.yaml", batch_rows=batch_rows)
    assert names(runtime) == {"A": "Green\ntea", "C": "Assam", "D": "Pu-erh"}
    assert result.rejected == {"open_quote": 1}
    assert rejected(tmp_path)[1].startswith("4,open_quote")


def test_cell_of_more_than_a_megabyte_refuses_its_row_alone(runtime: Runtime, tmp_path: Path) -> None:
    long = "x" * (1 << 20)
    result = take(runtime, tmp_path, f"sku,name,price\nA,a,1\nB,{long}y,1\nC,{long},1\nD,d,1\n".encode())
    assert (result.imported_count, result.rejected) == (3, {"cell_too_long": 1})
    assert names(runtime)["C"] == long


def test_file_of_two_hundred_columns_is_read(runtime: Runtime, tmp_path: Path) -> None:
    header = ["sku", *(f"c{number}" for number in range(198)), "name", "price"]
    row = ["A", *["x"] * 198, "Sencha", "5"]
    assert take(runtime, tmp_path, f"{','.join(header)}\n{','.join(row)}\n".encode()).imported_count == 1


def test_columns_without_a_name_and_doubled_ones_do_no_harm_when_nobody_reads_them(
    runtime: Runtime, tmp_path: Path
) -> None:
    content = b"sku,, name ,note,note,price,\nA,,Sencha,x,y,5,\n"
    assert take(runtime, tmp_path, content).imported_count == 1
    assert names(runtime) == {"A": "Sencha"}


def test_first_line_of_excel_is_understood_when_it_names_the_separator(runtime: Runtime, tmp_path: Path) -> None:
    assert take(runtime, tmp_path, b"sep=|\r\nsku|name|price\r\nA|Sencha|5\r\nB|Assam|no\r\n").imported_count == 1
    assert rejected(tmp_path)[1:] == ["4,wrong_price,B,Assam,no"]


def test_nul_refuses_its_row_alone(runtime: Runtime, tmp_path: Path) -> None:
    result = take(runtime, tmp_path, b"sku,name,price\nA,Sen\x00cha,5\nB,Assam,4\n")
    assert (result.imported_count, result.rejected) == (1, {"wrong_characters": 1})


def test_formula_is_text_in_the_database_and_neutral_in_the_file_of_rejects(runtime: Runtime, tmp_path: Path) -> None:
    content = b'sku,name,price\n=1+1,"=HYPERLINK(""http://x"")",5\nA,@SUM(A1),-cheap\nB,-5,-1\n'
    result = take(runtime, tmp_path, content)
    assert (result.imported_count, result.rejected) == (1, {"wrong_price": 1, "negative_price": 1})
    assert names(runtime) == {"=1+1": '=HYPERLINK("http://x")'}
    assert rejected(tmp_path)[1:] == ["3,wrong_price,A,'@SUM(A1),'-cheap", "4,negative_price,B,-5,-1"]


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("=a", "'=a"), ("+a", "'+a"), ("-a", "'-a"), ("@a", "'@a"), ("\ta", "'\ta"), ("-5.20", "-5.20"), ("a=b", "a=b")],
)
def test_cell_is_neutralised_when_a_spreadsheet_would_run_it(cell: str, shown: str) -> None:
    assert neutralised(cell) == shown


# -- numbers ----------------------------------------------------------------------------------------------------------


def test_decimal_comma_is_refused_with_its_own_reason_until_the_mapping_says_so(
    runtime: Runtime, tmp_path: Path
) -> None:
    content = b"sku;name;price\nA;Sencha;5,50\nB;Gong;1.234,56\nC;Assam;4\n"
    refused = take(runtime, tmp_path, content)
    assert (refused.imported_count, refused.rejected) == (1, {"comma_in_number": 2})
    taken = take(runtime, tmp_path, content, f'{PRODUCTS}decimal: ","\n')
    assert (taken.imported_count, taken.unchanged_count) == (2, 1)
    with runtime.database.read() as connection:
        prices = connection.execute(select(product.c.sku, product.c.price)).tuples().all()
    assert dict(prices) == {"A": 550, "B": 123_456, "C": 400}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1.234,56", "1234.56"),
        ("1 234,5", "1234.5"),
        ("1\u202f234", "1234"),
        ("1'000", "1000"),
        ("-0,50", "-0.50"),
        ("12", "12"),
        ("1.5", "1.5"),
        ("twelve", "twelve"),
        (7, 7),
    ],
)
def test_number_is_read_with_a_comma_when_it_is_written_so(written: object, read: object) -> None:
    assert with_point(written) == read


# -- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "reason"),
    [
        ("2027-01-01", "impossible_birthday"),
        ("2026-06-11", "impossible_birthday"),
        ("0023-05-06", "impossible_birthday"),
        ("1905-12-31", "impossible_birthday"),
        ("1900-01-00", "impossible_date"),
        ("1990-02-30", "impossible_date"),
        ("31/02/2026", "impossible_date"),
    ],
)
def test_row_is_refused_when_its_birthday_cannot_be(runtime: Runtime, tmp_path: Path, born: str, reason: str) -> None:
    result = take(runtime, tmp_path, f"{HEADER}A,alice@example.org,Alice,{born}\n".encode(), PEOPLE)
    assert (result.imported_count, result.rejected) == (0, {reason: 1})


@pytest.mark.parametrize("born", ["2026-06-10", "1906-01-01", "2024-02-29", ""])
def test_row_is_taken_when_its_birthday_is_unusual_and_possible(runtime: Runtime, tmp_path: Path, born: str) -> None:
    assert take(runtime, tmp_path, f"{HEADER}A,alice@example.org,Alice,{born}\n".encode(), PEOPLE).imported_count == 1


def test_later_row_wins_and_is_counted_when_two_rows_tell_of_one_person(runtime: Runtime, tmp_path: Path) -> None:
    rows = "A,alice@example.org,Alicia,1990-01-02\nA,ALICE@example.org,Alice,1990-01-02\n"
    result = take(runtime, tmp_path, f"{HEADER}{rows}".encode(), PEOPLE)
    assert result.details["conflicting_values"] == 1
    with runtime.database.read() as connection:
        number = find_profile(connection, runtime.vault, "external_id", "A")
        assert number is not None
        assert get_profile(connection, runtime.vault, number).attributes["first_name"] == "Alice"


# -- the source itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_batches_hold_the_same_rows_and_lines_however_large_they_are(tmp_path: Path, size: int) -> None:
    file = tmp_path / "data.csv"
    file.write_text('a,b\n1,"x\ny"\n\n2,"q\r\nr"\n3,"open\n4,w\n5,v', newline="")
    told = []
    for rows in (size, 1_000):
        source = CsvSource(file, look_through(file, None, is_text=True), None, ["a"])
        lines: list[int] = []
        cells: list[tuple[object, ...]] = []
        refused: list[tuple[int, str]] = []
        for batch in source.iter_batches(["a", "b"], rows):
            lines += batch.lines
            cells += batch.rows
            refused += [(one.line, one.reason) for one in batch.malformed]
        source.close()
        told.append((lines, cells, refused))
    assert told[0] == told[1]
    assert told[0] == ([2, 5, 8, 9], [("1", "x\ny"), ("2", "q\r\nr"), ("4", "w"), ("5", "v")], [(7, "open_quote")])


def test_unknown_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a\n")
    with pytest.raises(InputError, match="'hex' is not known"):
        look_through(tmp_path / "data.csv", "hex", is_text=True)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("'+44 20 7946 0018", "+44 20 7946 0018"),
        ("'007", "007"),
        ("'=1+1", "=1+1"),
        ("'t Hooft", "'t Hooft"),
        ("'", "'"),
    ],
)
def test_apostrophe_of_a_spreadsheet_is_none_of_the_text(cell: str, text: str) -> None:
    assert values.text(cell) == text


def test_cells_of_rejects_are_what_they_were_when_they_are_imported_again() -> None:
    for cell in ("=1+1", "@SUM(A1)", "-cheap", "+x", "-5.20", "plain"):
        assert values.text(neutralised(cell)) == cell
