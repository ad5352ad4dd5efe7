"""`postilion segments rank`: give everybody their place in the rankings that the project's files ask for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say


def rank(
    context: typer.Context,
    missing: Annotated[bool, typer.Option("--missing", help="Only by what nobody was ever ranked by.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rank everybody by what segments, campaigns, offers and journeys ask for; done every night by itself."""
    from segments.ranks.ranking import rank_everybody

    with open_workspace(context) as (runtime, _workspace):
        runs = rank_everybody(runtime, missing_only=missing)
    if as_json:
        print_json([asdict(run) for run in runs])
    elif runs:
        print_table(
            "Rankings",
            ["by", "people with a place", "came or went", "seconds"],
            [(run.words, run.counted, run.touched, round(run.seconds, 2)) for run in runs],
        )
    else:
        say("Nothing to rank by: no published file has a `rank` that is still waiting.")
