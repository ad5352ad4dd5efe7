"""The recorder that stands in for delivery: asks its deciders when a message may go, and writes down that it went.

A message is reported sent at the instant at which all gates are open. The provider's rate holds nobody up here; what
it would have to carry is reckoned afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from customers.log import NewEvent
from customers.profiles import Profile
from customers.tables import ProfileStatus
from delivery.facts import Gathered
from delivery.judgement import judge
from delivery.ledger import Ending
from delivery.limits import Occupant, caps_of
from delivery.message_log import message_event
from delivery.policy import Cap
from delivery.tables import MessageKind
from journeys.simulation.gates import Gate, Row

_NOBODY = Profile(0, ProfileStatus.ACTIVE)  # who it is about says the gate already


class Outbox:
    """The messages of one person: what waits, and what was sent."""

    __slots__ = ("_known", "_sent", "waiting")

    def __init__(self) -> None:
        self.waiting: dict[str, Row] = {}
        self._known: set[str] = set()
        self._sent: list[Occupant] = []

    def add(self, row: Row) -> None:
        """Let a message wait until it is due; one that was added before stays as it is."""
        if row.id not in self._known:
            self._known.add(row.id)
            self.waiting[row.id] = row

    def cancel(self, enrolment_id: str) -> list[Row]:
        cancelled = [row for row in self.waiting.values() if row.origin_id == enrolment_id]
        for row in cancelled:
            del self.waiting[row.id]
        return cancelled

    def is_due(self, now: datetime) -> bool:
        """Whether any message may go, or is to be judged again."""
        return any(row.due_at <= now for row in self.waiting.values())

    def claim(self, now: datetime) -> list[Row]:
        """What is due, in the order in which messages compete."""
        due = [row for row in self.waiting.values() if row.due_at <= now]
        if len(due) > 1:
            due.sort(key=lambda row: (-row.priority, row.due_at, row.id))
        for row in due:
            row.claimed_at = now
        return due

    def judge(self, row: Row, claimed: Sequence[Row], gate: Gate, now: datetime) -> Ending | None:
        """What delivery decides about `row`, one of the messages that were `claimed` together; None when it may go."""
        facts = gate.facts
        caps: Sequence[Cap] = ()
        limits = row.policy.get("limits", ())
        fewest = min((limit["messages"] for limit in limits), default=0)
        if limits and len(gate.occupants) + len(self._sent) + len(claimed) > fewest:
            others = [one for one in claimed if one is not row and one.kind == MessageKind.MARKETING]
            together = [_occupant(one, now, is_waiting=True) for one in others]
            caps = caps_of(row, [*gate.occupants, *self._sent, *together])
        if caps or row.expires_at is not None:
            facts = replace(facts, expires_at=row.expires_at, caps=caps)
        endings, _ = judge([row], {row.id: Gathered(facts, _NOBODY, None)}, now)
        return endings[0] if endings else None

    def settle(self, row: Row, ending: Ending | None, now: datetime) -> NewEvent | None:
        """Carry the decision out; answers the event that tells how the message ended, None while it is held."""
        row.claimed_at = None
        if ending is not None and ending.until is not None:
            row.due_at = ending.until
            return None
        del self.waiting[row.id]
        if ending is not None:
            return message_event("message_skipped", row, now, reason=ending.reason, more=ending.properties)
        if row.kind == MessageKind.MARKETING:
            self._sent.append(_occupant(row, now, is_waiting=False))
        return message_event("message_sent", row, now)


def _occupant(row: Row, now: datetime, *, is_waiting: bool) -> Occupant:
    rank = (now, -row.priority, row.due_at, row.id) if is_waiting else None
    return Occupant(
        row.id, row.channel, row.topic, row.origin_kind, row.origin, row.origin_id, row.step, now, rank
    )  # fmt: skip
