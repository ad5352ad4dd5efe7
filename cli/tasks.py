"""`postilion tasks`: the work that journeys and colleagues ask of people: see it, take it, close it with an outcome.

Complaints and service requests are tasks of a kind; the condition `case` asks about them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_workspace, parse_instant
from cli.output import AsJson, print_json, print_table, say
from cli.task_rows import document_of, names_of, row_of, tell
from core.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from customers.task_moves import Move
    from customers.workspace import Workspace

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

TaskId = Annotated[str, typer.Argument(help="The task's id, or its beginning.", metavar="ID")]
Person = Annotated[
    str | None,
    typer.Option("--for", help="The customer: external id, e-mail address or phone number.", metavar="PROFILE"),
]
Due = Annotated[
    str | None, typer.Option("--due", help="How long from now, such as 2d, or an instant.", metavar="2d|INSTANT")
]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="tasks", help="What people are asked to do: to-dos, complaints, service requests.")


@commands.command("list")
def list_open_tasks(
    context: typer.Context,
    team: Annotated[str | None, typer.Option(help="Only those of this team.")] = None,
    assigned: Annotated[str | None, typer.Option(help="Only those of this person of ours.", metavar="NAME")] = None,
    person: Person = None,
    kind: Annotated[list[str] | None, typer.Option(help="to_do, complaint or service_request.")] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help="open, in_progress, done or cancelled.", show_default="open and in_progress"),
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is overdue.")] = False,
    limit: Annotated[int, typer.Option(help="How many a page.", min=1, max=1000)] = 50,
    after: Annotated[str | None, typer.Option(help="What the page before has given.", metavar="PLACE")] = None,
    as_json: AsJson = False,
) -> None:
    """List what is to be done, the most urgent first; an exclamation mark stands before what is overdue."""
    from console.people import get_profile_id
    from customers.task_list import TaskFilter, list_tasks
    from customers.task_tables import UNFINISHED, TaskKind, TaskStatus

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        now = runtime.clock.now()
        wanted = TaskFilter(
            statuses=[_word(TaskStatus, one) for one in status] if status else UNFINISHED,
            kinds=[_word(TaskKind, one) for one in kind] if kind else list(TaskKind),
            team=team,
            assignee=assigned,
            profile_id=get_profile_id(connection, runtime.vault, workspace, person) if person else None,
            overdue_at=now if overdue else None,
        )
        page = list_tasks(connection, runtime.vault, wanted, limit=limit, after=after)
        names = names_of(connection, runtime, page.tasks)
    if as_json:
        print_json({"tasks": [document_of(one, names, now) for one in page.tasks], "following": page.following})
        return
    if not page.tasks:
        say("Nothing is to be done.")
        return
    print_table(
        "Tasks",
        ["id", "due", "priority", "kind", "status", "title", "who", "for whom"],
        [row_of(one, names, workspace, now) for one in page.tasks],
    )
    if page.following:
        say(f"There are more: --after {page.following}")


@commands.command("add")
def add(
    context: typer.Context,
    title: Annotated[str, typer.Argument(help="What is to be done, on one line.")],
    person: Person = None,
    kind: Annotated[str, typer.Option(help="to_do, complaint or service_request.")] = "to_do",
    team: Annotated[str | None, typer.Option(help="The team that does it.")] = None,
    assign: Annotated[str | None, typer.Option(help="Who does it.", metavar="NAME")] = None,
    due: Due = None,
    priority: Annotated[str, typer.Option(help="low, normal or high.")] = "normal",
    body: Annotated[str, typer.Option(help="More about it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ask somebody to do something. Without --for it is about no customer."""
    from console.people import get_profile_id
    from core.ids import random_id
    from customers.task_tables import Priority, TaskKind
    from customers.tasks import NewTask, create_tasks, get_task

    with open_workspace(context) as (runtime, workspace), runtime.database.transaction() as connection:
        now = runtime.clock.now()
        new = NewTask(
            id=random_id(),
            title=title,
            kind=_word(TaskKind, kind),
            profile_id=get_profile_id(connection, runtime.vault, workspace, person) if person else None,
            body=body,
            team=team,
            assignee=assign,
            priority=_word(Priority, priority),
            due_at=_instant(due, workspace, now) if due else None,
        )
        create_tasks(connection, runtime.vault, workspace, [new], now)
        made = get_task(connection, runtime.vault, new.id)
        names = names_of(connection, runtime, [made])
    tell(made, names, workspace, now, as_json=as_json)


