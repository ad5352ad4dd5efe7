"""Lists of tasks, page by page: what is due first comes first, and what has no due time comes last.

A page is found by the place behind the last one (a keyset), so that the thousandth page costs what the first costs and
nothing is shown twice while others work on the list.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, Connection, case, func, literal, select, tuple_, type_coerce

from core.clock import to_micros
from core.errors import InputError
from core.vault import Vault
from customers.task_tables import UNFINISHED, Priority, TaskKind, TaskStatus, task
from customers.tasks import Task, open_tasks

_NEVER_DUE = 2**62  # behind every instant
_RANKS = {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 2}


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks are listed; None is any. `overdue_at` keeps what was due before that instant and is not closed."""

    statuses: Collection[TaskStatus] = field(default=UNFINISHED)
    kinds: Collection[TaskKind] = field(default=frozenset(TaskKind))
    team: str | None = None
    assignee: str | None = None
    profile_id: int | None = None
    overdue_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """`following` is what to ask the next page with, None at the end."""

    tasks: list[Task]
    following: str | None = None


def list_tasks(
    connection: Connection,
    vault: Vault,
    wanted: TaskFilter | None = None,
    *,
    limit: int = 50,
    after: str | None = None,
) -> TaskPage:
    """One page. Raises InputError for an `after` that no page has given."""
    query = select(task).where(*_conditions(wanted or TaskFilter()))
    order = (_due(), _rank(), task.c.id)
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*_place(after)))
    rows = connection.execute(query.order_by(*order).limit(limit + 1)).all()
    page = open_tasks(connection, vault, rows[:limit])
    return TaskPage(page, _named(page[-1]) if len(rows) > limit else None)


def _conditions(wanted: TaskFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        task.c.status.in_(sorted(wanted.statuses)),
        *([task.c.kind.in_(sorted(wanted.kinds))] if set(wanted.kinds) != set(TaskKind) else []),
    ]
    for column, value in ((task.c.team, wanted.team), (task.c.assignee, wanted.assignee)):
        if value is not None:
            conditions.append(column == value)
    if wanted.profile_id is not None:
        conditions.append(task.c.profile_id == wanted.profile_id)
    if wanted.overdue_at is not None:
        conditions += [task.c.due_at < wanted.overdue_at, task.c.status.in_(sorted(UNFINISHED))]
    return conditions


def _due() -> ColumnElement[int]:
    return func.coalesce(type_coerce(task.c.due_at, BigInteger), literal(_NEVER_DUE, BigInteger()))


def _rank() -> ColumnElement[int]:
    return case({priority.value: rank for priority, rank in _RANKS.items()}, value=task.c.priority, else_=len(_RANKS))


def _named(last: Task) -> str:
    due = _NEVER_DUE if last.due_at is None else to_micros(last.due_at)
    return f"{due}.{_RANKS[last.priority]}.{last.id}"


def _place(after: str) -> tuple[ColumnElement[int], ColumnElement[int], ColumnElement[str]]:
    due, _, rest = after.partition(".")
    rank, _, task_id = rest.partition(".")
    if not (due.lstrip("-").isdecimal() and rank.isdecimal() and task_id):
        raise InputError("this is no place in the list of tasks: take what the page before has given.")
    return literal(int(due), BigInteger()), literal(int(rank), BigInteger()), literal(task_id)
