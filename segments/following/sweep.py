"""Who changes by time alone: people one of whose events enters or leaves a window, or whose consent runs out.

An event changes its part in [now - within, now) between two instants when it lies between them shifted by `within`;
so the log in the order (name, occurred_at) is the queue, and nothing has to be planned ahead. Late events, events of
the future and clocks that go back need nothing of their own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Connection, not_, select, type_coerce

from core.clock import from_micros
from core.cursors import Position, behind
from customers.tables import IdentityKind, consent_entry, customer_event, identity
from segments.language.timing import Timing
from tracking.engagement import unsettled_people

_ADDRESSES = (IdentityKind.EMAIL.value, IdentityKind.PHONE.value)
_ACTS = frozenset({"message_opened", "link_clicked"})  # in the log ten seconds later, and asked about at once
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Swept:
    """The people, and up to which instant the sweep came."""

    ids: frozenset[int]
    reached: datetime


def sweep(
    connection: Connection, timing: Timing, since: datetime, until: datetime, *, read: Position, limit: int
) -> Swept:
    """Everybody whose answer can differ between `since` and `until` (`since` ≤ `until`) although no row came.

    Events behind `read` are passed over: whose they are is asked about when the cursor comes to them. With more than
    about `limit` rows of one window it stops at an earlier instant, which is later than `since`.
    """
    if since >= until:
        return Swept(frozenset(), until)
    ids: set[int] = set()
    reached = until
    for within, names in _by_length(timing).items():
        event = customer_event.c
        query = (
            select(event.profile_id, type_coerce(event.occurred_at, BigInteger()).label("at"))
            .where(event.name.in_(sorted(names)), event.profile_id.is_not(None))
            .where(not_(behind(connection, customer_event, read)))
            .order_by(event.occurred_at)
        )
        crossing = query.where(event.occurred_at >= since - within, event.occurred_at < until - within)
        rows = connection.execute(crossing.limit(limit)).all()
        ids.update(row.profile_id for row in rows)
        if len(rows) == limit:
            last = from_micros(rows[-1].at) + within
            if last <= since:  # so many events of one instant, as a file brings them
                rows = connection.execute(query.where(event.occurred_at == since - within)).all()
                ids.update(row.profile_id for row in rows)
                last = since + _MICROSECOND
            reached = min(reached, last)
    if timing.expires:
        ids |= _with_consent_running_out(connection, since, until)
    if any(_ACTS & set(window.names) for window in timing.windows):
        ids |= unsettled_people(connection, since, until)
    return Swept(frozenset(ids), reached)


def _by_length(timing: Timing) -> dict[timedelta, set[str]]:
    names: dict[timedelta, set[str]] = defaultdict(set)
    for window in timing.windows:
        names[window.within].update(window.names)
    return {within: found for within, found in names.items() if found}


def _with_consent_running_out(connection: Connection, since: datetime, until: datetime) -> set[int]:
    """A grant lasts while `expires_at` is later than now: the stretch is open at its start and closed at its end."""
    entry = consent_entry.c
    lapsing = select(entry.lookup).where(entry.expires_at > since, entry.expires_at <= until)
    query = select(identity.c.profile_id).where(identity.c.kind.in_(_ADDRESSES), identity.c.lookup.in_(lapsing))
    return set(connection.scalars(query.distinct()))
