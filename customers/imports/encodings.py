"""Which encoding a text file is in, learnt from one pass over its bytes, and which of its lines are damaged.

A byte order mark decides; else the mapping; else UTF-8, or Windows-1252 where most accents are not UTF-8. A file
with a few wrong bytes among many right ones stays what it is: only those lines are refused.
"""

from __future__ import annotations

import codecs
import hashlib
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError
from customers.imports.batch import Fingerprint

_CHUNK = 1 << 20
_UTF_8 = "utf-8-sig"
_FALLBACK = "cp1252"
# UTF-32 begins as UTF-16 does, and is therefore asked for first.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, _UTF_8),
)


@dataclass(slots=True)
class _Lines:
    """How the lines with bytes beyond ASCII read in one encoding."""

    good_count: int = 0
    bad_count: int = 0
    first_line: int = 0
    first_byte: int = 0


def look_through(file: Path, stated: str | None, *, is_text: bool) -> Fingerprint:
    """Hash, lines, and the encoding. Raises InputError when the bytes are not what the mapping says."""
    named = _known(stated)
    digest = hashlib.sha256()
    line_count, head, last = 0, b"", b"\n"
    decoder = codecs.getincrementaldecoder(named or "utf-8")() if is_text else None
    is_right = True
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            if not head:
                head = chunk[:4]
                decoder = _decoder_of_mark(head) or decoder if is_text else None
            digest.update(chunk)
            if decoder is not None and is_right:
                is_right = _reads(decoder, chunk)
            line_count += chunk.count(b"\n")
            last = chunk[-1:]
    is_right = is_right and (decoder is None or _reads(decoder, b"", final=True))
    line_count += last != b"\n"
    if not is_text:
        return Fingerprint(digest.hexdigest(), "", line_count)
    marked = _marked(head)
    encoding = marked or _own(named)
    if is_right:
        return Fingerprint(digest.hexdigest(), encoding, line_count)
    if encoding.startswith(("utf-16", "utf-32")):  # there a byte too few damages everything behind it
        raise InputError(f"{file} is {encoding.upper()} at first and damaged further on: export it again.")
    encoding, bad_count = _judge(file, encoding, stated, may_fall_back=marked is None and named is None)
    return Fingerprint(digest.hexdigest(), encoding, line_count, bad_count)


def is_damaged(text: str) -> bool:
    """Whether `text`, decoded with errors="surrogateescape", holds bytes that were none of its encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _judge(file: Path, own: str, stated: str | None, *, may_fall_back: bool) -> tuple[str, int]:
    """The encoding of a file that is not wholly right, and how many of its lines are damaged."""
    lines = _read_lines(file, own)
    if lines.good_count >= lines.bad_count and lines.good_count:
        return own, lines.bad_count
    if may_fall_back:
        return _FALLBACK, _read_lines(file, _FALLBACK).bad_count
    wrong = f"the byte 0x{lines.first_byte:02x} is not {stated or 'utf-8'}"
    raise InputError(f"{file} line {lines.first_line}: {wrong}: correct the mapping's `encoding`.")


def _read_lines(file: Path, encoding: str) -> _Lines:
    lines = _Lines()
    with file.open("rb") as stream:
        number = 0
        while line := stream.readline(_CHUNK):
            number += 1
            if line.isascii():
                continue
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                if not lines.bad_count:
                    lines.first_line, lines.first_byte = number, line[error.start]
                lines.bad_count += 1
            else:
                lines.good_count += 1
    return lines


def _reads(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _marked(head: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def _decoder_of_mark(head: bytes) -> codecs.IncrementalDecoder | None:
    encoding = _marked(head)
    return codecs.getincrementaldecoder(encoding)() if encoding else None


def _own(named: str | None) -> str:
    """The mapping's encoding, or UTF-8, whose mark is passed over where there is one."""
    name = codecs.lookup(named or "utf-8").name
    return _UTF_8 if name == "utf-8" else name


def _known(encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        "a".encode(encoding)  # also refuses codecs that make no text, such as "hex"
    except LookupError:
        raise InputError(f"the mapping's encoding {encoding!r} is not known: write utf-8 or cp1252.") from None
    return encoding
