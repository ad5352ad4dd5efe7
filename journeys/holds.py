"""Messages that were held and may go now: the `if` of their step is asked once more, before delivery tries them again.

Delivery leaves them alone until that was done, and asks everything else itself. Exits need no second look: leaving has
cancelled the message already.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, Select, select, update

from core.database import batches
from customers.tables import profile
from delivery.policy import Reason
from delivery.tables import MessageStatus, OriginKind, message
from journeys.advancing import Moved, advance_all
from journeys.answers import Scene
from journeys.enrolments import load_enrolments
from journeys.tables import enrolment
from journeys.transition import Enrolment, HoldEnded

_BATCH = 500
_BY_LOCAL_CLOCK = (Reason.QUIET_HOURS.value, Reason.CLOSED.value)


def has_ended_holds(connection: Connection, scene: Scene) -> bool:
    return connection.execute(_ended(scene).limit(1)).first() is not None


def ask_again(connection: Connection, scene: Scene) -> tuple[Moved, bool]:
    """Ask for the next messages that are due after a hold; what is still wanted is delivery's again.

    Answers what moved, and whether nothing is left that could be asked now.
    """
    owners = dict(connection.execute(_ended(scene).limit(_BATCH)).tuples().all())
    waiting = load_enrolments(connection, scene.vault, set(owners.values()), wait=False)
    moved = advance_all(
        connection, scene, [(one, HoldEnded()) for one in waiting.values() if _is_conditional(scene, one)]
    )
    asked = [message_id for message_id, owner in owners.items() if owner in waiting]
    if asked:
        still_due = (message.c.id.in_(asked), message.c.status == MessageStatus.DUE.value)
        connection.execute(update(message).where(*still_due).values(asks_again=None))
    return moved, not asked or len(owners) < _BATCH


def judge_anew(connection: Connection, profile_ids: Collection[int], now: datetime) -> None:
    """Have messages judged at once that these profiles' own clocks hold, where those run in another zone by now."""
    for some in batches(sorted(profile_ids), _BATCH):
        held = (
            select(message.c.id)
            .join(profile, profile.c.id == message.c.profile_id)
            .where(
                message.c.profile_id.in_(some),
                message.c.status == MessageStatus.DUE.value,
                message.c.reason.in_(_BY_LOCAL_CLOCK),
                message.c.due_at > now,
                message.c.detail != profile.c.timezone,  # of a hold by the clock: in which zone it was judged
            )
        )
        connection.execute(update(message).where(message.c.id.in_(held)).values(due_at=now))


def _ended(scene: Scene) -> Select[tuple[str, int]]:
    paused = sorted(scene.catalogue.paused)
    owned = select(message.c.id, enrolment.c.id).join(enrolment, enrolment.c.uid == message.c.origin_id)
    query = owned.where(
        message.c.asks_again.is_not(None),
        message.c.status == MessageStatus.DUE.value,
        message.c.due_at <= scene.now,
        message.c.origin_kind == OriginKind.JOURNEY.value,
    )
    if paused:
        query = query.where(message.c.origin.not_in(paused))
    return query.order_by(message.c.due_at, message.c.id)


def _is_conditional(scene: Scene, one: Enrolment) -> bool:
    journey = scene.catalogue.journeys.get((one.journey, one.version))
    step = journey.by_id.get(one.step or "") if journey else None
    return step is not None and step.condition is not None
