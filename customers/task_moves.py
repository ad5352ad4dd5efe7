"""What may become of a task: an explicit machine from open to done or cancelled, and back. Pure.

A task that is taken is in progress; whoever closes it says with what outcome. A move that a task has made already
changes nothing, so that a button pressed twice does no harm; what cannot follow is refused with the way out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from core.errors import ConflictError, InputError
from customers.task_tables import UNFINISHED, TaskStatus

WITHDRAWN = "cancelled"  # the outcome of what was cancelled

_OUTCOME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """The part of a task that moves."""

    status: TaskStatus
    team: str | None = None
    assignee: str | None = None
    due_at: datetime | None = None
    outcome: str | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """Somebody begins with it; taking over what another has begun is allowed."""

    assignee: str


@dataclass(frozen=True, slots=True)
class Assign:
    """It is given to somebody, to a team, or to both; None leaves that part as it is."""

    assignee: str | None = None
    team: str | None = None


@dataclass(frozen=True, slots=True)
class Reschedule:
    """It is due at another instant; None: at none."""

    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Finish:
    """It is done; `outcome` is one word in small letters, because it stands in the log in clear."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """It is not wanted any more."""


@dataclass(frozen=True, slots=True)
class Reopen:
    """It was not finished after all."""


Move = Take | Assign | Reschedule | Finish | Cancel | Reopen

_OPEN, _BEGUN, _DONE, _CANCELLED = TaskStatus
_STAY = {_OPEN: _OPEN, _BEGUN: _BEGUN}
_NEXT: Mapping[type[Move], Mapping[TaskStatus, TaskStatus]] = {
    Take: {_OPEN: _BEGUN, _BEGUN: _BEGUN},
    Assign: _STAY,
    Reschedule: _STAY,
    Finish: {_OPEN: _DONE, _BEGUN: _DONE, _DONE: _DONE},
    Cancel: {_OPEN: _CANCELLED, _BEGUN: _CANCELLED, _CANCELLED: _CANCELLED},
    Reopen: {_OPEN: _OPEN, _BEGUN: _BEGUN, _DONE: _OPEN, _CANCELLED: _OPEN},
}


def decide(task: Standing, move: Move, now: datetime) -> Standing:
    """How the task stands after `move`; equal to `task` when nothing changes.

    Raises ConflictError for a move that cannot follow, InputError for an outcome or a name that cannot be used.
    """
    following = _NEXT[type(move)].get(task.status)
    if following is None:
        raise ConflictError(f"the task is {task.status} already: reopen it first.")
    match move:
        case Take(assignee=assignee):
            after = replace(task, assignee=check_name(assignee))
        case Assign(assignee=assignee, team=team):
            after = replace(
                task,
                assignee=task.assignee if assignee is None else check_name(assignee),
                team=task.team if team is None else check_name(team),
            )
        case Reschedule(due_at=due_at):
            after = replace(task, due_at=due_at)
        case Finish(outcome=outcome):
            after = _closed(task, check_outcome(outcome), now)
        case Cancel():
            after = _closed(task, WITHDRAWN, now)
        case Reopen():
            after = task if task.status in UNFINISHED else replace(task, outcome=None, closed_at=None)
    return replace(after, status=following)


def _closed(task: Standing, outcome: str, now: datetime) -> Standing:
    if task.status in UNFINISHED:
        return replace(task, outcome=outcome, closed_at=now)
    if task.outcome != outcome:
        raise ConflictError(f"the task was closed with the outcome {task.outcome!r}: reopen it first.")
    return task


def check_outcome(word: str) -> str:
    """`word`, when it can be an outcome. Raises InputError."""
    if not _OUTCOME.fullmatch(word):
        raise InputError("an outcome is one word in small letters, such as reached or left_message.")
    if word == WITHDRAWN:
        raise InputError(f"{WITHDRAWN!r} is no outcome of something done: cancel the task instead.")
    return word


def check_name(name: str) -> str:
    """The name of a person or a team, without blanks around it. Raises InputError."""
    stripped = name.strip()
    if not stripped or len(stripped) > _MAX_NAME or not stripped.isprintable():
        raise InputError(f"a person's or a team's name has 1 to {_MAX_NAME} letters on one line.")
    return stripped
