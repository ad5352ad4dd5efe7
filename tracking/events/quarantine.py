"""Events that could not be taken, kept for two days so that whoever mends their sender can look at them.

Nobody knows whose they are, so each is sealed under the key of its day, which is destroyed 24 hours after the day has
ended. How many are kept is bounded, because anybody can copy a public write key out of a page.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from core.errors import NotFoundError
from core.log import mask
from core.runtime import Runtime
from core.vault import Vault
from tracking.events.event_spec import Left
from tracking.events.request import Unread
from tracking.ingestion.log_days import find_oldest_day
from tracking.tables import quarantine

MAX_KEPT_OF_REQUEST = 20
MAX_KEPT_OF_DAY = 10_000
MAX_LENGTH = 8_000  # characters of a document; the rest is cut off
_MAX_REASON = 300
_PURPOSE = "quarantine.document"
_DELETED_AT_ONCE = 5_000
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A refused call as it is listed; its document is opened apart."""

    id: int
    source: str
    reason: str
    received_at: datetime


def keep_refused(
    connection: Connection, vault: Vault, source: str, refused: Sequence[Left], received_at: datetime
) -> int:
    """Keep what was refused of one request by `source`, as far as there is room; answers how many were kept."""
    if not refused:
        return 0
    day = received_at.astimezone(UTC)
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    today = select(quarantine.c.id).where(quarantine.c.received_at >= midnight).limit(MAX_KEPT_OF_DAY).subquery()
    room = MAX_KEPT_OF_DAY - connection.execute(select(func.count()).select_from(today)).scalar_one()
    rows = [
        {
            "source": source,
            "reason": without_values(one.reason),
            "sealed_document": vault.seal_for_day(_PURPOSE, one.document[:MAX_LENGTH], day.date()),
            "received_at": received_at,
        }
        for one in refused[: min(room, MAX_KEPT_OF_REQUEST)]
    ]
    if rows:
        connection.execute(insert(quarantine), rows)
    return len(rows)


def list_quarantined(connection: Connection, limit: int | None, ids: Collection[int] = ()) -> list[Quarantined]:
    """The newest refused calls first; only those of `ids` where some are given."""
    columns = (quarantine.c.id, quarantine.c.source, quarantine.c.reason, quarantine.c.received_at)
    query = select(*columns).order_by(quarantine.c.id.desc()).limit(limit)
    rows = connection.execute(query.where(quarantine.c.id.in_(ids)) if ids else query)
    return [Quarantined(*row) for row in rows]


def open_quarantined(connection: Connection, vault: Vault, quarantine_id: int) -> str:
    """What was kept of it: the call as it was sent, or as it was read where it was readable.

    Raises NotFoundError when there is no such call, or its day is over.
    """
    document = open_document(connection, vault, quarantine_id)
    try:
        return msgspec.json.decode(document, type=Unread).call
    except msgspec.DecodeError:
        return document


def open_document(connection: Connection, vault: Vault, quarantine_id: int) -> str:
    """The document as `keep_refused` was given it, cut off at MAX_LENGTH. Raises NotFoundError as above."""
    query = select(quarantine.c.sealed_document).where(quarantine.c.id == quarantine_id)
    sealed = connection.execute(query).scalar_one_or_none()
    if sealed is None:
        raise NotFoundError(f"there is no refused event {quarantine_id}: see `postilion quarantine list`.")
    return vault.open_for_day(_PURPOSE, sealed)


def drop_quarantined(connection: Connection, ids: Collection[int] | None) -> int:
    """Throw these refused calls away, None: all; answers how many those were."""
    what = delete(quarantine)
    return connection.execute(what if ids is None else what.where(quarantine.c.id.in_(ids))).rowcount


def destroy_old_day_keys(runtime: Runtime, now: datetime) -> int:
    """Destroy the keys of days that ended at least 24 hours ago, and the calls they sealed; answers how many calls."""
    before = now.astimezone(UTC).date() - timedelta(days=1)
    unloaded = find_oldest_day(runtime.settings.ingestion_folder)
    runtime.vault.destroy_day_keys(before if unloaded is None else min(before, unloaded))
    midnight = datetime(before.year, before.month, before.day, tzinfo=UTC)
    old = select(quarantine.c.id).where(quarantine.c.received_at < midnight).limit(_DELETED_AT_ONCE)
    deleted_count = 0
    while True:
        with runtime.database.transaction() as connection:
            gone = connection.execute(delete(quarantine).where(quarantine.c.id.in_(old.scalar_subquery()))).rowcount
        deleted_count += gone
        if gone < _DELETED_AT_ONCE:
            return deleted_count


def without_values(reason: str) -> str:
    """The reason as it may be kept in clear: whoever sent nonsense may have sent a name where a word belongs."""
    return mask(_QUOTED.sub("'…'", reason))[:_MAX_REASON]
