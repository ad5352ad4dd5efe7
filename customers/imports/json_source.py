"""JSON Lines: one object a line; blank lines are nothing, nested values stay as they are."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import msgspec

from customers.imports.batch import Batch, Fingerprint, Refused
from customers.imports.values import Reason

_UTF_8 = "utf-8-sig"


class JsonLinesSource:
    def __init__(self, file: Path, fingerprint: Fingerprint) -> None:
        # UTF-8 is what JSON is made of and is read as bytes; other encodings are decoded first.
        is_utf_8 = fingerprint.encoding == _UTF_8
        self._stream: IO[Any] = file.open("rb") if is_utf_8 else file.open(encoding=fingerprint.encoding, newline="\n")
        self.columns: list[str] | None = None
        self.row_count: int | None = fingerprint.line_count

    def iter_batches(self, columns: Sequence[str], size: int) -> Iterator[Batch]:
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        line = 0
        while texts := list(islice(self._stream, size)):
            lines: list[int] = []
            rows: list[tuple[Any, ...]] = []
            malformed: list[Refused] = []
            for text in texts:
                line += 1
                if not text.strip():
                    continue
                try:
                    document = decode(text.removeprefix(codecs.BOM_UTF8) if line == 1 and type(text) is bytes else text)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    malformed.append(Refused(line, _reason(text)))
                    continue
                lines.append(line)
                rows.append(tuple([document.get(name) for name in columns]))
            yield Batch(lines, rows, malformed)

    def close(self) -> None:
        self._stream.close()


def _reason(text: str | bytes) -> Reason:
    if isinstance(text, bytes):
        try:
            text.decode()
        except UnicodeDecodeError:
            return Reason("wrong_encoding")
    return Reason("not_json")
