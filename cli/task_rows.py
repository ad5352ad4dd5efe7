"""How `postilion tasks` shows tasks: a line of a list, the sheet of one, and the document for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cli.output import print_json, print_table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from core.runtime import Runtime
    from customers.tasks import Task
    from customers.workspace import Workspace

_SHORT_ID = 8


def names_of(connection: Connection, runtime: Runtime, tasks: Iterable[Task]) -> dict[int, str]:
    """What each customer is called in a list: by the external id, else by an address."""
    from customers.profiles import load_profiles

    ids = {one.profile_id for one in tasks if one.profile_id is not None}
    return {
        number: found.external_id
        or (found.email.value if found.email else found.phone.value if found.phone else f"profile {number}")
        for number, found in load_profiles(connection, runtime.vault, ids).items()
    }


def row_of(task: Task, names: dict[int, str], workspace: Workspace, now: datetime) -> list[object]:
    due = _clock(task.due_at, workspace, "%-d %b %H:%M")
    return [
        task.id[:_SHORT_ID],
        f"! {due}" if task.is_overdue(now) else due,
        task.priority.value,
        task.kind.value,
        task.status.value,
        _plain(_title(task)),
        _plain(task.assignee or task.team),
        _plain(_about(task, names)),
    ]


def tell(task: Task, names: dict[int, str], workspace: Workspace, now: datetime, *, as_json: bool) -> None:
    if as_json:
        print_json(document_of(task, names, now))
        return
    due = _clock(task.due_at, workspace)
    facts = {
        "id": task.id,
        "status": task.status.value,
        "kind": task.kind.value,
        "priority": task.priority.value,
        "due": f"{due}, overdue" if task.is_overdue(now) else due,
        "team": task.team,
        "assigned to": task.assignee,
        "for": _about(task, names),
        "outcome": task.outcome,
        "made by": f"{task.origin.kind} {task.origin.name}, step {task.origin.step}" if task.origin else "hand",
        "made": _clock(task.created_at, workspace),
        "closed": _clock(task.closed_at, workspace),
        "text": task.body,
    }
    print_table(_plain(_title(task)), ["", ""], [(word, _plain(value)) for word, value in facts.items() if value])


def _clock(instant: datetime | None, workspace: Workspace, layout: str = "%Y-%m-%d %H:%M") -> str:
    """On the workspace's clock; nothing for no instant."""
    from zoneinfo import ZoneInfo

    return "" if instant is None else instant.astimezone(ZoneInfo(workspace.timezone)).strftime(layout)


def document_of(task: Task, names: dict[int, str], now: datetime) -> dict[str, Any]:
    return asdict(task) | {"for": _about(task, names), "is_overdue": task.is_overdue(now)}


def _title(task: Task) -> str:
    return "(erased)" if task.title is None else task.title


def _about(task: Task, names: dict[int, str]) -> str | None:
    return None if task.profile_id is None else names.get(task.profile_id)


def _plain(text: str | None) -> str:
    """What people wrote, shown as it is: square brackets are no markup."""
    from rich.markup import escape

    return "–" if text is None else escape(text)
