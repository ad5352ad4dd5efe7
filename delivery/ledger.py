"""The transitions of the send ledger, one conditional UPDATE each: the state just read stands in every WHERE.

`sending` is committed before a provider is called, the outcome after. What died as `claimed` is safe to send again;
what died as `sending` is unknown, and a marketing message that is unknown is never sent again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, exists, func, insert, literal, or_, select, update

from core.bulk import among, insert_few, update_rows
from core.claims import claim_rows
from core.clock import to_micros
from core.columns import Instant
from core.vault import Vault
from delivery.envelope import Envelope, MessageRow
from delivery.policy import Reason
from delivery.tables import MessageKind, MessageStatus, OriginKind, delivery_attempt, message

LEASE = timedelta(seconds=60)
STUCK = timedelta(minutes=10)
_BACK_OFF = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
_IS_MINE = "message.status = 'claimed' AND message.claimed_by = ?"


def claim_due(
    connection: Connection, *, worker: str, limit: int, now: datetime, paused: Mapping[str, str]
) -> list[MessageRow]:
    """Claim up to `limit` messages that are due, or whose claimer's lease ran out.

    Paused ones are left alone until they lapse: then they end, whether anybody asks for them again or not.
    """
    if "everything" in paused:
        return []
    is_due = or_(
        and_(message.c.status == MessageStatus.DUE, message.c.due_at <= now, message.c.asks_again.is_(None)),
        and_(message.c.status == MessageStatus.CLAIMED, message.c.lease_until <= now),
    )
    if paused:
        lapsed = and_(message.c.status == MessageStatus.DUE, message.c.due_at <= now, message.c.expires_at <= now)
        is_due = or_(and_(is_due, *map(_not_paused, paused)), lapsed)
    return claim_rows(
        connection,
        message,
        where=[is_due],
        order_by=[message.c.priority.desc(), message.c.due_at, message.c.id],
        limit=limit,
        values={
            "status": MessageStatus.CLAIMED,
            "claimed_by": worker,
            "claimed_at": now,
            "lease_until": now + LEASE,
        },
    )


def _not_paused(scope: str) -> Any:
    kind, _, name = scope.partition(":")
    match kind:
        case "channel":
            return message.c.channel != name
        case "sender":
            return or_(message.c.sender.is_(None), message.c.sender != name)
        case _:
            return or_(message.c.origin_kind != kind, message.c.origin != name)


def lock_messages(connection: Connection, message_ids: Collection[str], provider_ids: Collection[str] = ()) -> None:
    """Lock in one order whatever a transaction will write, so that no two wait for each other's rows.

    On SQLite whoever writes is alone.
    """
    if connection.dialect.name == "sqlite" or not (message_ids or provider_ids):
        return
    mine = among(connection, message.c.id, sorted(message_ids))
    if provider_ids:
        mine = or_(mine, among(connection, message.c.provider_id, sorted(provider_ids)))
    connection.execute(select(message.c.id).where(mine).order_by(message.c.id).with_for_update()).all()


@dataclass(frozen=True, slots=True)
class Ending:
    """How a claimed message ends without a call: held until `until`, or skipped or failed for good.

    `asks_again`: when its hold ends, its journey is asked before delivery. `holds` are all that held it until now, as
    `delivery.holds` writes them. `properties` go with its event in the log.
    """

    message_id: str
    status: MessageStatus
    reason: Reason | None = None
    detail: str = ""
    until: datetime | None = None
    asks_again: bool = False
    holds: Sequence[Mapping[str, str]] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


def end_claimed(connection: Connection, worker: str, endings: Sequence[Ending], now: datetime) -> None:
    """Write the endings of messages that `worker` has claimed."""
    at = to_micros(now)
    rows = [
        (
            ending.message_id,
            ending.status.value,
            ending.reason.value if ending.reason else None,
            ending.detail[:500] or None,
            to_micros(ending.until) if ending.until else None,
            None if ending.until else at,
            ending.asks_again or None,
            msgspec.json.encode(ending.holds).decode() if ending.holds else None,
        )
        for ending in endings
    ]
    update_rows(
        connection,
        message,
        ("id", "status", "reason", "detail", "due_at?", "ended_at", "asks_again", "holds?"),
        rows,
        where=_IS_MINE,
        parameters=(worker,),
    )


def release_claimed(connection: Connection, worker: str, message_ids: Sequence[str]) -> None:
    """Give back what `worker` has claimed and will not send, for whoever comes next: no provider heard of it."""
    update_rows(
        connection,
        message,
        ("id",),
        [(message_id,) for message_id in message_ids],
        also="status = 'due', lease_until = NULL",
        where=_IS_MINE,
        parameters=(worker,),
    )


def renew_claims(connection: Connection, worker: str, now: datetime) -> None:
    """Prolong what `worker` still holds; only a worker that lives does."""
    connection.execute(
        update(message)
        .where(message.c.status == MessageStatus.CLAIMED, message.c.claimed_by == worker)
        .values(lease_until=now + LEASE)
    )


def begin_sending(
    connection: Connection,
    vault: Vault,
    worker: str,
    envelopes: Sequence[Envelope],
    rows: Mapping[str, MessageRow],
    now: datetime,
) -> list[Envelope]:
    """Commit-before-call: mark these `sending` and answer those that are still ours (a lease may have been lost)."""
    at = to_micros(now)
    marked = update_rows(
        connection,
        message,
        ("id", "sending_at", "template_hash", "opens", "lookup", "recipient_domain", "decision_id", "links"),
        [
            (
                envelope.message_id,
                at,
                envelope.template_hash or None,
                envelope.opens,
                envelope.lookup,
                envelope.recipient_domain[:100] or None,
                envelope.decision_id,
                _seal_links(vault, rows[envelope.message_id], envelope.links),
            )
            for envelope in envelopes
        ],
        also="status = 'sending', attempt_count = attempt_count + 1, reason = NULL, detail = NULL",
        where=_IS_MINE,
        parameters=(worker,),
    )
    mine = set(marked)
    return [envelope for envelope in envelopes if envelope.message_id in mine]


def _seal_links(vault: Vault, row: MessageRow, links: Mapping[str, str]) -> bytes | None:
    owner = row.origin_profile_id or row.profile_id
    return vault.seal_document(owner, "message.links", links) if links else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one call came to. `until` is set when the message is due again."""

    message_id: str
    attempt_no: int
    status: MessageStatus
    outcome: str  # accepted | retry | failed | unknown
    provider: str
    provider_id: str | None = None
    error_code: str | None = None
    until: datetime | None = None
    started_at: datetime | None = None


