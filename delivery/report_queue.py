"""Fetching reports out of a queue: stored in one transaction, and only then deleted where they came from.

Dying at any point loses nothing, because what was not deleted is handed out again and a second copy changes nothing. A
message that cannot be taken five times over is put aside, sealed for the day, so that it does not come for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection, delete
from sqlalchemy.exc import DBAPIError, OperationalError

from core.database import insert_ignore
from core.errors import EnvironmentFaultError, InputError, TransientError
from core.ids import content_hash
from core.log import mask
from core.runtime import Runtime
from core.vault import Vault
from delivery.callbacks.events import read_event
from delivery.callbacks.notifications import open_notification
from delivery.callbacks.sqs import QueuedMessage
from delivery.intake import Callback, Store
from delivery.tables import refused_callback

log = logging.getLogger(__name__)

LARGEST_BATCH = 200
PATIENCE = 5  # how often a message is handed out before it is put aside
_REST_S = 5.0
_PURPOSE = "refused_callback.document"
_MAX_LENGTH, _MAX_REASON = 300_000, 300
_KEPT = timedelta(days=2)  # by then the keys of their days are gone


class Queue(Protocol):
    """What `callbacks.sqs.SqsQueue` does."""

    def receive(self, limit: int) -> list[QueuedMessage]: ...

    def delete(self, messages: Sequence[QueuedMessage]) -> int: ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one round came to: `stored` were new, `known` were not, `left` come again, `refused` never do."""

    stored: int = 0
    known: int = 0
    left: int = 0
    refused: int = 0


def fetch_forever(
    runtime: Runtime,
    queue: Queue,
    store: Store,
    *,
    is_stopped: Callable[[], bool],
    rest: Callable[[float], None],
) -> None:
    """Fetch until `is_stopped`; while queue or database fail, `rest` some seconds and try again."""
    while not is_stopped():
        try:
            fetch_reports(runtime, queue, store)
        except (TransientError, EnvironmentFaultError, DBAPIError) as error:
            log.warning("reports are not fetched at the moment: %s", error)
            rest(_REST_S)


def fetch_reports(runtime: Runtime, queue: Queue, store: Store) -> Fetched:
    """One round. Raises what the queue or the database raises, and then nothing was deleted."""
    messages = queue.receive(LARGEST_BATCH)
    if not messages:
        return Fetched()
    now = runtime.clock.now()
    readable: list[tuple[QueuedMessage, Callback]] = []
    faults: list[tuple[QueuedMessage, str]] = []
    for message in messages:
        try:
            readable.append((message, _read(message.body, now)))
        except InputError as error:
            faults.append((message, str(error)))
    stored = _store_all(runtime, store, readable, faults)
    refused = [(message, reason) for message, reason in faults if message.receive_count >= PATIENCE]
    if refused:
        with runtime.database.transaction() as connection:
            _put_aside(connection, runtime.vault, refused, now)
    queue.delete([*stored, *(message for message, _ in refused)])
    new_count = sum(stored.values())
    return Fetched(new_count, len(stored) - new_count, len(faults) - len(refused), len(refused))


def _read(body: str, now: datetime) -> Callback:
    notification = open_notification(body)
    return Callback(notification.key, read_event(notification.text, now), notification.text, now)


def _store_all(
    runtime: Runtime,
    store: Store,
    readable: Sequence[tuple[QueuedMessage, Callback]],
    faults: list[tuple[QueuedMessage, str]],
) -> dict[QueuedMessage, bool]:
    """Those that are durable now, and whether each was new; where one is to blame, it goes to `faults`."""
    callbacks = [callback for _, callback in readable]
    try:
        with runtime.database.transaction() as connection:
            news = store(connection, callbacks)
    except (OperationalError, EnvironmentFaultError):
        raise
    except Exception as error:  # noqa: BLE001 # one callback is to blame and must not hold up the others
        log.warning("a batch holds a report that cannot be stored: %s", type(error).__name__)
    else:
        return dict(zip((message for message, _ in readable), news, strict=True))
    stored: dict[QueuedMessage, bool] = {}
    for message, callback in readable:
        try:
            with runtime.database.transaction() as connection:
                stored[message] = store(connection, [callback])[0]
        except (OperationalError, EnvironmentFaultError):
            raise
        except Exception as error:  # noqa: BLE001 # isolates one callback from the next; its kind is stored
            faults.append((message, f"it cannot be stored ({type(error).__name__})."))
    return stored


def _put_aside(
    connection: Connection, vault: Vault, refused: Sequence[tuple[QueuedMessage, str]], now: datetime
) -> None:
    day = now.astimezone(UTC).date()
    rows = [
        {
            "key": content_hash(message.body),
            "reason": mask(reason)[:_MAX_REASON],
            "sealed_document": vault.seal_for_day(_PURPOSE, message.body[:_MAX_LENGTH], day),
            "received_at": now,
        }
        for message, reason in refused
    ]
    connection.execute(delete(refused_callback).where(refused_callback.c.received_at < now - _KEPT))
    insert_ignore(connection, refused_callback, rows)
    log.warning("%d messages of the queue could not be taken and were put aside", len(refused))
