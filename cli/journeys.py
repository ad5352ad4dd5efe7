"""`postilion journeys`: what runs, in which versions and with whom; stopping one; going back to an older version."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, progress, say

app = typer.Typer(help="See what runs, stop a journey, go back to an older version.", no_args_is_help=True)
_Name = Annotated[str, typer.Argument(help="The journey's name.", metavar="JOURNEY")]


def register(root: typer.Typer) -> None:
    app.command("list")(list_journeys)
    app.command("stop")(stop)
    app.command("rollback")(rollback)
    root.add_typer(app, name="journeys")


def list_journeys(context: typer.Context, as_json: AsJson = False) -> None:
    """List every journey with its versions: who is inside, what is held back or late, and whether the engine lives."""
    from datetime import UTC
    from zoneinfo import ZoneInfo

    from journeys.heartbeat import is_beating
    from journeys.lateness import read_lateness
    from journeys.overview import read_overview

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        now = runtime.clock.now()
        local = now.astimezone(ZoneInfo(workspace.timezone))
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
        lines, late = read_overview(connection, midnight, now), read_lateness(connection, now)
        lives = is_beating(connection, now)
    if as_json:
        print_json([asdict(line) for line in lines])
        return
    if not lines:
        say("No journey was applied yet: write one in journeys/, then `postilion apply`.")
        return
    rows = [
        (one.journey, one.version, one.status, one.waiting, one.held_out, one.entered, one.held, one.late)
        for one in lines
    ]
    columns = ["journey", "v", "status", "inside", "held out", "today", "held", "late"]
    print_table("Journeys", columns, rows)
    say(_engine(lives, late.lag(now)))


def _engine(lives: bool, lag: timedelta) -> str:
    """Whether somebody advances the journeys, and how late that is."""
    minutes = lag // timedelta(minutes=1)
    behind = f"it is {minutes:,} minutes behind" if minutes else "nothing is late"
    if lives:
        return f"{'[yellow]![/]' if minutes else '[green]✓[/]'} the engine lives, {behind}"
    word = f"what is due waits for {minutes:,} minutes" if minutes else behind
    return f"{'[red]✗[/]' if minutes else '[dim]·[/]'} no engine runs, {word}: `postilion up` keeps journeys going"


def stop(
    context: typer.Context,
    journey: _Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """End every run of a journey and cancel what it has not sent yet. To let people finish, set `status: archived`."""
    from journeys.standing import count_standing
    from journeys.stopping import stop_journey

    with open_workspace(context) as (runtime, _workspace):
        with runtime.database.read() as connection:
            inside = sum(one.count for one in count_standing(connection, journey))
        if not yes:
            people = "1 person is" if inside == 1 else f"{inside:,} people are"
            typer.confirm(f"{people} inside {journey}, and will leave it now. Stop it?", abort=True)
        with progress(f"stopping {journey}", "people") as report:
            ended = stop_journey(runtime, journey, runtime.clock.now(), report=lambda done: report(done, None))
    if as_json:
        print_json({"journey": journey, "ended": ended})
        return
    say(f"[green]✓[/] {journey} is stopped, {ended:,} runs ended.")
    say("Set `status: archived` in its file, or remove it: otherwise the next `apply` begins a new version.")


def rollback(
    context: typer.Context,
    journey: _Name,
    to: Annotated[
        int | None, typer.Option(min=1, help="Which version.", show_default="the one before", metavar="VERSION")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Publish an older version again, as a new one. People inside stay on theirs; `apply --migrate` moves them."""
    from console.rollback import roll_back

    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        published = roll_back(connection, journey, runtime.clock.now(), to=to).published
    if as_json:
        print_json({"journey": journey, "version": published.version})
        return
    say(f"[green]✓[/] {journey} runs its older content again, as version {published.version}.")
    say(f"Set {published.file} back too: otherwise the next `apply` publishes what stands there.")