@commands.command("show")
def show(context: typer.Context, task: TaskId, as_json: AsJson = False) -> None:
    """Show one task with everything that is known of it."""
    from customers.tasks import find_task_id, get_task

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        found = get_task(connection, runtime.vault, find_task_id(connection, task))
        names = names_of(connection, runtime, [found])
        now = runtime.clock.now()
    tell(found, names, workspace, now, as_json=as_json)


@commands.command("take")
def take(
    context: typer.Context,
    task: TaskId,
    name: Annotated[str, typer.Option("--as", help="Who begins with it.", metavar="NAME")],
    as_json: AsJson = False,
) -> None:
    """Begin with a task: it is in progress then."""
    from customers.task_moves import Take

    _change(context, task, Take(name), as_json=as_json)


@commands.command("assign")
def assign_task(
    context: typer.Context,
    task: TaskId,
    to: Annotated[str | None, typer.Option(help="The person who shall do it.", metavar="NAME")] = None,
    team: Annotated[str | None, typer.Option(help="The team that shall do it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give a task to somebody, or to another team."""
    from customers.task_moves import Assign

    if to is None and team is None:
        raise InputError("nobody is named: write --to NAME, --team TEAM, or both.")
    _change(context, task, Assign(to, team), as_json=as_json)


@commands.command("reschedule")
def reschedule(
    context: typer.Context,
    task: TaskId,
    due: Due = None,
    as_json: AsJson = False,
) -> None:
    """Let a task be due at another time; without --due at none."""
    from customers.task_moves import Reschedule

    with open_workspace(context) as (runtime, workspace):
        due_at = _instant(due, workspace, runtime.clock.now()) if due else None
    _change(context, task, Reschedule(due_at), as_json=as_json)


@commands.command("done")
def done(
    context: typer.Context,
    task: TaskId,
    outcome: Annotated[
        str, typer.Option(help="One word for the log, such as reached: journeys can wait for it.", metavar="WORD")
    ],
    as_json: AsJson = False,
) -> None:
    """Close a task with its outcome."""
    from customers.task_moves import Finish

    _change(context, task, Finish(outcome), as_json=as_json)


@commands.command("cancel")
def cancel(context: typer.Context, task: TaskId, as_json: AsJson = False) -> None:
    """Close a task that is not wanted any more."""
    from customers.task_moves import Cancel

    _change(context, task, Cancel(), as_json=as_json)


@commands.command("reopen")
def reopen(context: typer.Context, task: TaskId, as_json: AsJson = False) -> None:
    """Open a task again that was not finished after all."""
    from customers.task_moves import Reopen

    _change(context, task, Reopen(), as_json=as_json)


def _change(context: typer.Context, task: str, move: Move, *, as_json: bool) -> None:
    from customers.tasks import change_task, find_task_id

    with open_workspace(context) as (runtime, workspace), runtime.database.transaction() as connection:
        now = runtime.clock.now()
        task_id = find_task_id(connection, task)
        changed = change_task(connection, runtime.vault, workspace, task_id, move, now)
        names = names_of(connection, runtime, [changed])
    tell(changed, names, workspace, now, as_json=as_json)


def _instant(text: str, workspace: Workspace, now: datetime) -> datetime:
    """`2d` counts from now, in days on the workspace's calendar; anything else is an instant."""
    from zoneinfo import ZoneInfo

    from core.durations import InvalidDurationError, add_calendar, parse_duration

    try:
        return add_calendar(now, parse_duration(text), ZoneInfo(workspace.timezone))
    except InvalidDurationError:
        return parse_instant(text)


def _word(kind: Any, written: str) -> Any:
    """`written` as one of the words of an enumeration."""
    from core.suggest import did_you_mean

    if written in set(kind):
        return kind(written)
    hint = did_you_mean(written, list(kind)) or f"write one of {', '.join(kind)}"
    raise InputError(f"{written!r} is not known here: {hint}.")
