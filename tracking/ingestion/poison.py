"""Records that cannot be stored: found by trying each on its own, and kept in quarantine with the reason."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import structs
from sqlalchemy import Connection

from core.errors import PostilionError
from core.vault import Vault
from tracking.engagement import Engagement
from tracking.events.event_spec import Left
from tracking.events.quarantine import keep_refused
from tracking.ingestion.log_records import LoggedRecords
from tracking.open_counts import CountedOpen

log = logging.getLogger(__name__)

Store = Callable[[Connection, LoggedRecords], None]

_MAIL = "mail"  # the source of opens and clicks
_LOG = "ingestion"


def store_each(
    connection: Connection, vault: Vault, store: Store, records: LoggedRecords, *, spares: tuple[type[Exception], ...]
) -> int:
    """Store what can be stored, in its order, and quarantine the rest; answers how many acts and calls that were.

    Errors in `spares` are not the record's, and are raised.
    """
    poison_count = 0
    for one in _split(records):
        try:
            _store_alone(connection, store, one)
            continue
        except spares:
            raise
        except Exception:  # noqa: BLE001 - somewhere in it is a record to blame
            pass
        for single in _singles(one):
            try:
                _store_alone(connection, store, single)
            except spares:
                raise
            except Exception as error:  # noqa: BLE001 - isolates one record from the next, and keeps the reason
                log.warning("a record was refused: %s", type(error).__name__)  # its text may quote personal values
                reason = str(error) if isinstance(error, PostilionError) else f"{type(error).__name__} while storing it"
                _quarantine(connection, vault, single, reason)
                poison_count += 1
    return poison_count


def keep_unreadable(
    connection: Connection, vault: Vault, payloads: Sequence[tuple[bytes | None, str]], now: datetime
) -> None:
    """Put payloads of the log that do not open, as they are, into quarantine with their reasons."""
    for payload, reason in payloads:
        text = base64.b64encode(payload or b"").decode()
        keep_refused(connection, vault, _LOG, [Left(0, reason, text)], now)


def _store_alone(connection: Connection, store: Store, records: LoggedRecords) -> None:
    with connection.begin_nested():
        store(connection, records)


def _split(records: LoggedRecords) -> Iterator[LoggedRecords]:
    if records.engagements:
        yield LoggedRecords(engagements=records.engagements)
    if records.opens:
        yield LoggedRecords(opens=records.opens)
    for batch in records.calls:
        yield LoggedRecords(calls=[batch])


def _singles(records: LoggedRecords) -> Iterator[LoggedRecords]:
    """Each act and each call; what could not be read of a request goes with its first call."""
    for engagement in records.engagements:
        yield LoggedRecords(engagements=[engagement])
    for opened in records.opens:
        yield LoggedRecords(opens=[opened])
    for batch in records.calls:
        if not batch.calls:
            yield LoggedRecords(calls=[batch])
        for number, call in enumerate(batch.calls):
            yield LoggedRecords(
                calls=[structs.replace(batch, calls=(call,), unreadable=() if number else batch.unreadable)]
            )


def _quarantine(connection: Connection, vault: Vault, single: LoggedRecords, reason: str) -> None:
    for batch in single.calls:
        left = [Left(index, reason, _text(call)) for index, call in batch.calls]
        keep_refused(connection, vault, batch.posted_by.name, [*left, *batch.unreadable], batch.received_at)
    acts: list[Engagement | CountedOpen] = [*single.engagements, *single.opens]
    for one in acts:
        keep_refused(connection, vault, _MAIL, [Left(0, reason, _text(one))], one.act.occurred_at.astimezone(UTC))


def _text(record: object) -> str:
    return msgspec.json.encode(record, enc_hook=str).decode()
