"""What the journeys of the demo did, in numbers, and whether everybody who came to their doors is accounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from sqlalchemy import Connection, Row, distinct, func, select

from delivery.tables import MessageStatus, OriginKind, message
from examples.shop.shoppers import Deed
from journeys.tables import EnrolmentStatus, enrolment, entry_refusal

_JOURNEYS = ("welcome", "abandoned_cart", "win_back")
_WORTH_A_LETTER = 20  # as the journey's file says of a basket
_Z_99 = 2.576


@dataclass(frozen=True, slots=True)
class Numbers:
    """One journey: runs, where they are, and what came of them."""

    journey: str
    entered: int
    held_out: int
    inside: int
    refused: int
    sent: int
    not_sent: int
    goals: int


def count_journeys(connection: Connection) -> list[Numbers]:
    """The three journeys of the shop."""
    return [_count(connection, journey) for journey in _JOURNEYS]


def _count(connection: Connection, journey: str) -> Numbers:
    runs = connection.execute(
        select(enrolment.c.status, enrolment.c.end_reason, func.count(), func.count(enrolment.c.goal_at))
        .where(enrolment.c.journey == journey)
        .group_by(enrolment.c.status, enrolment.c.end_reason)
    ).all()
    messages: dict[str, int] = dict(
        connection.execute(
            select(message.c.status, func.count())
            .where(message.c.origin_kind == OriginKind.JOURNEY.value, message.c.origin == journey)
            .group_by(message.c.status)
        )
        .tuples()
        .all()
    )
    refused = select(func.count()).where(entry_refusal.c.journey == journey)
    return Numbers(
        journey=journey,
        entered=sum(row[2] for row in runs),
        held_out=sum(row[2] for row in runs if row.status == EnrolmentStatus.HOLDOUT),
        inside=sum(row[2] for row in runs if row.status == EnrolmentStatus.ACTIVE),
        refused=connection.execute(refused).scalar_one(),
        sent=messages.get(MessageStatus.SENT, 0),
        not_sent=sum(messages.values()) - messages.get(MessageStatus.SENT, 0),
        goals=sum(row[3] for row in runs),
    )


def came_to_the_doors(deeds: Sequence[Deed]) -> dict[str, int]:
    """How many events must have brought somebody to the door of each journey that has an event for one."""
    baskets = [one for one in deeds if one.event == "Cart Updated" and one.properties["value"] >= _WORTH_A_LETTER]
    return {"welcome": sum(one.event == "Signed Up" for one in deeds), "abandoned_cart": len(baskets)}


def share_allowed(numbers: Numbers, percent: float) -> tuple[float, float]:
    """Between which shares the held out may lie, at 99 % certainty."""
    people = max(1, numbers.entered)
    margin = _Z_99 * sqrt(percent / 100 * (1 - percent / 100) / people)
    return percent / 100 - margin, percent / 100 + margin


def liveliest(connection: Connection, journey: str) -> int | None:
    """The profile that was sent most messages in one run, for a story worth reading."""
    sent = func.count(distinct(message.c.id))
    row: Row[tuple[int, int]] | None = connection.execute(
        select(enrolment.c.profile_id, sent)
        .join(message, message.c.origin_id == enrolment.c.uid)
        .where(enrolment.c.journey == journey, message.c.status == MessageStatus.SENT.value)
        .group_by(enrolment.c.profile_id, enrolment.c.id)
        .order_by(sent.desc(), enrolment.c.profile_id)
        .limit(1)
    ).one_or_none()
    return row[0] if row is not None else None
