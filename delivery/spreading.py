"""Mail spread over time for the mailbox providers' sake: a pace for each recipient domain, and a new sender's warm-up.

What has to wait is due later, at an instant of its own, so that the ledger itself is the queue and nobody's place in it
is lost. Transactional mail counts, and never waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from core.durations import at_local
from customers.workspace import WarmUp, Workspace
from delivery.envelope import MessageRow
from delivery.facts import Gathered
from delivery.ledger import Ending
from delivery.pace_rows import lock_rate, write_rate
from delivery.policy import Reason
from delivery.tables import MessageKind, MessageStatus
from delivery.throttle import Rate, reserve

_PACE = "the pace of the recipient's provider"
_WARM_UP = "the warm-up's share of the day is used up"
_SOON = timedelta(seconds=1)  # so far ahead a message goes now
_MISSED = timedelta(minutes=1)  # a place in the queue that is older is no place any more
_SECOND = timedelta(seconds=1)
_MIDNIGHT = datetime.min.time()
_DAYS, _PLENTY = 60, 1_000_000_000  # after so many days a sender is not new, and nobody has so many readers


def spread(
    connection: Connection,
    workspace: Workspace,
    rows: Sequence[MessageRow],
    gathered: Mapping[str, Gathered],
    now: datetime,
) -> list[Ending]:
    """The endings of those mails of `rows` that are to wait; the others may go now."""
    mails = [row for row in rows if row.channel == "email"]
    endings: list[Ending] = []
    if workspace.domain_pace:
        endings += _spread_by_domain(connection, workspace.domain_pace, mails, gathered, now)
    if workspace.warm_up is not None:
        waiting = {ending.message_id for ending in endings}
        left = [row for row in mails if row.id not in waiting]
        endings += _share_out(connection, workspace.warm_up, ZoneInfo(workspace.timezone), left, now)
    return endings


def share_of_day(warm_up: WarmUp, day: date) -> int:
    """How many mails go out on `day`; none before it begins."""
    number = (day - warm_up.start).days
    return 0 if number < 0 else int(min(_PLENTY, warm_up.first_day * warm_up.factor ** min(number, _DAYS)))


def _spread_by_domain(
    connection: Connection,
    paces: Mapping[str, float],
    rows: Sequence[MessageRow],
    gathered: Mapping[str, Gathered],
    now: datetime,
) -> list[Ending]:
    by_domain: dict[str, list[MessageRow]] = defaultdict(list)
    for row in rows:
        address = gathered[row.id].address
        if address is not None and address.domain in paces and not _has_its_place(row, now):
            by_domain[address.domain].append(row)
    endings = []
    for domain, those in sorted(by_domain.items()):
        scope = f"domain:{domain}"
        rate = lock_rate(connection, scope)
        paced = Rate(paces[domain], next_at=rate.next_at)
        # Those that never wait come first; the others find their places behind them.
        those.sort(key=lambda row: row.kind != MessageKind.TRANSACTIONAL)
        paced, instants = reserve(paced, len(those), now.timestamp())
        write_rate(connection, scope, paced)
        for row, instant in zip(those, instants, strict=True):
            until = now + _SECOND * (instant - now.timestamp())
            if until > now + _SOON and row.kind != MessageKind.TRANSACTIONAL:
                endings.append(Ending(row.id, MessageStatus.DUE, Reason.THROTTLED, _PACE, _before_expiry(row, until)))
    return endings


def _share_out(
    connection: Connection, warm_up: WarmUp, zone: ZoneInfo, rows: Sequence[MessageRow], now: datetime
) -> list[Ending]:
    today = now.astimezone(zone).date()
    scope = f"warm_up:email:{today}"
    rate = lock_rate(connection, scope)
    left = share_of_day(warm_up, today) if rate.day_left is None else rate.day_left
    first = [row for row in rows if row.kind == MessageKind.TRANSACTIONAL]
    waiting: list[MessageRow] = []
    for row in (row for row in rows if row.kind != MessageKind.TRANSACTIONAL):
        (first if len(first) < left else waiting).append(row)
    write_rate(connection, scope, Rate(day_left=max(0, left - len(first))))
    tomorrow = at_local(today + timedelta(days=1), _MIDNIGHT, zone)
    return [
        Ending(row.id, MessageStatus.DUE, Reason.THROTTLED, _WARM_UP, _before_expiry(row, tomorrow)) for row in waiting
    ]


def _has_its_place(row: MessageRow, now: datetime) -> bool:
    """Whether it has waited already for the instant that is now."""
    return bool(row.reason == Reason.THROTTLED and row.detail == _PACE and now - row.due_at <= _MISSED)


def _before_expiry(row: MessageRow, until: datetime) -> datetime:
    """A message that lapses before its turn is asked again at the moment it lapses."""
    return until if row.expires_at is None else min(until, row.expires_at)
