"""`postilion quarantine`: events that could not be taken, for whoever mends their sender."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say
from core.errors import ExitCode, InputError

group = typer.Typer(help="Look at events that could not be taken, and take them again.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Its number, from the list.", metavar="ID")]
Numbers = Annotated[list[int] | None, typer.Argument(help="Their numbers, from the list.", metavar="[ID]...")]
All = Annotated[bool, typer.Option("--all", help="All of them.")]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="quarantine")


@group.command("list")
def list_(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List refused events with their reasons, the newest first."""
    from tracking.events.quarantine import list_quarantined

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        refused = list_quarantined(connection, limit)
    if as_json:
        print_json(refused)
    elif refused:
        rows = [(one.id, one.received_at.isoformat(timespec="seconds"), one.source, one.reason) for one in refused]
        print_table("Refused events", ["id", "received", "write key", "reason"], rows)
    else:
        say("No event was refused in the last two days.")


@group.command("show")
def show(context: typer.Context, number: Number, as_json: AsJson = False) -> None:
    """Print what was sent. It can be read until a day after its own has ended."""
    from tracking.events.quarantine import open_quarantined

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        document = open_quarantined(connection, runtime.vault, number)
    if as_json:
        print_json({"id": number, "document": document})
    else:
        typer.echo(document)


@group.command("retry")
def retry(context: typer.Context, numbers: Numbers = None, every: All = False, as_json: AsJson = False) -> None:
    """Take refused events again by the rules of now. Whatever is taken leaves the list; nothing is taken twice."""
    import tracking.events.retry as subject

    ids = _chosen(numbers, every)
    with open_workspace(context) as (runtime, workspace), runtime.database.transaction() as connection:
        retried = subject.retry(connection, runtime.vault, workspace, ids, runtime.clock.now())
    if as_json:
        print_json(retried)
    elif retried:
        rows = [(one.id, "taken" if one.was_taken else "refused", one.reason or "") for one in retried]
        print_table("Taken again", ["id", "result", "reason"], rows)
    else:
        say("No event was refused in the last two days.")
    if any(not one.was_taken for one in retried):
        raise typer.Exit(ExitCode.INPUT)


@group.command("drop")
def drop(context: typer.Context, numbers: Numbers = None, every: All = False, as_json: AsJson = False) -> None:
    """Throw refused events away."""
    from tracking.events.quarantine import drop_quarantined

    ids = _chosen(numbers, every)
    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        count = drop_quarantined(connection, ids)
    if as_json:
        print_json({"dropped": count})
    else:
        say(f"{count:,} thrown away.")


def _chosen(numbers: list[int] | None, every: bool) -> list[int] | None:
    """The numbers, None for all."""
    if bool(numbers) == every:
        raise InputError("name the events by their numbers, or write --all.")
    return None if every else numbers
