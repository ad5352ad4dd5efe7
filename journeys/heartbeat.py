"""The heartbeat: everything that has to happen within seconds, once a second, and at once after there was work.

People enter and leave segments, journeys advance, messages go out, opens and clicks become certain, orders are
credited, launches end. One process beats at a time, under a lease of our own: a successor that stands ready asks for it
and gets it, so that beats never pause. Two that beat at once would do no harm, because every part claims its work.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from campaigns.compose import Composer
from campaigns.launch import finish_launches
from core.claims import lease, release_lease, take_lease
from core.ids import random_id
from core.runtime import Runtime
from customers.workspace import Workspace, get_workspace
from delivery.alarms import Alarm, list_alarms
from delivery.housekeeping import has_due, settle_broken_off
from delivery.providers.registry import Transports, create_transports
from delivery.silence import watch_silence
from delivery.worker import DeliveryWorker
from journeys.carrying.codes import settle_open_codes
from journeys.rhythms import read_rhythms
from journeys.succession import follow_merges
from journeys.tick import tick
from recommender.codes.alarm import watch_pools
from recommender.mail_impressions import note_mail_impressions
from segments.following import follow
from tracking.attribution import credit_orders
from tracking.engagement import settle_engagement
from tracking.outgoing.turns import Turns

log = logging.getLogger(__name__)

_LEASE, _SUCCESSOR = "heartbeat", "heartbeat-successor"
_HOLD, _RENEW = timedelta(seconds=30), timedelta(seconds=10)
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)
_DELIVERY = timedelta(seconds=2)  # of one beat, because journeys are to advance meanwhile
_ACTS_AT_ONCE = 1_000


@dataclass(slots=True)
class Tally:
    """What a stretch of beats came to: counts in a marketer's words, and the last cause of each part that failed."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()  # what somebody should look at, as it stood last
    is_idle: bool = True  # another process was beating all the while


