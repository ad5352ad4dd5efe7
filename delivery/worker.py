"""The worker: claim, ask the policy, compose, commit `sending`, call the provider, record.

One round handles one batch and ends; whoever loops (a flow, the demo) calls it again. It knows no campaign and no
journey: composing is handed down to it as a function.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from core.database import batches
from core.runtime import Runtime
from customers.workspace import Workspace, get_workspace
from delivery.envelope import Composed, Envelope, MessageRow, NotSent
from delivery.facts import Gathered, gather_facts
from delivery.ledger import (
    STUCK,
    Ending,
    Outcome,
    back_off,
    begin_sending,
    claim_due,
    end_claimed,
    record_outcomes,
    renew_claims,
)
from delivery.message_log import log_endings, log_outcomes
from delivery.pauses import EVERYTHING, find_pauses, pause
from delivery.policy import Drop, Hold, Reason, decide
from delivery.providers.transport import Reaction, Transport, TransportError
from delivery.tables import MessageKind, MessageStatus
from delivery.throttle import Throttle

log = logging.getLogger(__name__)

_QUOTA_PAUSE = timedelta(hours=1)  # the quota is that of any 24 hours, so it frees little by little

Compose = Callable[[Sequence[MessageRow], Mapping[str, Gathered]], Sequence[Composed]]


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """What one round came to; `claimed` 0 means that nothing was due."""

    claimed: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: DeliveryResult) -> DeliveryResult:
        return DeliveryResult(self.claimed + other.claimed, self.counts + other.counts)


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
        self._threads = runtime.settings.worker_count
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="delivery")
        self._throttles = {channel: Throttle(None) for channel in transports}

    def refresh_rates(self) -> None:
        """Read the providers' rates again; a provider that does not answer keeps its last rate."""
        for channel, transport in self._transports.items():
            try:
                self._throttles[channel].set_rate(transport.read_rate())
            except TransportError as error:
                log.warning("the sending rate of %s could not be read: %s", transport.name, error)

    def close(self) -> None:
        self._pool.shutdown(wait=True)

    def deliver(self, now: datetime) -> DeliveryResult:
        """One round: at most one batch of what is due at `now`."""
        runtime = self._runtime
        with runtime.database.transaction() as connection:
            paused = find_pauses(connection, now)
            rows = claim_due(connection, worker=self._name, limit=self._batch_size, now=now, paused=paused)
        if not rows:
            return DeliveryResult()
        with runtime.database.read() as connection:
            workspace = get_workspace(connection)
            gathered = gather_facts(
                connection,
                runtime.vault,
                workspace,
                rows,
                now,
                takes_synthetic=bool(runtime.settings.aws_endpoint_url),
            )
        endings, open_rows = _judge(rows, gathered, now)
        composed = self._compose(open_rows, gathered) if open_rows else []
        endings += [_not_sent(item) for item in composed if isinstance(item, NotSent)]
        by_id = {row.id: row for row in rows}
        with runtime.database.transaction() as connection:
            end_claimed(connection, self._name, endings, now)
            log_endings(connection, runtime.vault, workspace, endings, by_id, now)
        counts = Counter(str(ending.reason if ending.until is None else "held") for ending in endings)
        envelopes = [item for item in composed if isinstance(item, Envelope)]
        for group in batches(envelopes, self._threads):
            # At a slow rate a batch takes minutes: each group is sent at its own instant.
            counts += self._send_group(group, by_id, workspace, max(now, runtime.clock.now()))
        return DeliveryResult(len(rows), counts)

    def _send_group(
        self, envelopes: Sequence[Envelope], rows: Mapping[str, MessageRow], workspace: Workspace, now: datetime
    ) -> Counter[str]:
        """As many messages as there are threads: at a kill no more become unknown than calls were in flight."""
        runtime = self._runtime
        with runtime.database.transaction() as connection:
            renew_claims(connection, self._name, now)
            mine = begin_sending(connection, runtime.vault, self._name, envelopes, rows, now)
        calls = list(self._pool.map(lambda envelope: self._call(envelope, rows[envelope.message_id], now), mine))
        with runtime.database.transaction() as connection:
            outcomes = [call.outcome for call in calls]
            record_outcomes(connection, outcomes, now)
            log_outcomes(connection, runtime.vault, workspace, outcomes, rows, now)
            for row, error in _distinct_errors(calls, rows):
                self._react(connection, row, error, now)
        return Counter(outcome.status.value if outcome.until is None else "retry" for outcome in outcomes)

    def _call(self, envelope: Envelope, row: MessageRow, now: datetime) -> _Call:
        transport = self._transports[envelope.channel]
        attempt = row.attempt_count + 1
        self._throttles[envelope.channel].wait()
        try:
            accepted = transport.send(envelope)
        except TransportError as error:
            return _Call(_failure(row, attempt, transport.name, error, now), error)
        except Exception as error:  # a bug in one call must not leave its whole group without outcomes
            log.exception("%s failed in an unforeseen way", transport.name)
            unforeseen = TransportError(Reaction.UNKNOWN, type(error).__name__)
            return _Call(_failure(row, attempt, transport.name, unforeseen, now), unforeseen)
        return _Call(
            Outcome(row.id, attempt, MessageStatus.SENT, "accepted", transport.name, provider_id=accepted.provider_id)
        )

    def _react(self, connection: Connection, row: MessageRow, error: TransportError, now: datetime) -> None:
        cause = f"the provider answered {error.code}"
        match error.reaction:
            case Reaction.SLOW_DOWN:
                self._throttles[row.channel].halve()
            case Reaction.PAUSE_CHANNEL:
                pause(connection, f"channel:{row.channel}", cause, now)
            case Reaction.WAIT_FOR_QUOTA:
                pause(connection, f"channel:{row.channel}", cause, now, until=now + _QUOTA_PAUSE)
            case Reaction.PAUSE_SENDER:
                pause(connection, f"sender:{row.sender}" if row.sender else f"channel:{row.channel}", cause, now)
            case Reaction.STOP:
                pause(connection, EVERYTHING, cause, now)


