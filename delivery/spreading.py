"""Messages spread over time: a journey's own throttle, a pace for each recipient domain, a new sender's warm-up.

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
from delivery.judgement import hold
from delivery.ledger import Ending
from delivery.pace_rows import lock_rate, write_rate
from delivery.policy import Hold, Reason
from delivery.tables import MessageKind
from delivery.throttle import TARGET, Rate, reserve

_THROTTLE = "the throttle of its journey"
_PACE = "the pace of the recipient's provider"
_WARM_UP = "the warm-up's share of the day is used up"
_SOON = timedelta(seconds=1)  # so far ahead a message goes now
_MISSED = timedelta(minutes=1)  # a place in the queue that is older is no place any more
_SECOND = timedelta(seconds=1)
THROTTLE = "throttle_per_s"  # under which a message's policy has the messages a second of its journey
_MIDNIGHT = datetime.min.time()
_DAYS, _PLENTY = 60, 1_000_000_000  # after so many days a sender is not new, and nobody has so many readers


def spread(
    connection: Connection,
    workspace: Workspace,
    rows: Sequence[MessageRow],
    gathered: Mapping[str, Gathered],
    now: datetime,
) -> list[Ending]:
    """The endings of those of `rows` that are to wait; the others may go now."""
    endings = _spread_by_journey(connection, rows, now)
    if workspace.domain_pace:
        mails = _mails_but(rows, endings)
        endings += _spread_by_domain(connection, workspace.domain_pace, mails, gathered, now)
    if workspace.warm_up is not None:
        mails = _mails_but(rows, endings)
        endings += _share_out(connection, workspace.warm_up, ZoneInfo(workspace.timezone), mails, now)
    return endings


def is_spread(workspace: Workspace, rows: Sequence[MessageRow]) -> bool:
    """Whether any of `rows` may have to wait for its turn."""
    return bool(workspace.domain_pace or workspace.warm_up or any(THROTTLE in row.policy for row in rows))


def _mails_but(rows: Sequence[MessageRow], endings: Sequence[Ending]) -> list[MessageRow]:
    waiting = {ending.message_id for ending in endings}
    return [row for row in rows if row.channel == "email" and row.id not in waiting]


def share_of_day(warm_up: WarmUp, day: date) -> int:
    """How many mails go out on `day`; none before it begins."""
    number = (day - warm_up.start).days
    return 0 if number < 0 else int(min(_PLENTY, warm_up.first_day * warm_up.factor ** min(number, _DAYS)))


def _spread_by_journey(connection: Connection, rows: Sequence[MessageRow], now: datetime) -> list[Ending]:
    by_journey: dict[str, list[MessageRow]] = defaultdict(list)
    for row in rows:
        if THROTTLE in row.policy and not _has_its_place(row, _THROTTLE, now):
            by_journey[row.origin].append(row)
    endings = []
    for journey, those in sorted(by_journey.items()):
        exact = those[-1].policy[THROTTLE] / TARGET  # it was written by hand: not a hair below it
        endings += _line_up(connection, f"journey:{journey}", exact, those, _THROTTLE, now)
    return endings


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
        if address is not None and address.domain in paces and not _has_its_place(row, _PACE, now):
            by_domain[address.domain].append(row)
    endings = []
    for domain, those in sorted(by_domain.items()):
        endings += _line_up(connection, f"domain:{domain}", paces[domain], those, _PACE, now)
    return endings


def _line_up(
    connection: Connection, scope: str, per_s: float, rows: Sequence[MessageRow], why: str, now: datetime
) -> list[Ending]:
    """A place in the queue of `scope` for each of `rows`: those whose place is not now wait for it."""
    paced = Rate(per_s, next_at=lock_rate(connection, scope).next_at)
    # Those that never wait come first; the others find their places behind them.
    ordered = sorted(rows, key=lambda row: row.kind != MessageKind.TRANSACTIONAL)
    paced, instants = reserve(paced, len(ordered), now.timestamp())
    write_rate(connection, scope, paced)
    endings = []
    for row, instant in zip(ordered, instants, strict=True):
        until = now + _SECOND * (instant - now.timestamp())
        if until > now + _SOON and row.kind != MessageKind.TRANSACTIONAL:
            endings.append(_wait(row, until, why))
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
    return [_wait(row, tomorrow, _WARM_UP) for row in waiting]


def _has_its_place(row: MessageRow, why: str, now: datetime) -> bool:
    """Whether it has waited already for the instant that is now."""
    return bool(row.reason == Reason.THROTTLED and row.detail == why and now - row.due_at <= _MISSED)


def _wait(row: MessageRow, until: datetime, why: str) -> Ending:
    """A message that lapses before its turn is asked again at the moment it lapses."""
    return hold(row, Hold(until if row.expires_at is None else min(until, row.expires_at), Reason.THROTTLED, why))
