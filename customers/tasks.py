"""Tasks for people: made by journeys or by hand, for somebody or a team, until they are done or cancelled.

Complaints and service requests are tasks as well. Titles and bodies are sealed: under the profile that they are about,
or for the workspace when they are about nobody. That a task about somebody was made or closed stands in the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from core.clock import to_micros
from core.database import batches, insert_ignore
from core.errors import ConflictError, InputError, NotFoundError
from core.vault import Vault
from customers.log import NewEvent, append_events
from customers.tables import ProfileStatus, profile
from customers.task_moves import Move, Standing, check_name, decide
from customers.task_tables import CASES, UNFINISHED, Priority, TaskKind, TaskStatus, task
from customers.touches import touch
from customers.workspace import Workspace

MAX_TITLE, MAX_BODY = 500, 10_000

_TITLE, _BODY = "task.title", "task.body"
_SOURCE = "tasks"
_ID_LENGTH = 36
_BATCH = 500
_MOVING = tuple(one.name for one in fields(Standing))


@dataclass(frozen=True, slots=True)
class TaskOrigin:
    """What made a task; `id` is the enrolment."""

    kind: str
    name: str
    id: str
    step: str


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task to be made. `id` names its cause, so that the same cause makes it once; no profile: about nobody."""

    id: str
    title: str = field(repr=False)
    kind: TaskKind = TaskKind.TO_DO
    profile_id: int | None = None
    body: str = field(default="", repr=False)
    team: str | None = None
    assignee: str | None = None
    priority: Priority = Priority.NORMAL
    due_at: datetime | None = None
    origin: TaskOrigin | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A task, opened. Title and body are None when the person it was about has been erased."""

    id: str
    kind: TaskKind
    status: TaskStatus
    title: str | None = field(repr=False)
    body: str | None = field(repr=False)
    profile_id: int | None
    team: str | None
    assignee: str | None
    priority: Priority
    due_at: datetime | None
    outcome: str | None
    origin: TaskOrigin | None
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None

    def is_overdue(self, now: datetime) -> bool:
        return self.status in UNFINISHED and self.due_at is not None and self.due_at < now


def create_tasks(
    connection: Connection, vault: Vault, workspace: Workspace, tasks: Sequence[NewTask], now: datetime
) -> set[str]:
    """Make the tasks whose id is new, and log those that are about somebody; answers the new ids.

    A task about somebody who was erased or merged away is not made. Raises InputError for a text or a name that
    cannot be used.
    """
    about = {one.profile_id for one in tasks if one.profile_id is not None}
    there = _find_there(connection, about, gone=(ProfileStatus.ERASED, ProfileStatus.MERGED))
    wanted = [one for one in tasks if one.profile_id is None or one.profile_id in there]
    vault.prepare(there)
    rows = [_row(vault, one, now) for one in wanted]
    new = {str(task_id) for (task_id,) in insert_ignore(connection, task, rows, returning=["id"])}
    made = {row["id"]: row for row in rows if row["id"] in new and row["profile_id"] is not None}
    events = [_event("task_created", f"task_created:{row['id']}", row, now) for row in made.values()]
    append_events(connection, vault, workspace, events, now)
    return new


def change_task(
    connection: Connection, vault: Vault, workspace: Workspace, task_id: str, move: Move, now: datetime
) -> Task:
    """Let the task make `move`; answers how it stands then. A move that it has made already changes nothing.

    Raises NotFoundError without such a task, and what `task_moves.decide` raises.
    """
    row = _get_row(connection, task_id)
    before = Standing(**{name: getattr(row, name) for name in _MOVING} | {"status": TaskStatus(row.status)})
    after = decide(before, move, now)
    if after != before:
        values = {name: getattr(after, name) for name in _MOVING} | {"status": after.status.value, "updated_at": now}
        same = (task.c.id == task_id, task.c.status == row.status, task.c.updated_at == row.updated_at)
        if not connection.execute(update(task).where(*same).values(values)).rowcount:
            raise ConflictError("somebody changed this task at the same moment: look at it again.")
        if row.profile_id is not None:
            _tell(connection, vault, workspace, dict(row._mapping) | values, before, now)
    return get_task(connection, vault, task_id)


def get_task(connection: Connection, vault: Vault, task_id: str) -> Task:
    return open_tasks(connection, vault, [_get_row(connection, task_id)])[0]


def find_task_id(connection: Connection, shortened: str) -> str:
    """The task whose id begins so. Raises NotFoundError for none, InputError for more than one."""
    wanted = shortened.strip().lower()
    begins = task.c.id == wanted if len(wanted) == _ID_LENGTH else func.substr(task.c.id, 1, len(wanted)) == wanted
    found = list(connection.scalars(select(task.c.id).where(begins).order_by(task.c.id).limit(2)))
    if not found or not wanted:
        raise NotFoundError(f"there is no task {shortened!r}: see `postilion tasks list`.")
    if len(found) > 1:
        raise InputError(f"several tasks begin with {shortened!r}: write more of the id.")
    return str(found[0])


def open_tasks(connection: Connection, vault: Vault, rows: Sequence[Row[Any]]) -> list[Task]:
    """Rows of the table, unsealed. What was sealed before a merge opens under its first owner."""
    owners = {owner for row in rows if (owner := _owner(row)) is not None}
    readable = _find_there(connection, owners, gone=(ProfileStatus.ERASED,))
    vault.prepare(readable)  # and nobody else: it would make keys for those who were erased
    return [_open(vault, row, readable) for row in rows]


def check_title(text: str) -> str:
    """`text` on one line. Raises InputError when nothing, or too much, stands there."""
    title = " ".join(_printable(text).split())
    if not title or len(title) > MAX_TITLE:
        raise InputError(f"a task needs a title of at most {MAX_TITLE} letters, and this one has {len(title)}.")
    return title


def check_body(text: str) -> str:
    """`text` with its line ends. Raises InputError when it is too long."""
    if len(text) > MAX_BODY:
        raise InputError(f"the text of a task may have {MAX_BODY:,} letters, and this one has {len(text):,}.")
    return "\n".join(_printable(line) for line in text.strip().splitlines())


def _printable(text: str) -> str:
    """`text` without what commands a terminal: names of customers come from outside."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _find_there(connection: Connection, profile_ids: Iterable[int], *, gone: Collection[ProfileStatus]) -> set[int]:
    found: set[int] = set()
    for some in batches(sorted(profile_ids), _BATCH):
        query = select(profile.c.id).where(profile.c.id.in_(some), profile.c.status.not_in(sorted(gone)))
        found.update(connection.scalars(query))
    return found


