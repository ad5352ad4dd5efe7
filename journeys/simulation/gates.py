"""What delivery would know of people to whom a message of one kind goes: consent, addresses, hours, earlier messages.

Gathered by delivery's own functions for many people at once. Limits are left to the moment of sending, because the
messages of the simulation count under them too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from customers.consent import ConsentStatus, consent_of
from customers.pausing import find_paused
from delivery.facts import Gathered, gather_facts
from delivery.house_rules import in_force
from delivery.limits import Occupant, find_occupants
from delivery.policy import MessageFacts
from delivery.spreading import THROTTLE
from delivery.tables import MessageKind, MessageStatus, OriginKind
from journeys.simulation.plan import Plan
from journeys.transition import EnqueueMessage

_LIMITS = "limits"
_NO_GATE = frozenset({"asks_again", THROTTLE})  # words of a policy that the gates do not depend on
_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides the gates of a message beside its person; `policy` is JSON."""

    channel: str
    topic: str
    kind: str
    policy: bytes


@dataclass(frozen=True, slots=True)
class Gate:
    """The facts about one person without expiry and limits, and the earlier messages that count under limits.

    `is_lasting` until the end of the simulation, if nothing but time passes.
    """

    facts: MessageFacts
    occupants: tuple[Occupant, ...] = ()
    is_lasting: bool = True


@dataclass(slots=True)
class Row:
    """A message of the simulation, with the columns of a row of the ledger that delivery's deciders read."""

    id: str
    profile_id: int
    channel: str
    topic: str
    kind: str
    shape: Shape
    policy: Mapping[str, Any]
    due_at: datetime
    origin: str
    origin_id: str = ""
    origin_kind: str = OriginKind.JOURNEY.value
    step: str | None = None
    priority: int = 50
    status: str = MessageStatus.DUE.value
    first_due_at: datetime | None = None
    expires_at: datetime | None = None
    claimed_at: datetime | None = None
    holds: None = None  # nobody asks a simulation what held a message
    template: str = ""
    sender: str | None = None
    variant: str | None = None
    context: bytes | None = None
    origin_profile_id: int | None = None


def row_of(message: EnqueueMessage, profile_id: int, enrolment_id: str, plan: Plan) -> Row:
    policy, shape = _bound(message, plan)
    return Row(
        id=message.id,
        profile_id=profile_id,
        channel=message.channel,
        topic=message.topic,
        kind=message.kind,
        policy=policy,
        due_at=message.due_at,
        origin=plan.journey.slug,
        origin_id=enrolment_id,
        step=message.step,
        priority=plan.journey.priority,
        first_due_at=message.due_at,
        expires_at=message.expires_at,
        template=message.template,
        sender=message.sender,
        variant=message.variant,
        shape=shape,
    )


def _bound(message: EnqueueMessage, plan: Plan) -> tuple[Mapping[str, Any], Shape]:
    """The policy in force and the shape of a message; kept, since all messages of a step have one policy."""
    place = (message.step, message.variant, message.channel)
    known = plan.kept.get(place)
    if known is None or known[0] != message.policy:
        policy = in_force(message.policy, plan.workspace, message.channel)
        deciding = {name: value for name, value in policy.items() if name not in _NO_GATE}
        shape = Shape(message.channel, message.topic, message.kind, _encode(deciding))
        known = plan.kept[place] = (message.policy, policy, shape)
    return known[1], known[2]


def gather_gates(
    connection: Connection, plan: Plan, shape: Shape, ids: Sequence[int], now: datetime
) -> dict[int, Gate]:
    """The gates of each person as they stand at `now`, with what was sent before the simulation began."""
    policy: dict[str, Any] = _decode(shape.policy)
    without_limits = {name: value for name, value in policy.items() if name != _LIMITS}

    def row(number: int, policy: Mapping[str, Any]) -> Row:
        return Row(str(number), number, shape.channel, shape.topic, shape.kind, shape, policy, now, plan.journey.slug)

    rows = [row(number, without_limits) for number in ids]
    gathered = gather_facts(connection, plan.vault, plan.workspace, rows, now)
    limited = [row(number, policy) for number in ids] if policy.get(_LIMITS) else []
    occupants = find_occupants(connection, limited, plan.start)
    turning = _turning(connection, shape, gathered, plan.end)
    return {
        number: Gate(
            gathered[str(number)].facts,
            tuple(one for one in occupants.get(number, ()) if one.at < plan.start),
            is_lasting=str(number) not in turning,
        )
        for number in ids
    }


def _turning(connection: Connection, shape: Shape, gathered: Mapping[str, Gathered], end: datetime) -> set[str]:
    """Those for whom time alone opens or closes a gate before `end`: a consent runs out, or a pause is over."""
    lookups = {key: one.address.lookup for key, one in gathered.items() if one.address is not None}
    known = sorted(set(lookups.values()))
    consents = consent_of(connection, shape.channel, shape.topic, known, end)
    paused = find_paused(connection, shape.channel, known, end) if shape.kind == MessageKind.MARKETING else frozenset()
    return {
        key
        for key, lookup in lookups.items()
        if consents.get(lookup, ConsentStatus.UNKNOWN) is not gathered[key].facts.consent
        or (lookup in paused) is not gathered[key].facts.is_paused
    }
