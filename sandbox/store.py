"""Keeps messages and what happened to them in one SQLite file, or in memory.

Accepting a message only appends to a list; a background thread compresses and writes what has gathered.
Whoever reads waits until everything accepted before has been written, so that nobody sees a gap.
"""

from __future__ import annotations

import sqlite3
import threading
import zlib
from pathlib import Path

import msgspec

from core.clock import from_micros, to_micros
from sandbox.message import Happening, Kind, Message

FILE_NAME = "sandbox.sqlite3"
COMPRESSION = 1  # the fastest: what a level more would save is not worth its time on the way of every mail
FLUSH_SECONDS = 0.05

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, message_id TEXT NOT NULL, sender TEXT NOT NULL, address TEXT NOT NULL,
    recipients TEXT NOT NULL, subject TEXT NOT NULL, html BLOB NOT NULL, text TEXT NOT NULL, headers TEXT NOT NULL,
    tags TEXT NOT NULL, configuration_set TEXT NOT NULL, received_at INTEGER NOT NULL, operation TEXT NOT NULL,
    message_type TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS message_by_address ON message (address, seq);
CREATE TABLE IF NOT EXISTS happening (
    id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, kind TEXT NOT NULL, recipient TEXT NOT NULL,
    occurred_at INTEGER NOT NULL, note TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS happening_by_seq ON happening (seq);
"""
_COLUMNS = (
    "seq, kind, message_id, sender, recipients, subject, html, text, headers, tags, configuration_set, received_at, "
    "operation, message_type"
)
_Value = str | int | bytes


class Store:
    """Messages by ascending `seq`, which goes on where the file left off and is never used twice."""

    def __init__(self, folder: Path | None) -> None:
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        # One connection, guarded by `_connection_lock`: a second one would not see a database in memory.
        self._connection = sqlite3.connect(folder / FILE_NAME if folder else ":memory:", check_same_thread=False)
        self._connection.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_SCHEMA}")
        self._connection_lock = threading.Lock()
        self._pending_lock = threading.Lock()
        self._messages: list[Message] = []
        self._happenings: list[Happening] = []
        self._last_seq: int = self._connection.execute("SELECT coalesce(max(seq), 0) FROM message").fetchone()[0]
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_on, name="sandbox-store", daemon=True)
        self._writer.start()

    def next_seq(self) -> int:
        with self._pending_lock:
            self._last_seq += 1
            return self._last_seq

    def add(self, message: Message) -> None:
        with self._pending_lock:
            self._messages.append(message)

    def add_happening(self, happening: Happening) -> None:
        with self._pending_lock:
            self._happenings.append(happening)

    def find(self, seq: int) -> Message | None:
        rows = self._read(f"SELECT {_COLUMNS} FROM message WHERE seq = ?", (seq,))
        return _message(rows[0]) if rows else None

    def after(self, seq: int, limit: int, kind: str = "", address: str = "") -> list[Message]:
        """Up to `limit` messages accepted after `seq`, the oldest first."""
        return self._select("seq > ?", "seq", seq, limit, kind, address)

    def before(self, seq: int, limit: int, kind: str = "", address: str = "") -> list[Message]:
        """Up to `limit` messages accepted before `seq`, the newest first."""
        return self._select("seq < ?", "seq DESC", seq, limit, kind, address)

    def numbers(self) -> list[tuple[str, int, int]]:
        """Each phone number with its count of SMS and the `seq` of the last, the latest first."""
        rows = self._read(
            "SELECT address, count(*), max(seq) FROM message WHERE kind = 'sms' GROUP BY address ORDER BY max(seq) DESC"
        )
        return [(str(address), int(count), int(last)) for address, count, last in rows]

    def happenings(self, seqs: list[int]) -> dict[int, list[Happening]]:
        """What happened to each of these messages, in the order in which it happened."""
        found: dict[int, list[Happening]] = {seq: [] for seq in seqs}
        marks = ",".join("?" * len(seqs))
        for seq, kind, recipient, occurred_at, note in self._read(
            f"SELECT seq, kind, recipient, occurred_at, note FROM happening WHERE seq IN ({marks}) ORDER BY id",
            tuple(seqs),
        ):
            found[int(seq)].append(
                Happening(int(seq), str(kind), str(recipient), from_micros(int(occurred_at)), str(note))
            )
        return found

    def clear(self) -> None:
        with self._connection_lock:
            with self._pending_lock:
                self._messages, self._happenings = [], []
            with self._connection:
                self._connection.execute("DELETE FROM message")
                self._connection.execute("DELETE FROM happening")

    def close(self) -> None:
        self._closing.set()
        self._writer.join()
        self._flush()
        self._connection.close()

    def _select(self, condition: str, order: str, seq: int, limit: int, kind: str, address: str) -> list[Message]:
        values: list[_Value] = [seq]
        for column, value in (("kind", kind), ("address", address)):
            if value:
                condition += f" AND {column} = ?"
                values.append(value)
        rows = self._read(
            f"SELECT {_COLUMNS} FROM message WHERE {condition} ORDER BY {order} LIMIT ?", (*values, limit)
        )
        return [_message(row) for row in rows]

    def _read(self, query: str, values: tuple[_Value, ...] = ()) -> list[tuple[_Value, ...]]:
        self._flush()
        with self._connection_lock:
            return self._connection.execute(query, values).fetchall()

    def _write_on(self) -> None:
        while not self._closing.wait(FLUSH_SECONDS):
            self._flush()

    def _flush(self) -> None:
        with self._connection_lock:
            with self._pending_lock:
                messages, self._messages = self._messages, []
                happenings, self._happenings = self._happenings, []
            if not messages and not happenings:
                return
            with self._connection:
                self._connection.executemany(
                    f"INSERT INTO message (address, {_COLUMNS}) VALUES ({','.join('?' * 15)})",
                    map(_row, messages),
                )
                self._connection.executemany(
                    "INSERT INTO happening (seq, kind, recipient, occurred_at, note) VALUES (?,?,?,?,?)",
                    [(h.seq, h.kind, h.recipient, to_micros(h.occurred_at), h.note) for h in happenings],
                )


def _row(message: Message) -> tuple[_Value, ...]:
    return (
        message.recipients[0].lower() if message.recipients else "",
        message.seq,
        message.kind.value,
        message.message_id,
        message.sender,
        _json(message.recipients),
        message.subject,
        zlib.compress(message.html.encode("utf-8", "replace"), COMPRESSION),
        message.text,
        _json(message.headers),
        _json(message.tags),
        message.configuration_set,
        to_micros(message.received_at),
        message.operation,
        message.message_type,
    )


def _message(row: tuple[_Value, ...]) -> Message:
    (
        seq,
        kind,
        message_id,
        sender,
        recipients,
        subject,
        html,
        text,
        headers,
        tags,
        configuration_set,
        at,
        *rest,
    ) = row
    assert isinstance(html, bytes)
    return Message(
        seq=int(seq),
        kind=Kind(str(kind)),
        message_id=str(message_id),
        sender=str(sender),
        recipients=msgspec.json.decode(str(recipients), type=tuple[str, ...]),
        subject=str(subject),
        html=zlib.decompress(html).decode(),
        text=str(text),
        headers=msgspec.json.decode(str(headers), type=tuple[tuple[str, str], ...]),
        tags=msgspec.json.decode(str(tags), type=dict[str, str]),
        configuration_set=str(configuration_set),
        received_at=from_micros(int(at)),
        operation=str(rest[0]),
        message_type=str(rest[1]),
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
