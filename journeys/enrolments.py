"""Enrolments as rows: loaded under a lock, written back with their journal, sealed where they hold what people did.

Rows go to the driver as they are: a person moves tens of thousands of times a second here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Select, Text, cast, select, type_coerce

from core.bulk import among, insert_few, insert_fresh, set_rows
from core.clock import from_micros, to_micros
from core.located import KeyPath
from core.vault import Vault
from customers.tables import profile
from journeys.model import Journey
from journeys.people import person_of
from journeys.questions import Person
from journeys.sealed_state import SEALED, Lazy, Opener
from journeys.tables import EnrolmentStatus, enrolment, journal
from journeys.transition import EndReason, Enrolment, JournalEntry

_encode = msgspec.json.Encoder(enc_hook=str).encode
_decode = msgspec.json.Decoder().decode
_STATUS = {status.value: status for status in EnrolmentStatus}
_NEW = (
    "uid", "journey", "version", "profile_id", "key", "status", "state", "sealed_state", "entered_at", "journal_seq",
    "entry_event_id",
)  # fmt: skip
_SAVED = (
    "id", "status", "position", "step", "state", "step_entered_at", "ended_at", "end_reason", "goal_at", "journal_seq",
)  # fmt: skip
_EMPTY: Mapping[str, Any] = {}
_JOURNAL = ("enrolment_id", "seq", "at", "kind", "data")


def insert_enrolments(connection: Connection, vault: Vault, new: Sequence[Enrolment]) -> list[Enrolment]:
    """Write enrolments that nobody has moved yet; answers those that were not there before, with their ids."""
    vault.prepare(item.profile_id for item in new if item.entry)
    rows = [
        (
            item.uid,
            item.journey,
            item.version,
            item.profile_id,
            item.key,
            item.status.value,
            _text(item.state),
            _seal(vault, item),
            to_micros(item.entered_at),
            0,
            item.entry_event_id,
        )
        for item in new
    ]
    fresh = set(insert_few(connection, enrolment, _NEW, rows, returning="uid"))
    if not fresh:
        return []
    ids = _ids_by_uid(connection, fresh)
    return [replace(item, id=ids[item.uid]) for item in new if item.uid in fresh]


def find_ids(connection: Connection, uids: Collection[str]) -> set[int]:
    """The ids of the enrolments among these that are there."""
    return set(_ids_by_uid(connection, uids).values()) if uids else set()


def load_enrolments(
    connection: Connection, vault: Vault, enrolment_ids: Iterable[int], *, wait: bool = True
) -> dict[int, Enrolment]:
    """The enrolments, each locked until the transaction ends. Without `wait`, those that somebody else holds are left
    out: they are being moved.
    """
    ids = sorted(set(enrolment_ids))
    if not ids:
        return {}
    query = select(*_LOADED).where(among(connection, enrolment.c.id, ids)).order_by(enrolment.c.id)
    stored, _ = _stored(connection, vault, query.with_for_update(skip_locked=not wait))
    return {one.id: one.read() for one in stored}


def load_free(
    connection: Connection, vault: Vault, enrolment_ids: Collection[int]
) -> list[tuple[StoredEnrolment, Person]]:
    """As `load_enrolments` without `wait`: each with its person, and not read yet."""
    query = (
        select(*_LOADED, profile.c.status, profile.c.timezone, profile.c.merged_into)
        .join(profile, profile.c.id == enrolment.c.profile_id)
        .where(among(connection, enrolment.c.id, sorted(enrolment_ids)))
        .order_by(enrolment.c.id)
        .with_for_update(of=enrolment, skip_locked=True)
    )
    stored, rows = _stored(connection, vault, query)
    return [(one, person_of(one.profile_id, *row[_WIDTH:])) for one, row in zip(stored, rows, strict=True)]


def _stored(
    connection: Connection, vault: Vault, query: Select[Any]
) -> tuple[list[StoredEnrolment], Sequence[Row[Any]]]:
    rows = connection.execute(query).all()
    opener = Opener(vault, (row.origin_profile_id or row.profile_id for row in rows))
    return [StoredEnrolment(row, opener) for row in rows], rows


def find_enrolments(connection: Connection, *where: ColumnElement[bool]) -> list[Row[Any]]:
    """Rows with the plain columns only, not locked."""
    columns = ("id", "uid", "journey", "version", "profile_id", "key", "status", "entered_at", "end_reason", "goal_at")
    return list(connection.execute(select(*(enrolment.c[name] for name in columns)).where(*where)))


def save_enrolments(
    connection: Connection, vault: Vault, moved: Sequence[Enrolment], journeys: Mapping[tuple[str, int], Journey]
) -> None:
    """Write back what the engine made of enrolments that this transaction holds."""
    save_rows(connection, [saved_row(item, journeys.get((item.journey, item.version))) for item in moved])
    sealed = [item for item in moved if not _is_as_read(item)]
    if sealed:
        vault.prepare(item.origin_profile_id or item.profile_id for item in sealed if _is_sealable(item))
        set_rows(connection, enrolment, ("id", "sealed_state"), [(item.id, _seal(vault, item)) for item in sealed])


def saved_row(item: Enrolment, journey: Journey | None) -> tuple[Any, ...]:
    """What of an enrolment changes when it is moved, beginning with its id and ending with `journal_seq`."""
    step = journey.by_id.get(item.step or "") if journey else None
    return (
        item.id,
        item.status.value,
        _path_text(step.path) if step else None,
        item.step,
        _text(item.state),
        _micros(item.step_entered_at),
        _micros(item.ended_at),
        item.end_reason,
        _micros(item.goal_at),
        item.journal_seq,
    )


def save_rows(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write rows as `saved_row` makes them."""
    set_rows(connection, enrolment, _SAVED, rows)


