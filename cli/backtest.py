"""`postilion backtest`: the stored history goes through a journey as if it had been live then."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.context import open_workspace, parse_instant
from cli.output import AsJson
from cli.simulate import Followed, Journey, JourneyFile, Responding, Until


def register(app: typer.Typer) -> None:
    app.command("backtest")(backtest)


def backtest(
    context: typer.Context,
    journey: Journey,
    start: Annotated[str, typer.Option("--from", help="When it would have gone live.", metavar="INSTANT")],
    end: Until = None,
    file: JourneyFile = None,
    profiles: Annotated[
        str | None,
        typer.Option(help="A segment, or how many people to draw.", metavar="SEGMENT|N", show_default="all"),
    ] = None,
    responses: Responding = "",
    seed: Annotated[str, typer.Option(help="Another word draws other people and other answers.")] = "",
    timeline: Followed = None,
    as_json: AsJson = False,
) -> None:
    """Replay history through a journey: who would have entered, what would have been sent, how many reached the goal.

    Events count by the instant at which they happened. What people would have done with messages that were never sent
    is not known, and not simulated unless --responses states a model. Attributes and consents are those of now.
    """
    from datetime import timedelta

    from cli.simulate import responses_of, run
    from journeys.simulation.feed import History
    from journeys.simulation.setting import choose_people, make_plan

    with open_workspace(context) as (runtime, _workspace):
        begins = parse_instant(start)
        ends = parse_instant(end) if end else min(begins + timedelta(days=90), runtime.clock.now())
        with runtime.database.read() as connection:
            answers = responses_of(responses, seed)
            plan = make_plan(connection, runtime.vault, journey, begins, ends, file=file, responses=answers)
            only = None if profiles is None else frozenset(choose_people(connection, plan, profiles, seed))
        run(runtime, plan, History(only), timeline=timeline, as_json=as_json)
