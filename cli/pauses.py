"""`postilion pauses`: what is stopped for now and why, and letting it go on."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say
from core.errors import NotFoundError


def register(app: typer.Typer) -> None:
    app.command("pauses")(pauses)


def pauses(
    context: typer.Context,
    resume: Annotated[str | None, typer.Option(help="Let this scope go on.", metavar="SCOPE")] = None,
    stop: Annotated[
        str | None, typer.Option(help="Stop this scope, such as channel:sms or campaign:spring.", metavar="SCOPE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List what is paused and why. A provider's refusal pauses a channel or a sender; a person lets it go on."""
    from delivery.pauses import check_scope, find_pauses, pause
    from delivery.pauses import resume as let_go_on

    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        now = runtime.clock.now()
        if resume is not None and not let_go_on(connection, resume):
            raise NotFoundError(f"{resume!r} is not paused: see `postilion pauses`.")
        if stop is not None:
            pause(connection, check_scope(stop), "stopped by hand", now)
        paused = find_pauses(connection, now)
    if as_json:
        print_json(paused)
    elif paused:
        print_table("Paused", ["what", "why"], sorted(paused.items()))
    else:
        say("Nothing is paused.")
