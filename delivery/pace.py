"""One pace for all workers of a workspace: each reserves instants in small blocks from a row that they share.

An instant that is not used in time is lost: a worker that dies, or is late, makes the others no faster, so that no
sliding second ever holds more recipients than the quota allows. The quota is the provider's own word, read again every
few minutes.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from sqlalchemy import Connection, text, update

from core.clock import SystemClock, to_micros
from core.database import Database
from delivery.pace_rows import lock_rate, write_rate
from delivery.providers.transport import Reaction, SendQuota, Transport, TransportError, read_quota
from delivery.tables import send_rate
from delivery.throttle import rate_at, reserve, slow_down

log = logging.getLogger(__name__)

REFRESH_S = 300.0
_BLOCK_S = 0.2  # how far ahead a worker reserves
_HORIZON_S = 0.1  # how long before its instant a message may be marked `sending`
_LEAD_S = 0.005
_LATE_S = 0.02  # an instant that is missed by more is lost
_REST_S = 1.0  # when the day's quota is used up
_TRUST_S = 5.0  # how long an unlimited rate is believed without looking
_BURST = 0.03  # of the rate
_MOST_TOGETHER = 50
_MICROS = 1_000_000


@dataclass(slots=True)
class _Lane:
    """One way to a provider in this process. Instants are on the monotonic clock."""

    lock: Lock = field(default_factory=Lock)
    instants: deque[float] = field(default_factory=deque)
    promised: int = 0  # calls that were let go and have not taken their instant yet
    unlimited_until: float = 0.0
    is_day_over: bool = False
    rate: float | None = None


class Pace:
    """Thread-safe. `room` says how many messages may be begun now; each call then waits for its own instant."""

    def __init__(
        self, database: Database, transports: Mapping[str, Transport], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._database = database
        self._transports = transports
        self._sleep = sleep
        self._lanes: dict[str, _Lane] = {}
        self._read_at = time.monotonic()

    def open(self, route: str) -> None:
        """Have a lane for `route`, with its provider's quota; before the first message goes there."""
        if route not in self._lanes:
            self._lanes[route] = _Lane()
            self._read(route)

    def refresh(self) -> None:
        """Read the quotas of the providers in use again; one that does not answer keeps its last."""
        for route in list(self._lanes):
            self._read(route)

    def refresh_when_old(self) -> None:
        """`refresh` every few minutes: so soon a quota is followed that the provider has changed."""
        if time.monotonic() - self._read_at >= REFRESH_S:
            self.refresh()
            self._read_at = time.monotonic()

    def slowest(self) -> float | None:
        """Recipients a second of the slowest provider in use, as it last was; None where all are unlimited."""
        return min((lane.rate for lane in self._lanes.values() if lane.rate is not None), default=None)

    def _read(self, route: str) -> None:
        transport = self._transports[route]
        try:
            quota = read_quota(transport)
        except TransportError as error:
            log.warning("the sending rate of %s could not be read: %s", transport.name, error)
            return
        with self._database.transaction() as connection:
            self._write_quota(connection, route, quota)
        lane = self._lanes[route]
        with lane.lock:
            lane.unlimited_until, lane.is_day_over, lane.rate = 0.0, False, quota.rate

    def room(self, route: str, wanted: int) -> int:
        """How many of `wanted` messages may be begun now, because their instants are near."""
        lane = self._lanes[route]
        with lane.lock:
            now = time.monotonic()
            if wanted <= 0 or now < lane.unlimited_until:
                return wanted
            self._forget_late(lane, now)
            if len(lane.instants) < lane.promised + wanted:
                self._reserve(route, lane, lane.promised + wanted - len(lane.instants))
                now = time.monotonic()
                if now < lane.unlimited_until:
                    return wanted
            near = sum(at <= now + _HORIZON_S for at in lane.instants)
            begun = max(0, min(wanted, near - lane.promised))
            lane.promised += begun
            return begun

    def give_back(self, route: str, count: int) -> None:
        """So many of those that `room` let go will not call after all."""
        lane = self._lanes[route]
        with lane.lock:
            lane.promised = max(0, lane.promised - count)

    def most_together(self, route: str) -> int:
        """How many recipients may be written to in one moment: so few that no second holds too many for it."""
        rate = self._lanes[route].rate
        return _MOST_TOGETHER if rate is None else max(1, min(_MOST_TOGETHER, int(rate * _BURST)))

    def rest(self, route: str) -> float:
        """Seconds until `room` may have some: 0 for now."""
        lane = self._lanes[route]
        with lane.lock:
            now = time.monotonic()
            if lane.is_day_over:
                return _REST_S
            if now < lane.unlimited_until or len(lane.instants) <= lane.promised:
                return 0.0
            return max(0.0, lane.instants[lane.promised] - _HORIZON_S - now)

    def wait(self, route: str, recipients: int = 1) -> None:
        """Block until `recipients` may be written to. Raises TransportError when the day's quota is used up."""
        lane = self._lanes[route]
        self.give_back(route, recipients)
        while time.monotonic() >= lane.unlimited_until:
            at = self._take(route, lane, recipients)
            if at is None:
                return
            pause = at - time.monotonic()
            if pause > 0:
                self._sleep(pause)
            if time.monotonic() - at <= _LATE_S:
                return

    def is_day_over(self, route: str) -> bool:
        """Whether nothing is left of the day's quota, as far as it is known."""
        return self._lanes[route].is_day_over

    @staticmethod
    def slow_down(connection: Connection, route: str) -> None:
        """The provider of `route` asks for less: for all workers, until the rate has recovered."""
        write_rate(connection, route, slow_down(lock_rate(connection, route), _now(connection)))

    def forget(self, route: str) -> None:
        """Give up the instants that this process holds; they were reserved at a rate that holds no longer."""
        lane = self._lanes[route]
        with lane.lock:
            lane.unlimited_until = 0.0
            lane.instants.clear()

    def _take(self, route: str, lane: _Lane, recipients: int) -> float | None:
        """The instant of the last of so many recipients, on the monotonic clock; None when the rate is unlimited."""
        while True:
            with lane.lock:
                self._forget_late(lane, time.monotonic())
                if len(lane.instants) < recipients:
                    self._reserve(route, lane, recipients - len(lane.instants))
                if time.monotonic() < lane.unlimited_until:
                    return None
                if lane.is_day_over and len(lane.instants) < recipients:
                    raise TransportError(Reaction.WAIT_FOR_QUOTA, "DailyQuotaUsedUp")
                if len(lane.instants) >= recipients:
                    return [lane.instants.popleft() for _ in range(recipients)][-1]

    def _reserve(self, route: str, lane: _Lane, missing: int) -> None:
        """Reserve from the shared row what the next moments take, or see that nothing has to be reserved."""
        with self._database.transaction() as connection:
            rate = lock_rate(connection, route)
            now, now_here = _now(connection), time.monotonic()
            lane.rate = current = rate_at(rate, now)
            if current is None and rate.day_left is None:
                lane.unlimited_until = now_here + _TRUST_S
                return
            block = missing if current is None else max(1, min(missing, int(current * _BLOCK_S)))
            rate, instants = reserve(rate, block, now, _LEAD_S)
            lane.is_day_over = not instants
            if instants:
                write_rate(connection, route, rate)
        lane.instants.extend(at - now + now_here for at in instants)

    @staticmethod
    def _forget_late(lane: _Lane, now: float) -> None:
        while lane.instants and lane.instants[0] < now - _LATE_S:
            lane.instants.popleft()

    @staticmethod
    def _write_quota(connection: Connection, route: str, quota: SendQuota) -> None:
        lock_rate(connection, route)
        connection.execute(
            update(send_rate)
            .where(send_rate.c.scope == route)
            .values(quota=quota.rate, day_left=quota.day_left, read_at=SystemClock().now())
        )


_DATABASE_NOW = text("SELECT extract(epoch FROM clock_timestamp())")


def _now(connection: Connection) -> float:
    """The database's clock, which all workers share; with SQLite they share a machine."""
    if connection.dialect.name == "sqlite":
        return to_micros(SystemClock().now()) / _MICROS
    return float(connection.execute(_DATABASE_NOW).scalar_one())