def _get_row(connection: Connection, task_id: str) -> Row[Any]:
    row = connection.execute(select(task).where(task.c.id == task_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no task {task_id!r}: see `postilion tasks list`.")
    return row


def _row(vault: Vault, new: NewTask, now: datetime) -> dict[str, Any]:
    title, body, origin = check_title(new.title), check_body(new.body), new.origin
    return {
        "id": new.id,
        "kind": new.kind.value,
        "status": TaskStatus.OPEN.value,
        "profile_id": new.profile_id,
        "sealed_title": _seal(vault, new.profile_id, _TITLE, title),
        "sealed_body": _seal(vault, new.profile_id, _BODY, body) if body else None,
        "team": check_name(new.team) if new.team else None,
        "assignee": check_name(new.assignee) if new.assignee else None,
        "priority": new.priority.value,
        "due_at": new.due_at,
        "origin_kind": origin.kind if origin else None,
        "origin": origin.name if origin else None,
        "origin_id": origin.id if origin else None,
        "step": origin.step if origin else None,
        "created_at": now,
        "updated_at": now,
    }


def _seal(vault: Vault, owner: int | None, column: str, text: str) -> bytes:
    return vault.seal_for_workspace(column, text) if owner is None else vault.seal(owner, column, text)


def _owner(row: Row[Any]) -> int | None:
    """Whose key seals a task."""
    owner: int | None = row.origin_profile_id or row.profile_id
    return owner


def _open(vault: Vault, row: Row[Any], readable: Collection[int]) -> Task:
    title: str | None = None
    body: str | None = None
    owner = _owner(row)
    if owner is None:
        title = vault.open_for_workspace(_TITLE, row.sealed_title)
        body = vault.open_for_workspace(_BODY, row.sealed_body) if row.sealed_body is not None else ""
    elif owner in readable:
        title = vault.open(owner, _TITLE, row.sealed_title)
        body = vault.open(owner, _BODY, row.sealed_body) if row.sealed_body is not None else ""
    return Task(
        id=row.id,
        kind=TaskKind(row.kind),
        status=TaskStatus(row.status),
        title=title,
        body=body,
        profile_id=row.profile_id,
        team=row.team,
        assignee=row.assignee,
        priority=Priority(row.priority),
        due_at=row.due_at,
        outcome=row.outcome,
        origin=TaskOrigin(row.origin_kind, row.origin, row.origin_id, row.step) if row.origin_kind else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        closed_at=row.closed_at,
    )


def _tell(
    connection: Connection, vault: Vault, workspace: Workspace, row: Mapping[str, Any], before: Standing, now: datetime
) -> None:
    """Let everybody who waits know: a closed task is an event, a case that merely moved is a change of its profile."""
    if before.status in UNFINISHED and row["status"] not in UNFINISHED:
        key = f"task_closed:{row['id']}:{to_micros(now)}"  # it may be reopened, and closed once more
        append_events(connection, vault, workspace, [_event("task_closed", key, row, now)], now)
    elif row["status"] != before.status and row["kind"] in CASES:
        connection.execute(update(profile).where(profile.c.id == row["profile_id"]).values(updated_at=now))
        touch(connection, [row["profile_id"]])


def _event(name: str, key: str, row: Mapping[str, Any], now: datetime) -> NewEvent:
    said = {"task_id": row["id"]} | {
        part: row[part] for part in ("kind", "team", "priority", "outcome", "origin", "step") if row.get(part)
    }
    return NewEvent(name, now, _SOURCE, key, row["profile_id"], said)
