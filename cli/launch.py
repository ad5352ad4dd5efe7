"""`postilion launch`: freeze a campaign's audience and write its messages, now."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, progress, say


def register(app: typer.Typer) -> None:
    app.command("launch")(launch)


def launch(
    context: typer.Context,
    campaign: Annotated[str, typer.Argument(help="The campaign's name.")],
    again: Annotated[bool, typer.Option("--again", help="Launch it once more, although this one is out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Launch a campaign: everybody in the audience gets a message in the ledger, or the reason why not."""
    from campaigns.due import choose_occurrence
    from campaigns.launch import launch_campaign

    with open_workspace(context) as (runtime, _workspace):
        now = runtime.clock.now()
        with runtime.database.read() as connection:
            occurrence = choose_occurrence(connection, campaign, now, again=again)
        with progress(f"launching {campaign}", "people") as report:
            result = launch_campaign(runtime, campaign, occurrence, now, report)
    if as_json:
        print_json(asdict(result))
        return
    print_table(f"Launch of {campaign}", ["people", "count"], list(result.counts.items()))
    say("The messages are in the ledger: `postilion up` sends them, or `postilion deliver` does it now.")
