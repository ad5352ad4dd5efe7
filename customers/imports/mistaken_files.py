"""Files of another kind given by mistake, recognised by their first bytes, each with what to do instead."""

from __future__ import annotations

import zipfile
from pathlib import Path

from core.errors import InputError

_HEAD = 512
_UNPACK = "unpack it and import what is inside."
_EXCEL = "this is an Excel workbook: open it, save the sheet as CSV (UTF-8), and import that."

_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _EXCEL),
    (b"\x1f\x8b", f"this is a gzip file: {_UNPACK}"),
    (b"BZh", f"this is a bzip2 file: {_UNPACK}"),
    (b"\xfd7zXZ\x00", f"this is an xz file: {_UNPACK}"),
    (b"\x28\xb5\x2f\xfd", f"this is a Zstandard file: {_UNPACK}"),
    (b"7z\xbc\xaf\x27\x1c", f"this is a 7-Zip archive: {_UNPACK}"),
    (b"Rar!\x1a\x07", f"this is a RAR archive: {_UNPACK}"),
    (b"%PDF-", "this is a PDF document: export the table itself as CSV."),
    (b"SQLite format 3\x00", 'this is a SQLite database: read it with `--from sqlite:///FILE --query "select …"`.'),
    (b"{\\rtf", "this is a text document: export the table itself as CSV."),
)
_TEXT_BEGINNINGS: tuple[tuple[bytes, str], ...] = (
    (b"<!doctype html", "this is a web page, perhaps a log-in page: download the file again."),
    (b"<html", "this is a web page, perhaps a log-in page: download the file again."),
    (b"<?xml", "this is an XML document: export it as CSV."),
)


def refuse_mistaken(file: Path, kind: str | None) -> None:
    """Raise InputError when `file` cannot be a file of `kind` (csv, jsonl, parquet; None is not known yet)."""
    if file.is_dir():
        raise InputError(f"{file} is a folder: name one file in it.")
    if not file.exists():
        raise InputError(f"there is no file {file}: check the path.")
    if not file.is_file():
        raise InputError(f"{file} is no regular file: save its content to one, because it is read twice.")
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
    found = _recognise(file, head, kind)
    if found is not None:
        raise InputError(f"{file}: {found}")


def _recognise(file: Path, head: bytes, kind: str | None) -> str | None:
    if head.startswith(b"PK\x03\x04"):
        return _inside(file)
    for beginning, message in _BEGINNINGS:
        if head.startswith(beginning):
            return message
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for beginning, message in _TEXT_BEGINNINGS:
        if text.startswith(beginning):
            return message
    if head.startswith(b"PAR1") and kind != "parquet":
        return "this is a Parquet file: end its name in .parquet, or write `format: parquet` in the mapping."
    if kind == "csv" and text.startswith((b'{"', b'[{"')):
        return "this is JSON and no CSV file: write one object a line and end its name in .jsonl."
    if kind == "jsonl" and text.startswith(b"["):
        return "this is one JSON list: write one object a line, without the brackets and commas around them."
    return None


def _inside(file: Path) -> str:
    """Excel and OpenDocument files are archives too."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            is_open_document = "mimetype" in names and archive.read("mimetype").startswith(
                b"application/vnd.oasis.opendocument.spreadsheet"
            )
    except (zipfile.BadZipFile, OSError, RuntimeError):
        return "this is a damaged archive: download it again, unpack it and import what is inside."
    if any(name.startswith("xl/") for name in names):
        return _EXCEL
    if is_open_document:
        return "this is an OpenDocument spreadsheet: open it, save the sheet as CSV (UTF-8), and import that."
    return f"this is a zip archive of {len(names)} {'file' if len(names) == 1 else 'files'}: {_UNPACK}"
