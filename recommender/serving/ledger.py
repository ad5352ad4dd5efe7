"""Writes down in groups what was answered and what became of it: a commit for each page view would cost more than it.

A decision is written some tenths of a second after its answer, and always before what a browser reports about it. Those
of nobody are named by what they hold, so that one that a power cut took is written when it is given again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Connection

from core.errors import TransientError
from core.runtime import Runtime
from customers.workspace import get_workspace
from recommender.decisions import StoredDecision, find_decisions, record_decisions
from recommender.impressions import NewImpression, record_impressions
from recommender.widget.counting import counted
from tracking.ingestion.group_commit import Ingestion

_LINGERS_S = 0.2
_MOST_PENDING = 1_000
_REMEMBERED = 20_000


class _Group(NamedTuple):
    decisions: Sequence[StoredDecision]
    impressions: Sequence[NewImpression]


class Ledger:
    """One for a process; started before the first request and closed after the last."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._ingestion: Ingestion[_Group] = Ingestion(runtime.database, self._store, capacity=100, batch=20)
        self._noted: dict[str, StoredDecision] = {}  # the oldest first
        self._pending: list[StoredDecision] = []
        self._writing: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._ingestion.start()

    async def close(self) -> None:
        """Write what waits, and end."""
        with suppress(TransientError):
            await self.flush()
        await asyncio.to_thread(self._ingestion.stop)

    def find(self, decision_id: str) -> StoredDecision | None:
        """A decision of late, written or not."""
        return self._noted.get(decision_id)

    def note(self, decision: StoredDecision) -> None:
        """Have it written soon, unless it was noted of late."""
        if not decision.items or decision.id in self._noted:
            return
        if len(self._noted) >= _REMEMBERED:
            del self._noted[next(iter(self._noted))]
        self._noted[decision.id] = decision
        self._pending.append(decision)
        if self._writing is None or self._writing.done() or self._writing.get_loop().is_closed():
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())
        elif len(self._pending) >= _MOST_PENDING:
            del self._noted[self._pending.pop(0).id]  # the writer is far behind; nothing waits without bounds

    async def record(self, impressions: Sequence[NewImpression]) -> None:
        """Come back when they are durable; those of unknown decisions, or of products not in them, are passed over.

        Raises TransientError (tell it again) or PermanentError.
        """
        await self._ingestion.submit(_Group(self._take(), impressions))

    async def flush(self) -> None:
        """Come back when everything noted so far is durable. Raises TransientError."""
        if self._pending:
            await self._ingestion.submit(_Group(self._take(), ()))

    async def _write_soon(self) -> None:
        while True:
            await asyncio.sleep(_LINGERS_S)
            if not self._pending:
                return
            await self._ingestion.submit_or_spool(_Group(self._take(), ()))

    def _take(self) -> Sequence[StoredDecision]:
        taken, self._pending = self._pending, []
        return taken

    def _store(self, connection: Connection, groups: Sequence[_Group]) -> Sequence[None]:
        record_decisions(connection, [one for group in groups for one in group.decisions])
        told = [one for group in groups for one in group.impressions]
        if told:
            decisions = find_decisions(connection, list({one.decision_id for one in told}))
            real = counted(told, decisions)
            runtime, workspace = self._runtime, get_workspace(connection)
            record_impressions(connection, runtime.vault, workspace, real, runtime.clock.now())
        return [None] * len(groups)
