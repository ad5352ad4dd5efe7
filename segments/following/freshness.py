"""How fresh memberships are: when a tick last looked, and how much waits for the next one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from segments.following.faults import Fault, list_faults
from segments.following.touched import count_waiting, oldest_waiting
from segments.mark import find_mark, last_tick


@dataclass(frozen=True, slots=True)
class Freshness:
    """`followed_to` is the instant of which no membership is older; `waiting` rows are still to be read, at most."""

    ticked_at: datetime | None
    followed_to: datetime | None
    waiting: int
    waiting_since: datetime | None
    faults: tuple[Fault, ...]

    def lag_s(self, now: datetime) -> float:
        """Seconds since the instant of which no membership is older, or since the first row that waits came."""
        instants = [at for at in (self.followed_to, self.waiting_since) if at is not None]
        return max(0.0, (now - min(instants, default=now)).total_seconds())


def read_freshness(connection: Connection) -> Freshness:
    mark = find_mark(connection)
    waiting = 0 if mark is None else count_waiting(connection, mark.positions)
    since = oldest_waiting(connection, mark.positions) if mark is not None and waiting else None
    followed_to = None if mark is None else mark.followed_to
    return Freshness(last_tick(connection), followed_to, waiting, since, tuple(list_faults(connection)))
