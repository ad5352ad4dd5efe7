"""How it stands with each webhook: its place in the log, the batch that is under way, and what failed since when.

Places are cursors (core/cursors.py), so that a restore moves them with all others. A batch gets its end and its id
before it is sent: whoever sends it again after a crash sends the same events under the same id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select, update

from core.cursors import Position, get_position, latest_position, save_position
from core.database import insert_ignore
from customers.tables import customer_event
from delivery.alarms import clear_alarm, raise_alarm
from delivery.pauses import pause
from tracking.outgoing.calling import Answer
from tracking.tables import webhook_endpoint

BACK_OFF: Final = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 30, 2 * 60, 6 * 60, 12 * 60)
)  # the failure after the last one pauses
_TELL_AT: Final = 3  # failures in a row
_MAX_CAUSE: Final = 300


@dataclass(frozen=True, slots=True)
class EndpointState:
    """`batch_end` and `batch_id` are those of the batch under way, None between two."""

    name: str
    position: Position
    batch_id: str | None = None
    batch_end: Position | None = None
    attempt_count: int = 0
    retry_at: datetime | None = None
    failing_since: datetime | None = None
    cause: str | None = None
    event_count: int = 0
    delivered_at: datetime | None = None


def scope_of(name: str) -> str:
    """Under which a webhook is paused, its alarm rings, and its place is kept."""
    return f"webhook:{name}"


def find_state(connection: Connection, name: str) -> EndpointState | None:
    """None for a webhook that was never looked at."""
    row = connection.execute(select(webhook_endpoint).where(webhook_endpoint.c.name == name)).one_or_none()
    return None if row is None else _state(connection, row)


def begin(connection: Connection, name: str) -> EndpointState:
    """A webhook that is new begins with what happens from now on."""
    if insert_ignore(connection, webhook_endpoint, [{"name": name}], returning=["name"]):
        save_position(connection, scope_of(name), latest_position(connection, customer_event))
    state = find_state(connection, name)
    assert state is not None
    return state


def plan_batch(connection: Connection, name: str, batch_id: str, end: Position) -> None:
    """From now on everything up to `end` is under way as `batch_id`."""
    save_position(connection, _batch_place(name), end)
    _set(connection, name, batch_id=batch_id)


def pass_over(connection: Connection, name: str, position: Position) -> None:
    """Nothing up to `position` is wanted."""
    save_position(connection, scope_of(name), position)
    _set(connection, name, batch_id=None)


def record_delivery(
    connection: Connection, state: EndpointState, end: Position, event_count: int, now: datetime
) -> None:
    """The batch up to `end` was taken; `state` is how it stood before."""
    save_position(connection, scope_of(state.name), end)
    total = webhook_endpoint.c.event_count + event_count
    _set(connection, state.name, batch_id=None, **_FRESH, event_count=total, delivered_at=now)
    if state.attempt_count:
        clear_alarm(connection, scope_of(state.name))


def record_failure(connection: Connection, state: EndpointState, answer: Answer, now: datetime) -> None:
    """The batch was not taken: it waits, or the webhook is paused until somebody lets it go on."""
    attempt_count = state.attempt_count + 1
    cause = str(answer)[:_MAX_CAUSE]
    since = state.failing_since or now
    if answer.is_gone or attempt_count > len(BACK_OFF):
        pause(connection, scope_of(state.name), f"{attempt_count} calls in a row failed: {cause}", now)
        clear_alarm(connection, scope_of(state.name))  # the pause tells it
        _set(connection, state.name, **_FRESH | {"failing_since": since, "cause": cause})
        return
    wait = max(BACK_OFF[attempt_count - 1], timedelta(seconds=answer.retry_after_s))
    _set(connection, state.name, attempt_count=attempt_count, retry_at=now + wait, failing_since=since, cause=cause)
    if attempt_count >= _TELL_AT:
        text = f"{attempt_count} calls in a row failed: {cause}; nothing is lost, and it is tried again"
        raise_alarm(connection, scope_of(state.name), text, now)


def let_go_on(connection: Connection, name: str) -> None:
    """Forget failures, so that it is tried at once and with all its attempts."""
    _set(connection, name, **_FRESH)
    clear_alarm(connection, scope_of(name))


def move_to(connection: Connection, name: str, position: Position) -> None:
    """Go on from there, with a new batch."""
    begin(connection, name)
    pass_over(connection, name, position)
    let_go_on(connection, name)


_FRESH: Final[dict[str, Any]] = {"attempt_count": 0, "retry_at": None, "failing_since": None, "cause": None}


def _state(connection: Connection, row: Any) -> EndpointState:
    return EndpointState(
        row.name,
        get_position(connection, scope_of(row.name)),
        row.batch_id,
        get_position(connection, _batch_place(row.name)) if row.batch_id else None,
        row.attempt_count,
        row.retry_at,
        row.failing_since,
        row.cause,
        row.event_count,
        row.delivered_at,
    )


def _batch_place(name: str) -> str:
    return f"{scope_of(name)}:batch"


def _set(connection: Connection, name: str, **values: Any) -> None:
    connection.execute(update(webhook_endpoint).where(webhook_endpoint.c.name == name).values(**values))
