"""Composed messages on their way: a recorder marks and records them in groups, callers hand them to the providers.

In one transaction the recorder writes what calls came to and marks as many waiting messages `sending` as callers are
free, so that never more calls are `sending` than can be in flight. Whoever feeds it composes the next batch meanwhile.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from queue import Empty, SimpleQueue
from threading import Condition, Thread

from core.runtime import Runtime
from delivery.pace import Pace
from delivery.pipeline.calls import Call, Ready, call, count_together
from delivery.pipeline.recorder import Recorder
from delivery.providers.transport import Transport

_LINGER_S = 0.012  # for more answers to come, before the first is recorded: ten commit at the cost of one
_PATIENCE_S = 5.0  # how long the recorder rests at most: leases are to be renewed
_SHORTEST_S = 0.001


class Pipeline:
    """One process's callers and their recorder; threads begin with the first message and end with `close`.

    A parcel is what goes in one call: one message, or several where the transport takes them together.
    """

    def __init__(
        self, runtime: Runtime, transports: Mapping[str, Transport], pace: Pace, *, worker: str, callers: int
    ) -> None:
        self._runtime = runtime
        self._transports = transports
        self._pace = pace
        self._recorder = Recorder(runtime, pace, worker)
        self._callers = callers
        self._change = Condition()
        self._waiting: defaultdict[str, deque[Ready]] = defaultdict(deque)  # by route
        self._in_flight = 0  # parcels that are marked, or about to be, and not recorded
        self._unrecorded: list[Sequence[Call]] = []  # the database was away when they ended
        self._next_calls: SimpleQueue[Sequence[Ready] | None] = SimpleQueue()
        self._ended_calls: SimpleQueue[Sequence[Call] | None] = SimpleQueue()  # None: look what is to be done
        self._counts: Counter[str] = Counter()
        self._floor: datetime | None = None
        self._fault: Exception | None = None
        self._is_closing = False
        self._threads: list[Thread] = []

    def feed(self, messages: Sequence[Ready], now: datetime) -> None:
        """Have `messages` sent; they are claimed by this worker. Raises what the recorder met."""
        for route in {one.envelope.route for one in messages}:
            self._pace.open(route)
        with self._change:
            self._raise_fault()
            self._floor = now
            for one in messages:
                self._waiting[one.envelope.route].append(one)
            if messages and not self._threads:
                self._start()
        self._ended_calls.put(None)

    def wait_until_few(self, count: int, seconds: float) -> bool:
        """Wait until at most `count` calls and messages are unfinished, no longer than `seconds`; whether it is so."""
        with self._change:
            done = self._change.wait_for(lambda: self._fault is not None or self._unfinished() <= count, seconds)
            self._raise_fault()
            return done

    def withdraw(self) -> list[str]:
        """Take back what waits; answers the ids, which are still claimed. What is in flight goes on."""
        with self._change:
            ids = [one.row.id for queue in self._waiting.values() for one in queue]
            for queue in self._waiting.values():
                queue.clear()
            return ids

    def take_counts(self) -> Counter[str]:
        """What became of messages since this was asked last."""
        with self._change:
            counts, self._counts = self._counts, Counter()
            return counts

    def close(self) -> None:
        """End the threads when the calls in flight are recorded. What waits stays claimed: withdraw it before."""
        self._is_closing = True
        self._ended_calls.put(None)
        for _ in self._threads[1:]:
            self._next_calls.put(None)
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _start(self) -> None:
        self._threads = [Thread(target=self._record_on, name="delivery-recorder", daemon=True)]
        self._threads += [
            Thread(target=self._call_on, name=f"delivery-caller-{number}", daemon=True)
            for number in range(self._callers)
        ]
        for thread in self._threads:
            thread.start()

    def _raise_fault(self) -> None:
        if self._fault is not None:
            fault, self._fault = self._fault, None
            self._ended_calls.put(None)
            raise fault

    def _unfinished(self) -> int:
        return self._in_flight + sum(map(len, self._waiting.values()))

    def _now(self) -> datetime:
        now = self._runtime.clock.now()
        return now if self._floor is None else max(now, self._floor)

    def _call_on(self) -> None:
        while (parcel := self._next_calls.get()) is not None:
            self._ended_calls.put(call(self._transports, parcel, self._pace, self._now))

    def _record_on(self) -> None:
        while not (self._is_closing and not self._in_flight):
            finished = self._collect()
            if self._fault is not None:  # until whoever feeds us has heard of it
                self._unrecorded += finished
                continue
            finished, self._unrecorded = self._unrecorded + finished, []
            begun = [] if self._is_closing else self._choose(self._callers - self._in_flight + len(finished))
            self._record(finished, begun)

    def _collect(self) -> list[Sequence[Call]]:
        """What has ended; waits for the first, unless there is something else to do by then."""
        ended: list[Sequence[Call] | None] = []
        try:
            ended.append(self._ended_calls.get(timeout=self._rest()))
            if ended[0] is not None and self._in_flight > 1:
                time.sleep(_LINGER_S)
            while True:
                ended.append(self._ended_calls.get_nowait())
        except Empty:
            return [calls for calls in ended if calls is not None]

    def _rest(self) -> float:
        """How long nothing is to be done unless a call ends."""
        if self._fault is not None or self._in_flight >= self._callers:
            return _PATIENCE_S
        with self._change:
            routes = [route for route, queue in self._waiting.items() if queue]
        return max(_SHORTEST_S, min([_PATIENCE_S, *(self._pace.rest(route) for route in routes)]))

    def _choose(self, free: int) -> list[Sequence[Ready]]:
        """Parcels of those that wait, one for each free caller, and of each route as many as its pace allows."""
        parcels: list[Sequence[Ready]] = []
        for route, queue in list(self._waiting.items()):
            while len(parcels) < free and (parcel := self._take(route, queue)):
                parcels.append(parcel)
        return parcels

    def _take(self, route: str, queue: deque[Ready]) -> Sequence[Ready]:
        """The next parcel of a route, empty when it has none or its pace has no room."""
        with self._change:
            head = [one.envelope for one in islice(queue, self._pace.most_together(route))]
        if not head:
            return []
        room = self._pace.room(route, count_together(self._transports[route], head))
        with self._change:
            parcel = [queue.popleft() for _ in range(min(room, len(queue)))]
            self._in_flight += bool(parcel)
        self._pace.give_back(route, room - len(parcel))
        return parcel

    def _record(self, finished: list[Sequence[Call]], begun: list[Sequence[Ready]]) -> None:
        """Commit both, then hand the begun ones over; what could not be written is tried again later."""
        try:
            recorded = self._recorder.record(list(chain(*finished)), list(chain(*begun)), self._now())
        except Exception as error:  # noqa: BLE001 # the database is away: whoever feeds us hears of it, and may go on
            self._give_back(begun, frozenset())
            self._unrecorded = finished
            with self._change:
                for one in reversed(list(chain(*begun))):
                    self._waiting[one.envelope.route].appendleft(one)
                self._in_flight -= len(begun)
                self._fault = error
                self._change.notify_all()
            return
        self._give_back(begun, recorded.marked)
        marked = [some for parcel in begun if (some := [one for one in parcel if one.row.id in recorded.marked])]
        with self._change:
            self._in_flight -= len(finished) + len(begun) - len(marked)
            self._counts += recorded.counts
            self._change.notify_all()
        for parcel in marked:
            self._next_calls.put(parcel)

    def _give_back(self, begun: list[Sequence[Ready]], marked: frozenset[str]) -> None:
        """Let the pace know which calls will not be made."""
        for parcel in begun:
            kept = sum(one.row.id in marked for one in parcel)
            self._pace.give_back(parcel[0].envelope.route, len(parcel) - kept)
