"""Looks for marked values in clear: in files, and in every column of a PostgreSQL database.

A canary is a value that exists nowhere else. Whoever plants some asks `search` afterwards; a hit means that something
personal was stored, logged or left behind unsealed. Knows no test framework, so that benchmarks can ask too.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine, inspect, text

from core.database import Database

_CHUNK_BYTES = 8 * 1024 * 1024
_SHORTEST = 8  # shorter words turn up by chance, above all as base64


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """`word` was found at `place` (a file, or schema.table), written as `spelling` says."""

    place: str
    word: str
    spelling: str


def search(words: Iterable[str], paths: Iterable[Path] = (), urls: Iterable[str] = (), logs: str = "") -> list[Hit]:
    """Every hit of `words` in files below `paths`, in the PostgreSQL databases `urls`, and in the text `logs`.

    SQLite databases are files: name the folder that holds them, with journals and write-ahead logs.
    """
    wanted = tuple(dict.fromkeys(words))
    hits = set(_search_bytes("the log", [logs.encode()], spell_all(wanted)))
    for path in paths:
        hits.update(search_files(wanted, path))
    for url in urls:
        if url.startswith("postgresql"):
            hits.update(search_postgresql(wanted, url))
    return sorted(hits)


def search_files(words: Iterable[str], path: Path) -> Iterator[Hit]:
    """Hits in the file `path`, or in every file below the folder `path`, by content and by name."""
    patterns = spell_all(words)
    files = [path] if path.is_file() else sorted(path.rglob("*"))
    for file in files:
        yield from _search_bytes(f"the name of {file}", [str(file).encode()], patterns)
        if file.is_file() and not file.is_symlink():
            yield from _search_bytes(str(file), _chunks(file, max(map(len, patterns), default=1)), patterns)


def search_postgresql(words: Iterable[str], url: str) -> Iterator[Hit]:
    """Hits in every column of every table, each read as text (bytes as hexadecimal digits)."""
    engine = create_engine(Database(url).url)
    patterns = {
        spelled: found
        for raw, found in spell_all(words).items()
        for spelled in ((raw.decode(), raw.hex()) if raw.isascii() and b"\0" not in raw else (raw.hex(),))
    }
    try:
        with engine.connect() as connection:
            for schema in inspect(connection).get_schema_names():
                if schema == "information_schema":
                    continue
                for table in inspect(connection).get_table_names(schema):
                    yield from _search_table(connection, schema, table, patterns)
    finally:
        engine.dispose()


def spell_all(words: Iterable[str]) -> Mapping[bytes, tuple[str, str]]:
    """Every way in which one of `words` may stand in clear, with the word and the name of the spelling."""
    found: dict[bytes, tuple[str, str]] = {}
    for word in words:
        if len(word) < _SHORTEST:
            raise ValueError(f"{word!r} is too short for a canary: it would be found by chance")
        for form in dict.fromkeys((word, word.lower(), word.upper())):
            for spelling, raw in _spell(form):
                found.setdefault(raw, (word, spelling))
    return found


def _spell(word: str) -> Iterator[tuple[str, bytes]]:
    plain = word.encode()
    yield "utf-8", plain
    yield "utf-16", word.encode("utf-16-le")
    yield "utf-16", word.encode("utf-16-be")
    yield "hex", plain.hex().encode()
    yield "hex", plain.hex().upper().encode()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + plain)
        # The first and last characters hold bits of what stands before and behind the word.
        first, last = -(-offset * 4 // 3), (offset + len(plain)) * 8 // 6
        core = encoded[first:last]
        yield "base64", core
        yield "base64", core.translate(bytes.maketrans(b"+/", b"-_"))


def _search_bytes(place: str, chunks: Iterable[bytes], patterns: Mapping[bytes, tuple[str, str]]) -> Iterator[Hit]:
    for chunk in chunks:
        for raw, (word, spelling) in patterns.items():
            if raw in chunk:
                yield Hit(place, word, spelling)


def _chunks(file: Path, overlap: int) -> Iterator[bytes]:
    """The file in pieces that overlap, so that no word is cut in two."""
    try:
        with file.open("rb") as opened:
            tail = b""
            while piece := opened.read(_CHUNK_BYTES):
                yield tail + piece
                tail = piece[-overlap:]
    except FileNotFoundError:  # a journal that was done with meanwhile
        return


def _search_table(
    connection: Connection, schema: str, table: str, patterns: Mapping[str, tuple[str, str]]
) -> Iterator[Hit]:
    quote = connection.dialect.identifier_preparer.quote
    searched = f"SELECT 1 FROM {quote(schema)}.{quote(table)} AS searched"
    any_of = "EXISTS (SELECT 1 FROM unnest(CAST(:patterns AS text[])) AS p WHERE strpos(CAST(searched AS text), p) > 0)"
    if connection.execute(text(f"{searched} WHERE {any_of} LIMIT 1"), {"patterns": list(patterns)}).first() is None:
        return
    one = text(f"{searched} WHERE strpos(CAST(searched AS text), :pattern) > 0 LIMIT 1")
    for pattern, (word, spelling) in patterns.items():
        if connection.execute(one, {"pattern": pattern}).first() is not None:
            yield Hit(f"{schema}.{table}", word, spelling)
