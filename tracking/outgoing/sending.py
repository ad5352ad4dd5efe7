"""Sends a webhook what is new, batch by batch and in order, under a lease: several processes may try at once.

A transaction records what became of one batch and begins the next; between a call and its record a crash leaves the
batch under way, and whoever comes next sends it again under the same id.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from core.claims import release_lease, take_lease
from core.database import Database
from core.runtime import Runtime
from customers.workspace import WebhookSpec
from delivery.pauses import EVERYTHING, find_pauses
from tracking.outgoing.batches import Batch, read_batch
from tracking.outgoing.calling import Answer, Caller
from tracking.outgoing.endpoints import (
    EndpointState,
    begin,
    pass_over,
    plan_batch,
    record_delivery,
    record_failure,
    scope_of,
)
from tracking.outgoing.signature import secrets_of

LENGTH: Final = timedelta(seconds=20)  # of one turn, so that pauses and new words are soon heard of
_HOLD: Final = timedelta(seconds=60)
_RENEW: Final = timedelta(seconds=15)  # what is left then is longer than a call can last


@dataclass(slots=True)
class Turn:
    """What one turn came to; `failure` says why its last call failed."""

    event_count: int = 0
    call_count: int = 0
    failure: str = ""
    has_more: bool = False


class Sender:
    """Sends to one webhook for one turn. `holder` names whoever holds the lease."""

    def __init__(
        self,
        runtime: Runtime,
        name: str,
        spec: WebhookSpec,
        holder: str,
        *,
        tls: ssl.SSLContext | None = None,
        allows_private: bool = False,
    ) -> None:
        self._runtime = runtime
        self._name = name
        self._spec = spec
        self._holder = holder
        self._held_until = datetime.min.replace(tzinfo=UTC)
        secrets = secrets_of(runtime.vault.signing_key, runtime.vault.key_version, name)
        self._caller = Caller(spec.url, secrets, runtime.clock, tls=tls, allows_private=allows_private)

    def send(self, is_stopped: Callable[[], bool] = lambda: False, length: timedelta = LENGTH) -> Turn:
        """Call until nothing is new, a call fails, `is_stopped`, or `length` is over."""
        turn, now = Turn(), self._now()
        with self._database.transaction() as connection:
            if not self._hold(connection, now):
                return turn
            state = begin(connection, self._name)
            if not is_ready(self._name, state, find_pauses(connection, now), now):
                release_lease(connection, scope_of(self._name), self._holder, now)
                return turn
        try:
            with self._caller:
                self._send_on(turn, state, is_stopped, now + length)
        finally:
            with self._database.transaction() as connection:
                release_lease(connection, scope_of(self._name), self._holder, self._now())
        return turn

    def _send_on(self, turn: Turn, state: EndpointState, is_stopped: Callable[[], bool], end: datetime) -> None:
        taken: tuple[EndpointState, Batch] | None = None
        while True:
            is_over = is_stopped() or self._now() >= end
            batch = None if is_over else self._read(state)
            if (batch is not None or taken is not None) and not self._record(taken, batch):
                return  # somebody else holds the lease by now
            if batch is None:
                return
            if batch.event_count == 0:
                taken, state = None, _behind(state, batch)
                continue
            answer = self._caller.call(batch.id, batch.body)
            turn.call_count += 1
            if not answer.is_success:
                turn.failure = str(answer)
                self._record_failure(state, batch, answer)
                return
            turn.event_count += batch.event_count
            taken, state = (state, batch), _behind(state, batch)

    def _read(self, state: EndpointState) -> Batch | None:
        with self._database.read() as connection:
            return read_batch(connection, self._runtime.vault, self._spec, state)

    def _record(self, taken: tuple[EndpointState, Batch] | None, batch: Batch | None) -> bool:
        """Note that `taken` arrived and that `batch` goes out next; False when the lease is lost."""
        now = self._now()
        with self._database.transaction() as connection:
            if not self._hold(connection, now):
                return False
            if taken is not None:
                state, arrived = taken
                record_delivery(connection, state, arrived.end, arrived.event_count, now)
            if batch is not None and batch.event_count:
                plan_batch(connection, self._name, batch.id, batch.end)
            elif batch is not None:
                pass_over(connection, self._name, batch.end)
        return True

    def _hold(self, connection: Connection, now: datetime) -> bool:
        """Take the lease, or renew it while there is time; nobody else can have it before."""
        if self._held_until - now < _HOLD - _RENEW:
            if not take_lease(connection, scope_of(self._name), self._holder, now, _HOLD):
                return False
            self._held_until = now + _HOLD
        return True

    def _record_failure(self, state: EndpointState, batch: Batch, answer: Answer) -> None:
        with self._database.transaction() as connection:
            record_failure(connection, state, answer, self._now())

    @property
    def _database(self) -> Database:
        return self._runtime.database

    def _now(self) -> datetime:
        return self._runtime.clock.now()


def is_ready(name: str, state: EndpointState | None, pauses: Mapping[str, str], now: datetime) -> bool:
    """Whether it may be called now; `state` is None for one that is new."""
    waits = state is not None and state.retry_at is not None and state.retry_at > now
    return not (waits or EVERYTHING in pauses or scope_of(name) in pauses)


def _behind(state: EndpointState, batch: Batch) -> EndpointState:
    return EndpointState(state.name, batch.end)