def append_journal(
    connection: Connection, entries: Iterable[tuple[Enrolment, Sequence[JournalEntry]]], now: datetime
) -> None:
    """Append what each enrolment went through; `journal_seq` already counts it.

    Not an insert that may be repeated: the same number twice would mean that one enrolment was moved by two at once.
    """
    rows = [
        (item.id, seq, kind, data)
        for item, added in entries
        for seq, (kind, data) in enumerate(journal_texts(added), start=item.journal_seq - len(added) + 1)
    ]
    append_texts(connection, rows, now)


def journal_texts(entries: Sequence[JournalEntry]) -> list[tuple[str, str]]:
    """Kind and data of each entry, as they are stored."""
    return [(entry.kind.value, _text(entry.data)) for entry in entries]


def append_texts(connection: Connection, rows: Sequence[tuple[int, int, str, str]], now: datetime) -> None:
    """As `append_journal`, for rows of enrolment id, number, kind and data."""
    at = to_micros(now)
    insert_fresh(connection, journal, _JOURNAL, [(owner, seq, at, kind, data) for owner, seq, kind, data in rows])


def _ids_by_uid(connection: Connection, uids: Collection[str]) -> dict[str, int]:
    query = select(enrolment.c.uid, enrolment.c.id).where(among(connection, enrolment.c.uid, sorted(uids)))
    return dict(connection.execute(query).tuples().all())


# First what is a person's own, then what those share who stand alike; instants as numbers, the state as text.
_OWN = (
    "id", "uid", "profile_id", "key", "entered_at", "sealed_state", "journal_seq", "origin_profile_id",
    "entry_event_id",
)  # fmt: skip
_SHARED = ("journey", "version", "status", "step", "state", "step_entered_at", "ended_at", "end_reason", "goal_at")
_INSTANTS = frozenset(("entered_at", "step_entered_at", "ended_at", "goal_at"))


def _plain(name: str) -> ColumnElement[Any]:
    column = enrolment.c[name]
    if name == "state":
        return cast(column, Text).label(name)
    return type_coerce(column, BigInteger()).label(name) if name in _INSTANTS else column


_LOADED = [_plain(name) for name in (*_OWN, *_SHARED)]
_WIDTH = len(_LOADED)


class StoredEnrolment:
    """The row of an enrolment, read no further than somebody asks."""

    __slots__ = ("_opener", "_own", "id", "journal_seq", "profile_id", "shared")

    def __init__(self, row: Sequence[Any], opener: Opener) -> None:
        self._own, self.shared, self._opener = row[: len(_OWN)], tuple(row[len(_OWN) : _WIDTH]), opener
        self.id: int = row[0]
        self.profile_id: int = row[2]
        self.journal_seq: int = row[6]

    @property
    def version(self) -> tuple[str, int]:
        """The journey, and which version of it."""
        journey, version = self.shared[:2]
        return journey, version

    def read_shared(self) -> dict[str, Any]:
        """What it has in common with others, by the names of `Enrolment`."""
        _, _, status, step, state, step_entered_at, ended_at, end_reason, goal_at = self.shared
        return {
            "status": _STATUS[status],
            "step": step,
            "state": _decode(state),
            "step_entered_at": _instant(step_entered_at),
            "ended_at": _instant(ended_at),
            "end_reason": end_reason,
            "goal_at": _instant(goal_at),
        }

    def read(self) -> Enrolment:
        number, uid, profile_id, key, entered_at, sealed, journal_seq, origin_profile_id, entry_event_id = self._own
        owner = origin_profile_id or profile_id
        entry, results = (_EMPTY, _EMPTY) if sealed is None else self._opener.parts(owner, sealed)
        return Enrolment(
            number,
            uid,
            *self.version,
            profile_id,
            key,
            from_micros(entered_at),
            entry=entry,
            results=results,
            journal_seq=journal_seq,
            origin_profile_id=origin_profile_id,
            entry_event_id=entry_event_id,
            **self.read_shared(),
        )


def _is_as_read(item: Enrolment) -> bool:
    """Whether what was sealed stands in the row as it is: nothing was, or nobody put anything to it."""
    if item.end_reason == EndReason.ERASED:
        return False
    return all(isinstance(part, Lazy) or not part for part in (item.entry, item.results))


def _is_sealable(item: Enrolment) -> bool:
    return item.end_reason != EndReason.ERASED and bool(item.entry or item.results)


def _seal(vault: Vault, item: Enrolment) -> bytes | None:
    if not _is_sealable(item):
        return None
    owner = item.origin_profile_id or item.profile_id
    return vault.seal_document(owner, SEALED, {"entry": dict(item.entry), "steps": dict(item.results)})


def _text(document: Mapping[str, Any]) -> str:
    return _encode(document).decode()


@lru_cache(maxsize=4096)
def _path_text(path: KeyPath) -> str:
    return _encode(path).decode()


def _micros(instant: datetime | None) -> int | None:
    return None if instant is None else to_micros(instant)


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
