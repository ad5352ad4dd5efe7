"""`postilion send-test`: every message of a journey to one address, to be looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

if TYPE_CHECKING:
    from journeys.trial import Trial


def register(app: typer.Typer) -> None:
    app.command("send-test")(send_test)


def send_test(
    context: typer.Context,
    journey: Annotated[str, typer.Argument(help="The journey's name.")],
    to: Annotated[str, typer.Option(help="Where the messages go: an address, or a number for texts.")],
    profile: Annotated[
        str | None,
        typer.Option(
            help="Whose messages: external id, e-mail address, phone number, or #PROFILE. Default: a sample person.",
            metavar="WHO",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A JSON file with what the templates read as `entry`.", metavar="FILE")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Send every message of a journey, on whatever path, to one address, each marked with its step.

    Nothing is counted or tracked, no limit or quiet hour holds; links lead straight to where they would.
    """
    from contextlib import closing

    from cli.preview import read_data
    from console.people import get_profile_id
    from delivery.providers.registry import create_transports
    from journeys.trial import send_journey

    with open_workspace(context) as (runtime, workspace):
        profile_id = None
        if profile is not None:
            with runtime.database.read() as connection:
                profile_id = get_profile_id(connection, runtime.vault, workspace, profile)
        entry = read_data(data) if data is not None else None
        with closing(create_transports(runtime.settings)) as transports:
            trials = send_journey(runtime, transports, journey, to, profile_id, entry=entry)
    if as_json:
        from dataclasses import asdict

        print_json([asdict(trial) for trial in trials])
    else:
        _print(journey, trials)
    if not any(trial.copy for trial in trials):
        raise typer.Exit(1)


def _print(journey: str, trials: list[Trial]) -> None:
    from rich.markup import escape

    rows = [
        (
            f"{trial.step}/{trial.arm}" if trial.arm else trial.step,
            trial.channel,
            trial.template,
            f"[green]sent[/] by {trial.copy.provider}" if trial.copy else f"[red]not sent:[/] {escape(trial.problem)}",
        )
        for trial in trials
    ]
    print_table(f"Test messages of {journey}", ["step", "channel", "template", ""], rows)
    sent = sum(trial.copy is not None for trial in trials)
    say(f"{sent} of {len(trials)} messages sent; none is counted anywhere.")
