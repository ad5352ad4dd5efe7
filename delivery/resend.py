"""Sends exactly the unsent again: what provably never went out, for a reason that may have passed since.

Message ids and attempts stay. What is unknown, or has one attempt that is, is never touched. The policy is asked again
before the next attempt, so that nobody gets what they may not have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select, update

from core.errors import ConflictError, InputError, NotFoundError
from customers.touches import touch
from delivery.policy import Reason
from delivery.tables import MessageStatus, OriginKind, delivery_attempt, message

# What a better template, a new offer, an address or a freer day may have put right.
MAY_HAVE_PASSED = frozenset(
    {
        Reason.RENDER_ERROR,
        Reason.REJECTED,
        Reason.NO_OFFER,
        Reason.NO_ADDRESS,
        Reason.NO_TIMEZONE,
        Reason.LEGAL_HOURS,
        Reason.QUIET_HOURS,
        Reason.CAP,
        Reason.THROTTLED,
    }
)
# What people themselves said or what their mailbox said: only where somebody asks for it by name.
ONLY_BY_NAME = frozenset({Reason.CONSENT, Reason.SUPPRESSED, Reason.RESTRICTED})

_UNSENT = (MessageStatus.FAILED.value, MessageStatus.SKIPPED.value)
_NOT_ACCEPTED = ("retry", "failed")
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Origin:
    """Where messages come from: a campaign, journey or template of the API by name, or one launch by its id."""

    kind: OriginKind | None = None
    name: str | None = None
    origin_id: str | None = None

    @property
    def where(self) -> ColumnElement[bool]:
        if self.origin_id is not None:
            return message.c.origin_id == self.origin_id
        return and_(message.c.origin_kind == self.kind, message.c.origin == self.name)


def find_origin(connection: Connection, typed: str) -> Origin:
    """What somebody means by `typed`: a launch's id, a name, or a kind and a name (`journey:win_back`).

    Raises NotFoundError when no message comes from there, ConflictError when a name means two things.
    """
    if connection.execute(select(message.c.id).where(message.c.origin_id == typed).limit(1)).first():
        return Origin(origin_id=typed)
    kind, _, name = typed.rpartition(":")
    wanted = [OriginKind(kind)] if kind in set(OriginKind) else list(OriginKind) if not kind else []
    found = [one for one in wanted if connection.execute(select(message.c.id).where(_from(one, name)).limit(1)).first()]
    if not found:
        raise NotFoundError(f"no message comes from {typed!r}: write a campaign, a journey or the id of a launch.")
    if len(found) > 1:
        either = " or ".join(f"{one}:{name}" for one in found)
        raise ConflictError(f"{name!r} may be several things: write {either}.")
    return Origin(found[0], name)


def read_reasons(typed: Collection[str]) -> frozenset[Reason]:
    """The reasons to send again for; the usual ones where none is named. Raises InputError."""
    allowed = MAY_HAVE_PASSED | ONLY_BY_NAME
    unknown = sorted(set(typed) - {reason.value for reason in allowed})
    if unknown:
        possible = ", ".join(sorted(allowed))
        raise InputError(f"nothing is sent again that was not sent for {unknown[0]!r}: write one of {possible}.")
    return frozenset(Reason(one) for one in typed) or MAY_HAVE_PASSED


def count_unsent(
    connection: Connection, origin: Origin, reasons: Collection[Reason], now: datetime
) -> tuple[Counter[str], Counter[str]]:
    """By reason, how many messages would go out again, and how many stay unsent."""
    query = select(message.c.reason, func.count()).where(origin.where, message.c.status.in_(_UNSENT))
    every = Counter({reason or "": count for reason, count in connection.execute(query.group_by(message.c.reason))})
    chosen = query.where(*_sendable(reasons, now)).group_by(message.c.reason)
    again: Counter[str] = Counter(dict(connection.execute(chosen).tuples().all()))
    return again, every - again


def resend_unsent(connection: Connection, origin: Origin, reasons: Collection[Reason], now: datetime) -> int:
    """Make the unsent of `origin` due again; answers how many. They are walked by their ids, in batches."""
    sendable = (origin.where, message.c.status.in_(_UNSENT), *_sendable(reasons, now))
    after, count = "", 0
    while True:
        query = select(message.c.id).where(message.c.id > after, *sendable).order_by(message.c.id).limit(_BATCH)
        ids = list(connection.execute(query).scalars())
        if not ids:
            return count
        after = ids[-1]
        again = connection.execute(
            update(message)
            .where(message.c.id.in_(ids), message.c.status.in_(_UNSENT))
            .values(status=MessageStatus.DUE, reason=None, detail=None, ended_at=None, due_at=now)
            .returning(message.c.profile_id)
        ).scalars()
        people = list(again)
        touch(connection, people)
        count += len(people)


def _from(kind: OriginKind, name: str) -> ColumnElement[bool]:
    return and_(message.c.origin_kind == kind, message.c.origin == name)


def _sendable(reasons: Collection[Reason], now: datetime) -> tuple[ColumnElement[bool], ...]:
    perhaps_sent = exists().where(
        delivery_attempt.c.message_id == message.c.id,
        or_(delivery_attempt.c.outcome.is_(None), delivery_attempt.c.outcome.not_in(_NOT_ACCEPTED)),
    )
    return (
        message.c.reason.in_(sorted(reasons)),
        message.c.origin_kind != OriginKind.TEST,
        message.c.provider_id.is_(None),
        or_(message.c.expires_at.is_(None), message.c.expires_at > now),
        # What retention has emptied cannot be composed any more; campaigns keep nothing with a message.
        or_(message.c.origin_kind == OriginKind.CAMPAIGN, message.c.context.is_not(None)),
        ~perhaps_sent,
    )
