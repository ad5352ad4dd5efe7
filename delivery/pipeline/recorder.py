"""Writes a group in one transaction: what calls came to, and which messages are about to be called.

Each that is about to be called is asked for once more: somebody may have unsubscribed, a campaign been paused, or
another worker have taken the last place under a limit, since its facts were gathered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core.runtime import Runtime
from customers.workspace import get_workspace
from delivery.envelope import MessageRow
from delivery.facts import Gathered, gather_facts
from delivery.judgement import count_endings, judge
from delivery.ledger import (
    LEASE,
    begin_sending,
    end_claimed,
    lock_messages,
    record_outcomes,
    release_claimed,
    renew_claims,
)
from delivery.limits import recount
from delivery.message_log import log_endings, log_outcomes
from delivery.pace import Pace
from delivery.pauses import pause
from delivery.pipeline.calls import Call, Ready
from delivery.pipeline.reactions import Reactions
from delivery.providers.transport import Reaction
from delivery.recheck import find_changed, is_paused

_RENEWAL = LEASE / 4
_DAY_REST = timedelta(minutes=10)  # after which the provider is asked again what is left of the day


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one group came to: the ids of those that are `sending` now, and what became of the others."""

    marked: frozenset[str] = frozenset()
    counts: Counter[str] = field(default_factory=Counter)


class Recorder:
    """Used by one thread."""

    def __init__(self, runtime: Runtime, pace: Pace, worker: str) -> None:
        self._runtime = runtime
        self._pace = pace
        self._worker = worker
        self._reactions = Reactions()
        self._renewed_at: datetime | None = None

    def record(self, finished: Sequence[Call], begun: Sequence[Ready], now: datetime) -> Recorded:
        """Commit the outcomes of `finished` and mark of `begun` what may still go."""
        counts = Counter(one.outcome.status.value if one.outcome.until is None else "retry" for one in finished)
        too_fast = {one.route for one in finished if one.error and one.error.reaction is Reaction.SLOW_DOWN}
        marked: frozenset[str] = frozenset()
        with self._runtime.database.transaction() as connection:
            lock_messages(connection, {*(one.row.id for one in finished), *(one.row.id for one in begun)})
            if finished:
                outcomes = [one.outcome for one in finished]
                record_outcomes(connection, outcomes, now)
                log_outcomes(connection, outcomes, {one.row.id: one.row for one in finished}, now)
                self._reactions.after(connection, [(one.row, one.error) for one in finished], now)
                for route in sorted(too_fast):
                    Pace.slow_down(connection, route)
            if self._renewed_at is None or now - self._renewed_at >= _RENEWAL:
                renew_claims(connection, self._worker, now)
                self._renewed_at = now
            if begun:
                marked = self._mark(connection, begun, counts, now)
        for route in too_fast:
            self._pace.forget(route)
        return Recorded(marked, counts)

    def _mark(
        self, connection: Connection, begun: Sequence[Ready], counts: Counter[str], now: datetime
    ) -> frozenset[str]:
        for route in {one.envelope.route for one in begun}:
            if self._pace.is_day_over(route):
                cause = "the provider's quota of 24 hours is used up"
                pause(connection, f"channel:{route.partition(':')[0]}", cause, now, until=now + _DAY_REST)
        rows = [one.row for one in begun]
        lookups = {one.row.id: one.envelope.lookup for one in begun}
        changed, paused = find_changed(connection, rows, lookups, now)
        release_claimed(connection, self._worker, [row.id for row in rows if is_paused(row, paused)])
        rows = [row for row in rows if not is_paused(row, paused)]
        gathered = {one.row.id: one.gathered for one in begun}
        if changed:
            gathered |= self._gather(connection, [row for row in rows if row.id in changed], now)
        for message_id, caps in recount(connection, rows, now).items():
            one = gathered[message_id]
            gathered[message_id] = replace(one, facts=replace(one.facts, caps=caps))
        endings, open_rows = judge(rows, gathered, now)
        by_id = {row.id: row for row in rows}
        end_claimed(connection, self._worker, endings, now)
        log_endings(connection, endings, by_id, now)
        counts.update(count_endings(endings))
        ready = {one.row.id: one for one in begun}
        envelopes = [ready[row.id].envelope for row in open_rows]
        marked = begin_sending(connection, self._runtime.vault, self._worker, envelopes, by_id, now)
        return frozenset(envelope.message_id for envelope in marked)

    def _gather(self, connection: Connection, rows: Sequence[MessageRow], now: datetime) -> dict[str, Gathered]:
        runtime = self._runtime
        takes_synthetic = runtime.settings.reaches_nobody
        workspace = get_workspace(connection)
        return gather_facts(connection, runtime.vault, workspace, rows, now, takes_synthetic=takes_synthetic)
