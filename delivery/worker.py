"""The worker: claim, ask the policy, compose, and feed the pipeline, which calls the providers and records.

While one batch is on its way the next is composed. A round ends when everything that it claimed has its outcome, or is
given back; whoever loops (the heartbeat, a command, the demo) calls it again. It knows no campaign and no journey:
composing is handed down to it as a function.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.runtime import Runtime
from customers.workspace import get_workspace
from delivery.envelope import Composed, Envelope, MessageRow, NotSent
from delivery.facts import Gathered, gather_facts
from delivery.house_rules import bind
from delivery.judgement import count_endings, ending_of, judge
from delivery.ledger import Ending, claim_due, end_claimed, release_claimed
from delivery.message_log import log_endings
from delivery.pace import Pace
from delivery.pauses import find_pauses
from delivery.pipeline.calls import Ready
from delivery.pipeline.pipeline import Pipeline
from delivery.policy import Reason
from delivery.providers.transport import Transport
from delivery.spreading import is_spread, spread
from delivery.tables import MessageStatus

_BATCH_S, _SMALLEST = 4, 16
_LOOK_S = 0.2  # how long a round waits before it looks whether it is to end

Compose = Callable[[Sequence[MessageRow], Mapping[str, Gathered]], Sequence[Composed]]


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What one round came to; `claimed` 0 means that nothing was due."""

    claimed: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: DeliveryResult) -> DeliveryResult:
        return DeliveryResult(self.claimed + other.claimed, self.counts + other.counts)


def _never() -> bool:
    return False


class DeliveryWorker:
    """Hands due messages to the transports with a few threads; safe to run in several processes at once."""

    def __init__(
        self,
        runtime: Runtime,
        transports: Mapping[str, Transport],
        compose: Compose,
        *,
        name: str,
        batch_size: int = 200,
    ) -> None:
        self._runtime = runtime
        self._transports = transports
        self._compose = compose
        self._name = name
        self._batch_size = batch_size
        self._pace = Pace(runtime.database, transports)
        callers = runtime.settings.worker_count
        self._pipeline = Pipeline(runtime, transports, self._pace, worker=name, callers=callers)
        # The next batch is begun while half of this one still waits, so that no caller runs dry.
        self._enough = max(batch_size // 2, callers)

    def refresh_rates(self) -> None:
        """Read the providers' rates at once, and not only when a few minutes are over."""
        self._pace.refresh()

    def close(self) -> None:
        """End the callers. Calls in flight are brought to their end and recorded; nothing is left claimed."""
        self._give_back()
        self._pipeline.close()

    def deliver(
        self, now: datetime, *, length: timedelta = timedelta(), is_stopped: Callable[[], bool] = _never
    ) -> DeliveryResult:
        """One round: what is due at `now`, batch after batch until `length` is over, and at least one batch.

        When `is_stopped` says so, calls in flight end and what was only claimed is given back.
        """
        begun, claimed, counts = time.monotonic(), 0, Counter[str]()
        seconds = length.total_seconds()
        while not is_stopped():
            some = self._prepare(now, counts)
            claimed += some
            if not some or time.monotonic() - begun >= seconds:
                break
            self._wait_until_few(self._enough, is_stopped)
            now = max(now, self._runtime.clock.now())
        self._wait_until_few(0, is_stopped)
        if is_stopped():
            self._give_back()
            self._wait_until_few(0, _never)
        return DeliveryResult(claimed, counts + self._pipeline.take_counts())

    def _wait_until_few(self, count: int, is_stopped: Callable[[], bool]) -> None:
        while not self._pipeline.wait_until_few(count, _LOOK_S) and not is_stopped():
            pass

    def _prepare(self, now: datetime, counts: Counter[str]) -> int:
        """Claim a batch, judge, compose and feed it; answers how many were claimed."""
        runtime = self._runtime
        self._pace.refresh_when_old()
        with runtime.database.transaction() as connection:
            paused = find_pauses(connection, now)
            rows = claim_due(connection, worker=self._name, limit=self._size(), now=now, paused=paused)
        if not rows:
            return 0
        with runtime.database.read() as connection:
            workspace = get_workspace(connection)
            rows = bind(rows, workspace)
            takes_synthetic = runtime.settings.reaches_nobody
            gathered = gather_facts(connection, runtime.vault, workspace, rows, now, takes_synthetic=takes_synthetic)
        endings, open_rows = judge(rows, gathered, now)
        if open_rows and is_spread(workspace, open_rows):
            with runtime.database.transaction() as connection:
                waiting = spread(connection, workspace, open_rows, gathered, now)
            endings += waiting
            open_rows = _without(open_rows, waiting)
        composed = self._compose(open_rows, gathered) if open_rows else []
        endings += [ending_of(item) for item in composed if isinstance(item, NotSent)]
        envelopes = [item for item in composed if isinstance(item, Envelope)]
        endings += [_unserved(one) for one in envelopes if one.route not in self._transports]
        by_id = {row.id: row for row in rows}
        self._end(endings, by_id, now)
        counts.update(count_endings(endings))
        ready = [
            Ready(by_id[one.message_id], one, gathered[one.message_id])
            for one in envelopes
            if one.route in self._transports
        ]
        self._pipeline.feed(ready, now)
        return len(rows)

    def _size(self) -> int:
        """At a slow rate as many as go within seconds: a round has to end soon."""
        slowest = self._pace.slowest()
        if slowest is None:
            return self._batch_size
        return max(_SMALLEST, min(self._batch_size, int(_BATCH_S * slowest)))

    def _end(self, endings: Sequence[Ending], rows: Mapping[str, MessageRow], now: datetime) -> None:
        if endings:
            with self._runtime.database.transaction() as connection:
                end_claimed(connection, self._name, endings, now)
                log_endings(connection, endings, rows, now)

    def _give_back(self) -> None:
        """What waits is due again at once, for whoever comes next."""
        waiting = self._pipeline.withdraw()
        if waiting:
            with self._runtime.database.transaction() as connection:
                release_claimed(connection, self._name, waiting)


def _without(rows: Sequence[MessageRow], endings: Sequence[Ending]) -> list[MessageRow]:
    ended = {ending.message_id for ending in endings}
    return [row for row in rows if row.id not in ended]


def _unserved(envelope: Envelope) -> Ending:
    detail = f"no transport serves {envelope.route}"
    return Ending(envelope.message_id, MessageStatus.FAILED, Reason.RENDER_ERROR, detail)
