"""Messages that were held and may go now: the `if` of their step is asked once more, before delivery tries them again.

Delivery asks everything else itself. Exits need no second look: leaving has cancelled the message already.
"""

from __future__ import annotations

from sqlalchemy import Connection, Select, select

from delivery.tables import MessageStatus, OriginKind, message
from journeys.advancing import Moved, advance_all
from journeys.answers import Scene
from journeys.enrolments import load_enrolments
from journeys.tables import enrolment
from journeys.transition import Enrolment, HoldEnded

_BATCH = 500


def has_ended_holds(connection: Connection, scene: Scene) -> bool:
    return connection.execute(_ended(scene).limit(1)).first() is not None


def ask_again(connection: Connection, scene: Scene) -> Moved:
    """Ask for the messages that are due after a hold."""
    waiting = load_enrolments(
        connection, scene.vault, connection.scalars(_ended(scene).limit(_BATCH)).all(), wait=False
    )
    moves = [(one, HoldEnded()) for one in waiting.values() if _is_conditional(scene, one)]
    return advance_all(connection, scene, moves)


def _ended(scene: Scene) -> Select[tuple[int]]:
    return (
        select(enrolment.c.id)
        .join(message, message.c.origin_id == enrolment.c.uid)
        .where(
            message.c.status == MessageStatus.DUE.value,
            message.c.due_at <= scene.now,
            message.c.due_at > message.c.first_due_at,
            message.c.origin_kind == OriginKind.JOURNEY.value,
            message.c.origin.in_(sorted(scene.catalogue.newest)),
        )
        .order_by(message.c.due_at, message.c.id)
    )


def _is_conditional(scene: Scene, one: Enrolment) -> bool:
    journey = scene.catalogue.journeys.get((one.journey, one.version))
    step = journey.by_id.get(one.step or "") if journey else None
    return step is not None and step.condition is not None
