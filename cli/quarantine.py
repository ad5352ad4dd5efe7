"""`postilion quarantine`: events that could not be taken, for whoever mends their sender."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

group = typer.Typer(help="Look at events that could not be taken.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="quarantine")


@group.command("list")
def list_(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest first.")] = 50,
    show: Annotated[int | None, typer.Option(help="Print what was sent with this one.", metavar="ID")] = None,
    as_json: AsJson = False,
) -> None:
    """List refused events with their reasons. What was sent can be read until a day after its own has ended."""
    from tracking.quarantine import list_quarantined, open_quarantined

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        if show is not None:
            document = open_quarantined(connection, runtime.vault, show)
            if as_json:
                print_json({"id": show, "document": document})
            else:
                typer.echo(document)
            return
        refused = list_quarantined(connection, limit)
    if as_json:
        print_json(refused)
    elif refused:
        rows = [(one.id, one.received_at.isoformat(timespec="seconds"), one.source, one.reason) for one in refused]
        print_table("Refused events", ["id", "received", "write key", "reason"], rows)
    else:
        say("No event was refused in the last two days.")
