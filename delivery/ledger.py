"""The transitions of the send ledger, one conditional UPDATE each: the state just read stands in every WHERE.

`sending` is committed before a provider is called, the outcome after. What died as `claimed` is safe to send again;
what died as `sending` is unknown, and a marketing message that is unknown is never sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, Connection, and_, bindparam, case, func, insert, or_, select, update

from core.claims import claim_rows
from core.columns import Instant
from core.vault import Vault
from delivery.envelope import Envelope, MessageRow
from delivery.policy import Reason
from delivery.tables import MessageKind, MessageStatus, delivery_attempt, message

LEASE = timedelta(seconds=60)
STUCK = timedelta(minutes=10)
_BACK_OFF = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))


def claim_due(
    connection: Connection, *, worker: str, limit: int, now: datetime, paused: Mapping[str, str]
) -> list[MessageRow]:
    """Claim up to `limit` messages that are due, or whose claimer's lease ran out; paused ones are left alone."""
    if "everything" in paused:
        return []
    closed = [_not_paused(scope) for scope in paused]
    return claim_rows(
        connection,
        message,
        where=[
            or_(
                and_(message.c.status == MessageStatus.DUE, message.c.due_at <= now),
                and_(message.c.status == MessageStatus.CLAIMED, message.c.lease_until <= now),
            ),
            *closed,
        ],
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


def _moved_to(whether: str, until: str) -> Any:
    """A new due instant, or the one that stands. Inside CASE a parameter does not learn its type from the column."""
    return case((bindparam(whether, type_=Boolean()), bindparam(until, type_=Instant())), else_=message.c.due_at)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a claimed message ends without a call: held until `until`, or skipped or failed for good."""

    message_id: str
    status: MessageStatus
    reason: Reason | None = None
    detail: str = ""
    until: datetime | None = None


def end_claimed(connection: Connection, worker: str, endings: Sequence[Ending], now: datetime) -> None:
    """Write the endings of messages that `worker` has claimed."""
    if not endings:
        return
    statement = (
        update(message)
        .where(
            message.c.id == bindparam("b_id"),
            message.c.status == MessageStatus.CLAIMED,
            message.c.claimed_by == worker,
        )
        .values(
            status=bindparam("b_status"),
            reason=bindparam("b_reason"),
            detail=bindparam("b_detail"),
            due_at=_moved_to("b_held", "b_until"),
            ended_at=bindparam("b_ended"),
        )
    )
    connection.execute(
        statement,
        [
            {
                "b_id": ending.message_id,
                "b_status": ending.status,
                "b_reason": ending.reason,
                "b_detail": ending.detail[:500] or None,
                "b_held": ending.until is not None,
                "b_until": ending.until or now,
                "b_ended": None if ending.until else now,
            }
            for ending in endings
        ],
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
    if not envelopes:
        return []
    mine = set(
        connection.execute(
            update(message)
            .where(
                message.c.id.in_([envelope.message_id for envelope in envelopes]),
                message.c.status == MessageStatus.CLAIMED,
                message.c.claimed_by == worker,
            )
            .values(
                status=MessageStatus.SENDING,
                sending_at=now,
                attempt_count=message.c.attempt_count + 1,
                reason=None,
                detail=None,
            )
            .returning(message.c.id)
        ).scalars()
    )
    kept = [envelope for envelope in envelopes if envelope.message_id in mine]
    if kept:
        connection.execute(
            update(message)
            .where(message.c.id == bindparam("b_id"))
            .values(
                template_hash=bindparam("b_hash"),
                opens=bindparam("b_opens"),
                lookup=bindparam("b_lookup"),
                recipient_domain=bindparam("b_domain"),
                decision_id=bindparam("b_decision"),
                links=bindparam("b_links"),
            ),
            [
                {
                    "b_id": envelope.message_id,
                    "b_hash": envelope.template_hash or None,
                    "b_opens": envelope.opens,
                    "b_lookup": envelope.lookup,
                    "b_domain": envelope.recipient_domain[:100] or None,
                    "b_decision": envelope.decision_id,
                    "b_links": _seal_links(vault, rows[envelope.message_id], envelope.links),
                }
                for envelope in kept
            ],
        )
        connection.execute(
            insert(delivery_attempt),
            [
                {
                    "message_id": envelope.message_id,
                    "attempt_no": rows[envelope.message_id].attempt_count + 1,
                    "started_at": now,
                }
                for envelope in kept
            ],
        )
    return kept


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


def record_outcomes(connection: Connection, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write what the calls came to. A row that a provider's event has settled meanwhile stays settled."""
    if not outcomes:
        return
    accepted = [item for item in outcomes if item.provider_id]
    if accepted:
        connection.execute(
            update(message)
            .where(message.c.id == bindparam("b_id"))
            .values(provider=bindparam("b_provider"), provider_id=bindparam("b_provider_id")),
            [
                {"b_id": item.message_id, "b_provider": item.provider, "b_provider_id": item.provider_id}
                for item in accepted
            ],
        )
    connection.execute(
        update(message)
        .where(message.c.id == bindparam("b_id"), message.c.status == MessageStatus.SENDING)
        .values(
            status=bindparam("b_status"),
            reason=bindparam("b_reason"),
            detail=bindparam("b_detail"),
            due_at=_moved_to("b_again", "b_until"),
            sent_at=bindparam("b_sent"),
            ended_at=bindparam("b_ended"),
        ),
        [
            {
                "b_id": item.message_id,
                "b_status": item.status,
                "b_reason": Reason.REJECTED if item.status == MessageStatus.FAILED else None,
                "b_detail": item.error_code,
                "b_again": item.until is not None,
                "b_until": item.until or now,
                "b_sent": now if item.status == MessageStatus.SENT else None,
                "b_ended": None if item.until else now,
            }
            for item in outcomes
        ],
    )
    connection.execute(
        update(delivery_attempt)
        .where(delivery_attempt.c.message_id == bindparam("b_id"), delivery_attempt.c.attempt_no == bindparam("b_no"))
        .values(finished_at=now, outcome=bindparam("b_outcome"), error_code=bindparam("b_code")),
        [
            {"b_id": item.message_id, "b_no": item.attempt_no, "b_outcome": item.outcome, "b_code": item.error_code}
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
    connection.execute(
        update(message)
        .where(*dead, message.c.kind == MessageKind.TRANSACTIONAL, message.c.attempt_count < 2)
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
