"""Takes refused calls again by the rules of now: after a release reads more, or the workspace declares more.

A call goes the way that it would have gone, so one that was taken meanwhile is not taken twice.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, update

from core.errors import InputError, NotFoundError
from core.vault import Vault
from customers.workspace import Workspace
from tracking.events.event_spec import Call
from tracking.events.quarantine import Quarantined, list_quarantined, open_document, without_values
from tracking.events.record_calls import CallBatch, record_calls
from tracking.events.request import Unread, read_again
from tracking.events.write_keys import WriteKey, WriteKeyKind, find_kind
from tracking.tables import quarantine


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of one: taken, or still refused for `reason`."""

    id: int
    was_taken: bool
    reason: str | None = None


class _StillRefusedError(InputError):
    """Rolls back what a refused call had written."""


def retry(
    connection: Connection, vault: Vault, workspace: Workspace, ids: Collection[int] | None, now: datetime
) -> list[Retried]:
    """Take these refused calls again (None: all), the oldest first; those that are taken leave the quarantine."""
    found = list_quarantined(connection, None, ids or ())
    missing = set(ids or ()) - {one.id for one in found}
    if missing:
        raise NotFoundError(f"there is no refused event {min(missing)}: see `postilion quarantine list`.")
    return [_retry_one(connection, vault, workspace, one, now) for one in reversed(found)]


def _retry_one(
    connection: Connection, vault: Vault, workspace: Workspace, refused: Quarantined, now: datetime
) -> Retried:
    this = quarantine.c.id == refused.id
    try:
        calls = _read(open_document(connection, vault, refused.id), refused.received_at)
        posted_by = WriteKey(refused.source, find_kind(connection, refused.source) or WriteKeyKind.PUBLIC)
        with connection.begin_nested():
            batch = CallBatch(tuple(enumerate(calls)), posted_by, now)
            taken = record_calls(connection, vault, workspace, batch)
            if taken.left:
                raise _StillRefusedError(taken.left[0].reason)
            connection.execute(delete(quarantine).where(this))
    except (InputError, NotFoundError) as error:
        reason = without_values(str(error))
        connection.execute(update(quarantine).where(this).values(reason=reason))
        return Retried(refused.id, was_taken=False, reason=reason)
    return Retried(refused.id, was_taken=True)


def _read(document: str, received_at: datetime) -> list[Call]:
    """A document is a call that was readable, or one that was not with what is needed to read it."""
    try:
        return [msgspec.json.decode(document, type=Call)]
    except msgspec.DecodeError:
        pass
    try:
        unread = msgspec.json.decode(document, type=Unread)
    except msgspec.DecodeError:
        raise InputError("only its beginning was kept: it has to be sent again.") from None
    return read_again(unread, received_at)
