"""Restriction and objection: data that is used for nothing, or for nothing but the contract. Both can be lifted.

A restricted person is selected by nothing, gets no message and no offer, and stands still in every journey; what they
do is still recorded. Somebody who objected leaves segments, offers and marketing; messages about their orders go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, update

from console.rights.family import load_living
from core.errors import ConflictError
from core.runtime import Runtime
from customers.rights import Request, Right, complete, find_latest_done
from customers.tables import ProfileStatus, profile
from customers.touches import touch
from customers.workspace import Workspace
from delivery.tables import MessageStatus, message
from journeys.restrictions import look_again
from segments.membership import leave_all


@dataclass(frozen=True, slots=True)
class _Case:
    """One request that is being carried out."""

    runtime: Runtime
    workspace: Workspace
    ids: Sequence[int]
    status: ProfileStatus
    requested_by: str
    now: datetime

    def complete(self, connection: Connection, kind: Right, proof: Mapping[str, Any]) -> Request:
        zone = ZoneInfo(self.workspace.timezone)
        return complete(
            connection, self.ids, kind, requested_by=self.requested_by, proof=proof, now=self.now, zone=zone
        )


def restrict(runtime: Runtime, workspace: Workspace, profile_id: int, *, requested_by: str, now: datetime) -> Request:
    """Use a person's data for nothing from now on. Raises ConflictError where that is so already, or they are gone."""
    with runtime.database.transaction() as connection:
        case = _open(connection, runtime, workspace, profile_id, requested_by, now)
        if case.status is ProfileStatus.RESTRICTED:
            raise ConflictError(f"profile #{case.ids[0]} is restricted already.")
        _set(connection, case, status=ProfileStatus.RESTRICTED.value)
        left_count = leave_all(connection, case.ids, now)
        waiting = _count_waiting(connection, case.ids)
        return case.complete(connection, Right.RESTRICT, {"segments_left": left_count, "messages_waiting": waiting})


def lift_restriction(
    runtime: Runtime, workspace: Workspace, profile_id: int, *, requested_by: str, now: datetime
) -> Request:
    """Let everything go on: journeys look at what came meanwhile. Raises ConflictError where nothing is restricted."""
    with runtime.database.transaction() as connection:
        case = _open(connection, runtime, workspace, profile_id, requested_by, now)
        if case.status is not ProfileStatus.RESTRICTED:
            raise ConflictError(f"profile #{case.ids[0]} is not restricted: there is nothing to lift.")
        restricted = find_latest_done(connection, case.ids, Right.RESTRICT)
        _set(connection, case, status=ProfileStatus.ACTIVE.value)
        since = restricted.done_at if restricted is not None and restricted.done_at is not None else now
        moved = look_again(connection, runtime, case.ids, since, now)
        return case.complete(connection, Right.UNRESTRICT, {"journeys_moved": moved.advanced})


def record_objection(
    runtime: Runtime, workspace: Workspace, profile_id: int, *, requested_by: str, now: datetime
) -> Request:
    """Take a person out of marketing, scores, segments and recommendations. Raises ConflictError where they are out."""
    with runtime.database.transaction() as connection:
        case = _open(connection, runtime, workspace, profile_id, requested_by, now)
        if _has_objected(connection, case.ids[0]):
            raise ConflictError(f"profile #{case.ids[0]} objected before: it is out of marketing already.")
        _set(connection, case, objected_at=now)
        left_count = leave_all(connection, case.ids, now)
        return case.complete(connection, Right.OBJECT, {"segments_left": left_count})


def lift_objection(
    runtime: Runtime, workspace: Workspace, profile_id: int, *, requested_by: str, now: datetime
) -> Request:
    """Let marketing reach them again, as far as they consent. Raises ConflictError where nobody objected."""
    with runtime.database.transaction() as connection:
        case = _open(connection, runtime, workspace, profile_id, requested_by, now)
        if not _has_objected(connection, case.ids[0]):
            raise ConflictError(f"profile #{case.ids[0]} did not object: there is nothing to lift.")
        _set(connection, case, objected_at=None)
        return case.complete(connection, Right.UNOBJECT, {})


def _open(
    connection: Connection, runtime: Runtime, workspace: Workspace, profile_id: int, requested_by: str, now: datetime
) -> _Case:
    ids, status = load_living(connection, profile_id)
    return _Case(runtime, workspace, ids, status, requested_by, now)


def _set(connection: Connection, case: _Case, **values: Any) -> None:
    """On who remains: a merged profile is used for nothing anyway, and a split makes it a person again as it was."""
    statement = update(profile).where(profile.c.id == case.ids[0])
    connection.execute(statement.values(**values, updated_at=case.now))
    touch(connection, [case.ids[0]])


def _has_objected(connection: Connection, profile_id: int) -> bool:
    return connection.scalar(select(profile.c.objected_at).where(profile.c.id == profile_id)) is not None


def _count_waiting(connection: Connection, profile_ids: Sequence[int]) -> int:
    """Messages that the send policy will drop when they fall due, unless the restriction is lifted first."""
    waiting = select(message.c.id).where(
        message.c.profile_id.in_(profile_ids), message.c.status == MessageStatus.DUE.value
    )
    return len(connection.scalars(waiting).all())
