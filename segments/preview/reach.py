"""How many of some people could be written to now, by channel and topic, and what keeps the others from it.

The same gates as in `delivery.policy`, in its order, asked of many people at once; hours, which only delay, and limits
that wait are left out. An address is the one that delivery would take: the newest own one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, Connection, Select, case, func, literal, select

from core.columns import Instant
from core.database import batches
from customers.consent import WHOLE_CHANNEL, granted_lookups
from customers.pausing import PREFIX
from customers.tables import consent_entry, identity, suppression
from customers.workspace import Limit, Workspace
from delivery.facts import is_globally_held_out
from delivery.policy import Reason
from delivery.tables import MessageKind, MessageStatus, OriginKind, message
from segments.compiling.consents import ADDRESS_OF
from segments.preview.members import people

GATES = (Reason.NO_ADDRESS, Reason.SUPPRESSED, Reason.CONSENT, Reason.PAUSED, Reason.HOLDOUT, Reason.CAP)

_BATCH = 50_000
_OCCUPYING = (MessageStatus.CLAIMED, MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Reach:
    """Of `members`, those whom a marketing message about `topic` would reach; `lost` by the first gate that is shut."""

    channel: str
    topic: str
    members: int
    lost: Mapping[str, int] = field(default_factory=dict)

    @property
    def reached(self) -> int:
        return self.members - sum(self.lost.values())


def reach_of(
    connection: Connection,
    ids: Sequence[int],
    workspace: Workspace,
    now: datetime,
    *,
    takes_synthetic: bool = False,
) -> list[Reach]:
    """One for each channel that has a sender (e-mail where none has) and each topic of marketing.

    An address that an import made up counts only with `takes_synthetic`, as in a sandbox.
    """
    topics = [slug for slug, topic in workspace.topics.items() if topic.kind == MessageKind.MARKETING]
    known = {sender.channel for sender in workspace.senders.values()} or {"email"}
    lost: dict[tuple[str, str], Counter[str]] = {
        (channel, topic): Counter() for channel in ADDRESS_OF if channel in known for topic in topics
    }
    for some in batches(ids, _BATCH):
        held_out = [number for number in some if workspace.global_holdout and is_globally_held_out(workspace, number)]
        for (channel, topic), counts in lost.items():
            question = _Question(connection, workspace, now, channel, topic, takes_synthetic)
            counts.update(question.count_lost(some, held_out))
    return [
        Reach(channel, topic, len(ids), {gate.value: counts[gate] for gate in GATES if counts[gate]})
        for (channel, topic), counts in lost.items()
    ]


@dataclass(frozen=True, slots=True)
class _Question:
    connection: Connection
    workspace: Workspace
    now: datetime
    channel: str
    topic: str
    takes_synthetic: bool

    def count_lost(self, ids: Sequence[int], held_out: Sequence[int]) -> dict[str, int]:
        """People by the first gate that is shut, without those before whom all are open.

        Every gate is a list that a look-up answers: joins of what was worked out have no index on SQLite.
        """
        found = people(self.connection, ids)
        address = self._addresses(found)
        who, lookup = address.c.profile_id, address.c.lookup
        stopped = select(suppression.c.lookup).where(suppression.c.channel == self.channel)
        shut = [
            (lookup.in_(stopped), Reason.SUPPRESSED),
            (lookup.not_in(self._granted(self.channel, self.topic, address)), Reason.CONSENT),
            (lookup.in_(self._granted(f"{PREFIX}{self.channel}", WHOLE_CHANNEL, address)), Reason.PAUSED),
        ]
        if held_out:
            held = people(self.connection, held_out, "held_out")
            shut.append((who.in_(select(held.c.id)), Reason.HOLDOUT))
        shut += [(who.in_(busy), Reason.CAP) for busy in self._busy(found)]
        first = case(*((gate, reason.value) for gate, reason in shut), else_="").label("gate")
        counted = select(first, func.count()).select_from(address).group_by(first)
        counts = dict(self.connection.execute(counted).tuples().all())
        lost = {gate: count for gate, count in counts.items() if gate}
        return {Reason.NO_ADDRESS.value: len(ids) - sum(counts.values()), **lost}

    def _addresses(self, found: CTE) -> CTE:
        """Of several addresses the newest own one, as delivery takes it."""
        one = identity.c
        place = func.row_number().over(
            partition_by=one.profile_id, order_by=(case((one.origin_profile_id.is_(None), 0), else_=1), one.id.desc())
        )
        ranked = (
            select(one.profile_id, one.lookup, one.is_synthetic, place.label("place"))
            # The concatenation keeps SQLite from walking its index of all addresses of a kind.
            .where(one.kind.concat("") == ADDRESS_OF[self.channel].value, one.profile_id.in_(select(found.c.id)))
            .subquery("ranked")
        )
        query = select(ranked.c.profile_id, ranked.c.lookup).where(ranked.c.place == 1)
        if not self.takes_synthetic:
            query = query.where(ranked.c.is_synthetic.is_(False))
        return query.cte("address")

    def _granted(self, channel: str, topic: str, address: CTE) -> Select[tuple[str]]:
        granted = granted_lookups(channel, topic, self.now)
        return granted.where(consent_entry.c.lookup.in_(select(address.c.lookup)))

    def _busy(self, found: CTE) -> Iterator[Select[Any]]:
        """Who has no room left under each limit of the workspace that drops what is too much."""
        for limit in self.workspace.limits:
            if limit.channel in (None, self.channel) and limit.then != "wait" and limit.per is not None:
                yield self._full(found, limit, limit.per.as_elapsed())

    def _full(self, found: CTE, limit: Limit, per: timedelta) -> Select[Any]:
        sent = message.c
        topic = self.topic if limit.scope == "topic" else limit.topic
        counting = [
            sent.profile_id.in_(select(found.c.id)),
            sent.kind == MessageKind.MARKETING.value,
            sent.status.in_([status.value for status in _OCCUPYING]),
            func.coalesce(sent.sent_at, sent.claimed_at) > literal(self.now - per, Instant()),
        ]
        if limit.channel is not None:
            counting.append(sent.channel == limit.channel)
        if topic is not None:
            counting.append(sent.topic == topic)
        if limit.scope == "journeys":
            counting.append(sent.origin_kind == OriginKind.JOURNEY.value)
        query = select(sent.profile_id).where(*counting).group_by(sent.profile_id)
        return query.having(func.count() >= limit.messages)