@dataclass(frozen=True, slots=True)
class _Call:
    outcome: Outcome
    error: TransportError | None = None


def _distinct_errors(calls: Sequence[_Call], rows: Mapping[str, MessageRow]) -> list[tuple[MessageRow, TransportError]]:
    """One of each kind of error of a group: eight calls that were too fast are one reason to slow down."""
    distinct: dict[tuple[object, ...], tuple[MessageRow, TransportError]] = {}
    for call in calls:
        if call.error is not None:
            row = rows[call.outcome.message_id]
            distinct.setdefault((call.error.reaction, row.channel, row.sender), (row, call.error))
    return list(distinct.values())


def _judge(
    rows: Sequence[MessageRow], gathered: Mapping[str, Gathered], now: datetime
) -> tuple[list[Ending], list[MessageRow]]:
    """The endings of those that may not go now, and the rows that may."""
    endings, open_rows = [], []
    for row in rows:
        decision = decide(gathered[row.id].facts, now)
        if isinstance(decision, Hold):
            endings.append(Ending(row.id, MessageStatus.DUE, decision.reason, until=decision.until))
        elif isinstance(decision, Drop):
            endings.append(Ending(row.id, MessageStatus.SKIPPED, decision.reason))
        else:
            open_rows.append(row)
    return endings, open_rows


def _not_sent(item: NotSent) -> Ending:
    failed = item.reason == Reason.RENDER_ERROR
    status = MessageStatus.FAILED if failed else MessageStatus.SKIPPED
    return Ending(item.message_id, status, Reason(item.reason), item.detail)


_KEEPS_ITS_TURN = frozenset(
    {
        Reaction.RETRY,
        Reaction.SLOW_DOWN,
        Reaction.PAUSE_CHANNEL,
        Reaction.WAIT_FOR_QUOTA,
        Reaction.PAUSE_SENDER,
        Reaction.STOP,
    }
)


def _failure(row: MessageRow, attempt: int, provider: str, error: TransportError, now: datetime) -> Outcome:
    if error.reaction in _KEEPS_ITS_TURN:
        until = now + back_off(attempt)
        return Outcome(row.id, attempt, MessageStatus.DUE, "retry", provider, error_code=error.code, until=until)
    if error.reaction is Reaction.REJECT:
        return Outcome(row.id, attempt, MessageStatus.FAILED, "failed", provider, error_code=error.code)
    if row.kind == MessageKind.TRANSACTIONAL and attempt < 2:
        return Outcome(
            row.id, attempt, MessageStatus.DUE, "unknown", provider, error_code=error.code, until=now + STUCK
        )
    return Outcome(row.id, attempt, MessageStatus.UNKNOWN, "unknown", provider, error_code=error.code)
