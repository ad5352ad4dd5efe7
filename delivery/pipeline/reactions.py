"""What a provider's answers do to more than their own message: pauses, the breaker, and mirrored opt-outs.

One `Reactions` for each worker. What becomes of the message itself is the business of `calls.py`; docs/delivery.md has
the table of errors.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from delivery.breakers import RejectionBreaker
from delivery.envelope import MessageRow
from delivery.opt_outs import record_opt_out
from delivery.pauses import EVERYTHING, pause
from delivery.providers.transport import Reaction, TransportError
from delivery.tables import OriginKind, message

log = logging.getLogger(__name__)

_QUOTA_PAUSE = timedelta(hours=1)  # the quota is that of any 24 hours, so it frees little by little
_BREAKABLE = frozenset({OriginKind.CAMPAIGN, OriginKind.JOURNEY})


Answer = tuple[MessageRow, TransportError | None]  # None: the provider took the message


class Reactions:
    """Remembers, for one worker, how the last answers were."""

    def __init__(self) -> None:
        self._breaker = RejectionBreaker()

    def after(self, connection: Connection, answers: Sequence[Answer], now: datetime) -> None:
        """React to how the calls of a group ended. Who was too fast is the business of `pace.py`."""
        for stop in self._stops(answers, now):
            if pause(connection, stop.scope, stop.cause, now, stop.until):
                log.warning("%s is paused: %s", stop.scope, stop.cause)
        opted_out = [row for row, error in answers if error is not None and error.reaction is Reaction.OPT_OUT]
        _mirror_opt_outs(connection, opted_out, now)

    def _stops(self, answers: Sequence[Answer], now: datetime) -> Iterable[_Stop]:
        """Each scope once, however many calls of the group ran into the same."""
        stops: dict[str, _Stop] = {}
        for answer in answers:
            stop = _stop_of(*answer, now) or self._break(*answer)
            if stop is not None:
                stops.setdefault(stop.scope, stop)
        return stops.values()

    def _break(self, row: MessageRow, error: TransportError | None) -> _Stop | None:
        is_rejected = error is not None and error.reaction is Reaction.REJECT
        if row.origin_kind not in _BREAKABLE or (error is not None and not is_rejected):
            return None
        scope = f"{row.origin_kind}:{row.origin}"
        cause = self._breaker.note(scope, is_rejected=is_rejected)
        return None if cause is None or error is None else _Stop(scope, f"{cause}, the last with {error.code}")


@dataclass(frozen=True, slots=True)
class _Stop:
    scope: str
    cause: str
    until: datetime | None = None


def _stop_of(row: MessageRow, error: TransportError | None, now: datetime) -> _Stop | None:
    """What one answer alone stops."""
    if error is None:
        return None
    cause = f"the provider answered {error.code}"
    match error.reaction:
        case Reaction.PAUSE_CHANNEL:
            return _Stop(f"channel:{row.channel}", cause)
        case Reaction.WAIT_FOR_QUOTA:
            return _Stop(f"channel:{row.channel}", cause, now + _QUOTA_PAUSE)
        case Reaction.PAUSE_SENDER:
            return _Stop(f"sender:{row.sender}" if row.sender else f"channel:{row.channel}", cause)
        case Reaction.STOP:
            return _Stop(EVERYTHING, cause)
    return None


def _mirror_opt_outs(connection: Connection, rows: Sequence[MessageRow], now: datetime) -> None:
    """Who has told the provider to stop has told us: the number that the message was for is withdrawn."""
    if not rows:
        return
    query = select(message.c.id, message.c.lookup).where(message.c.id.in_([row.id for row in rows]))
    lookups = dict(connection.execute(query).tuples().all())
    for row in rows:
        if lookup := lookups.get(row.id):
            record_opt_out(connection, lookup, row.profile_id, key=f"opt_out:{row.id}", source="provider", at=now)