def record_outcomes(connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write what the calls came to. A row that a provider's event has settled meanwhile stays settled."""
    if not outcomes:
        return
    at = to_micros(now)
    recorded = set(
        update_rows(
            connection,
            message,
            ("id", "status", "reason", "detail", "due_at?", "sent_at", "ended_at", "provider?", "provider_id?"),
            [
                (
                    item.message_id,
                    item.status.value,
                    Reason.REJECTED.value if item.status == MessageStatus.FAILED else None,
                    item.error_code,
                    to_micros(item.until) if item.until else None,
                    at if item.status == MessageStatus.SENT else None,
                    None if item.until else at,
                    item.provider if item.provider_id else None,
                    item.provider_id,
                )
                for item in outcomes
            ],
            where="message.status = 'sending'",
        )
    )
    settled = [item for item in outcomes if item.provider_id and item.message_id not in recorded]
    update_rows(
        connection,
        message,
        ("id", "provider", "provider_id"),
        [(item.message_id, item.provider, item.provider_id) for item in settled],
        where="true",
    )
    insert_few(
        connection,
        delivery_attempt,
        ("message_id", "attempt_no", "started_at", "finished_at", "outcome", "error_code"),
        [
            (
                item.message_id,
                item.attempt_no,
                to_micros(item.started_at or now),
                at,
                item.outcome,
                item.error_code[:100] if item.error_code else None,
            )
            for item in outcomes
        ],
    )


def back_off(attempts: int) -> timedelta:
    """How long after the n-th call (from 1) a message that was not accepted is due again."""
    return _BACK_OFF[min(attempts, len(_BACK_OFF)) - 1]


def settle_stuck(connection: Connection, now: datetime) -> list[MessageRow]:
    """Settle messages that died as `sending` ten minutes ago: their outcome will not come any more.

    Marketing becomes `unknown` and stays so unless the provider reports it; transactional is due once more, under the
    same id (at most twice). Answers the rows that became unknown.
    """
    dead = (message.c.status == MessageStatus.SENDING, message.c.sending_at <= now - STUCK)
    _record_lost_attempts(connection, dead, now)
    connection.execute(
        update(message)
        .where(
            *dead,
            message.c.kind == MessageKind.TRANSACTIONAL,
            message.c.origin_kind != OriginKind.TEST,  # composed by whoever asked for it, and by nobody else
            message.c.attempt_count < 2,
        )
        .values(status=MessageStatus.DUE, due_at=now, detail="the first call's outcome is unknown")
    )
    return list(
        connection.execute(
            update(message).where(*dead).values(status=MessageStatus.UNKNOWN, ended_at=now).returning(*message.c)
        )
    )


def count_by_status(connection: Connection, origin_id: str) -> dict[tuple[str, str | None], int]:
    """How the messages of a launch or an enrolment stand: (status, reason) to count."""
    rows = connection.execute(
        select(message.c.status, message.c.reason, func.count())
        .where(message.c.origin_id == origin_id)
        .group_by(message.c.status, message.c.reason)
    )
    return {(status, reason): count for status, reason, count in rows}


def _record_lost_attempts(connection: Connection, dead: Sequence[ColumnElement[bool]], now: datetime) -> None:
    """An attempt is written with its outcome; of a call that a dead process made, nobody wrote it."""
    attempt = delivery_attempt.c
    is_written = exists().where(attempt.message_id == message.c.id, attempt.attempt_no == message.c.attempt_count)
    at = literal(now, Instant())
    lost = select(message.c.id, message.c.attempt_count, message.c.sending_at, at, literal("unknown"))
    names = ["message_id", "attempt_no", "started_at", "finished_at", "outcome"]
    connection.execute(insert(delivery_attempt).from_select(names, lost.where(*dead, ~is_written)))