def keep_beating(
    runtime: Runtime,
    *,
    life: timedelta,
    is_stopped: Callable[[], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> Tally:
    """Beat until `life` is over, a successor asks, or `is_stopped`; first wait for whoever is beating now.

    A beat that has begun is brought to its end: a message is never left between the provider's answer and our record.
    """
    holder = random_id()
    end = runtime.clock.now() + life
    with closing(Heart(runtime, is_stopped)) as heart:
        if _succeed(runtime, holder, end, is_stopped, sleep):
            heart.tally.is_idle = False
            try:
                _beat_on(runtime, heart, holder, end, is_stopped, sleep)
            finally:
                with runtime.database.transaction() as connection:
                    release_lease(connection, _LEASE, holder, runtime.clock.now())
    return heart.tally


def is_beating(connection: Connection, now: datetime) -> bool:
    """Whether some process holds the heartbeat, or waits to take it over."""
    names = select(lease.c.name).where(lease.c.name.in_([_LEASE, _SUCCESSOR]), lease.c.expires_at > now)
    return connection.execute(names.limit(1)).first() is not None


def ask_for_end(connection: Connection, asker: str, now: datetime) -> None:
    """Ask whoever beats to end after this beat, as a successor would; `withdraw_question` lets others succeed."""
    take_lease(connection, _SUCCESSOR, asker, now, _HOLD)


def withdraw_question(connection: Connection, asker: str, now: datetime) -> None:
    release_lease(connection, _SUCCESSOR, asker, now)


def _succeed(
    runtime: Runtime, holder: str, end: datetime, is_stopped: Callable[[], bool], sleep: Callable[[float], None]
) -> bool:
    """Ask for the lease until it is ours; False when somebody else asks already, or when it takes too long."""
    while (now := runtime.clock.now()) < end and not is_stopped():
        with runtime.database.transaction() as connection:
            if not take_lease(connection, _SUCCESSOR, holder, now, _HOLD):
                return False
            if take_lease(connection, _LEASE, holder, now, _HOLD):
                release_lease(connection, _SUCCESSOR, holder, now)
                return True
        sleep(_SECOND.total_seconds())
    with runtime.database.transaction() as connection:
        release_lease(connection, _SUCCESSOR, holder, runtime.clock.now())
    return False


def _beat_on(
    runtime: Runtime,
    heart: Heart,
    holder: str,
    end: datetime,
    is_stopped: Callable[[], bool],
    sleep: Callable[[float], None],
) -> None:
    renewed_at = runtime.clock.now()
    while (now := runtime.clock.now()) < end and not is_stopped():
        with runtime.database.read() as connection:
            asks = select(lease.c.name).where(lease.c.name == _SUCCESSOR, lease.c.expires_at > now)
            if connection.execute(asks).first() is not None:
                return
        if now - renewed_at >= _RENEW:
            with runtime.database.transaction() as connection:
                if not take_lease(connection, _LEASE, holder, now, _HOLD):
                    return  # a beat was so long that somebody else has begun
            renewed_at = now
        if not heart.beat(now):
            sleep(max(0.0, (now + _SECOND - runtime.clock.now()).total_seconds()))


@dataclass(slots=True)
class _Part:
    """One kind of work; `work` answers whether there is more to do at once."""

    name: str
    work: Callable[[datetime], bool]
    period: timedelta = _SECOND
    next_at: datetime | None = None


class Heart:
    """The parts of a beat, each with its own period. A part that fails rests for a minute, and the others go on."""

    def __init__(self, runtime: Runtime, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self.tally = Tally()
        self._runtime = runtime
        self._is_stopped = is_stopped
        self._worker: DeliveryWorker | None = None
        self._transports: Transports | None = None
        self._turns = Turns(runtime, is_stopped=is_stopped)
        self._workspace: tuple[Workspace, datetime] | None = None
        self._parts = (
            _Part("merged people", self._follow),  # before whatever asks whose something is
            _Part("segments", self._follow_segments),  # before journeys, which people enter by them
            _Part("journeys", self._advance),
            _Part("messages", self._deliver),
            _Part("opens and clicks", self._settle),
            _Part("offers in messages", self._note_offers, _MINUTE),
            _Part("events out", self._hand_out),
            _Part("orders", self._credit, _MINUTE),
            _Part("launches", self._finish, _MINUTE),
            _Part("broken-off messages", self._settle_broken_off, _MINUTE),
            _Part("voucher codes", self._watch_codes, _MINUTE),
            _Part("silence", self._listen, _MINUTE),
        )

    def beat(self, now: datetime) -> bool:
        """Do what is due; answers whether there is more to do at once."""
        more = [self._run(part, now) for part in self._parts]  # all of them, and not only up to the first
        return any(more)

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
        if self._transports is not None:
            self._transports.close()
        self._turns.close()

    def _run(self, part: _Part, now: datetime) -> bool:
        if part.next_at is not None and now < part.next_at:
            return False
        try:
            has_more = part.work(now)
        except Exception as error:  # one part must not stop the others; the run page tells the cause
            log.exception("the heartbeat's part %s failed", part.name)
            self.tally.faults[part.name] = f"{type(error).__name__}: {error}"
            part.next_at = now + _MINUTE
            return False
        part.next_at = None if has_more or part.period <= _SECOND else now + part.period
        return has_more

    def _follow(self, now: datetime) -> bool:
        self.tally.counts["merges and splits followed"] += follow_merges(self._runtime, now)
        return False

    def _advance(self, now: datetime) -> bool:
        done = tick(self._runtime, now)
        self.tally.counts += Counter(
            {"people who entered a journey": done.entered, "steps taken in journeys": done.advanced}
        )
        return not done.is_idle

    def _deliver(self, now: datetime) -> bool:
        with self._runtime.database.read() as connection:
            if not has_due(connection, now):
                return False
        worker = self._ready_worker()
        result = worker.deliver(now, length=_DELIVERY, is_stopped=self._is_stopped)
        self.tally.counts += Counter({f"messages {what}": count for what, count in result.counts.items()})
        return result.claimed > 0

    def _ready_worker(self) -> DeliveryWorker:
        """Made for the first message that is due: an idle process does not pay for the provider's library."""
        runtime = self._runtime
        if self._worker is None:
            self._transports, name = create_transports(runtime.settings), f"heartbeat-{random_id()[:8]}"
            self._worker = DeliveryWorker(runtime, self._transports, Composer(runtime).compose, name=name)
        return self._worker

    def _settle(self, now: datetime) -> bool:
        runtime = self._runtime
        workspace = self._known_workspace(now)
        with runtime.database.transaction() as connection:
            settled = settle_engagement(connection, runtime.vault, workspace, now, limit=_ACTS_AT_ONCE)
        self.tally.counts["opens and clicks weighed"] += settled
        return settled == _ACTS_AT_ONCE

    def _note_offers(self, now: datetime) -> bool:
        runtime = self._runtime
        workspace = self._known_workspace(now)
        with runtime.database.transaction() as connection:
            noted = note_mail_impressions(connection, runtime.vault, workspace, now, limit=_ACTS_AT_ONCE)
        return noted == _ACTS_AT_ONCE

    def _known_workspace(self, now: datetime) -> Workspace:
        if self._workspace is None or now - self._workspace[1] >= _MINUTE:
            with self._runtime.database.read() as connection:
                self._workspace = get_workspace(connection), now
        return self._workspace[0]

    def _hand_out(self, now: datetime) -> bool:
        """Calls are made by threads of their own: a receiver that takes its time delays no journey."""
        self.tally.counts += self._turns.begin(self._known_workspace(now), now)
        return False

    def _credit(self, now: datetime) -> bool:
        with self._runtime.database.transaction() as connection:
            self.tally.counts["orders credited to a message"] += credit_orders(connection, now)
        return False

    def _follow_segments(self, now: datetime) -> bool:
        done = follow(self._runtime, now, at_least=read_rhythms(self._runtime))
        self.tally.counts += Counter(
            {"people who entered a segment": done.entered, "people who left a segment": done.left}
        )
        return done.behind

    def _settle_broken_off(self, now: datetime) -> bool:
        with self._runtime.database.transaction() as connection:
            settled_count = settle_broken_off(connection, self._runtime.vault, now)
        self.tally.counts["messages whose sending was broken off"] += settled_count
        return False

    def _watch_codes(self, now: datetime) -> bool:
        with self._runtime.database.transaction() as connection:
            self.tally.counts["voucher codes returned"] += settle_open_codes(connection, now)
            watch_pools(connection, now)
        return False

    def _listen(self, now: datetime) -> bool:
        with self._runtime.database.transaction() as connection:
            self.tally.counts["silences noticed"] += watch_silence(connection, self._runtime.settings, now)
            self.tally.alarms = tuple(list_alarms(connection))
        return False

    def _finish(self, now: datetime) -> bool:
        with self._runtime.database.transaction() as connection:
            self.tally.counts["launches finished"] += finish_launches(connection, now)
        return False
