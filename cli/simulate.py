"""`postilion simulate`: send a whole population through a journey on a virtual clock. Nothing is written or sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_workspace, parse_instant
from cli.output import AsJson, print_json, progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from core.runtime import Runtime
    from journeys.simulation.feed import Feed
    from journeys.simulation.plan import Plan
    from journeys.simulation.responses import Responses

_DAYS = 90

Journey = Annotated[str, typer.Argument(help="The journey's name.", metavar="JOURNEY")]
JourneyFile = Annotated[
    Path | None, typer.Option("--file", help="Simulate this file, published or not.", metavar="FILE")
]
Until = Annotated[str | None, typer.Option("--to", help="When it ends.", show_default="90 days later")]
Responding = Annotated[
    str, typer.Option(help="Let people answer by a hash: opens=0.3,clicks=0.03,seed=spring.", metavar="MODEL")
]
Followed = Annotated[
    int | None, typer.Option("--timeline", help="Tell what this profile goes through.", metavar="PROFILE")
]


def register(app: typer.Typer) -> None:
    app.command("simulate")(simulate)


def simulate(
    context: typer.Context,
    journey: Journey,
    file: JourneyFile = None,
    profiles: Annotated[
        str | None,
        typer.Option(
            help="A segment, or how many people to draw.",
            metavar="SEGMENT|N",
            show_default="all",
        ),
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="What happens, one JSON event a line.", metavar="FILE.jsonl")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="When it begins.", show_default="now")] = None,
    end: Until = None,
    spread: Annotated[
        str,
        typer.Option(
            help="Without --events: everybody enters once, over this time (0s: at once), whatever the trigger.",
            metavar="DURATION",
        ),
    ] = "",
    entry: Annotated[
        str, typer.Option(help="Without --events: properties of the event that lets people in.", metavar="JSON")
    ] = "",
    responses: Responding = "",
    seed: Annotated[str, typer.Option(help="Another word draws other people and other answers.")] = "",
    timeline: Followed = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a journey: messages a day, cost, branches, losses and load, for everybody or for some.

    Schedules, dates and segments let people in when they would; an event or a call happens to everybody once, unless
    --events says what happens. The customers are those of the database, as they are now; nothing is written and nothing
    is sent, and equal input gives equal output.
    """
    from datetime import timedelta

    from journeys.simulation.event_file import read_events
    from journeys.simulation.feed import Everybody, Stated, is_timed
    from journeys.simulation.setting import choose_people, make_plan

    with open_workspace(context) as (runtime, _workspace):
        begins = parse_instant(start) if start else runtime.clock.now()
        ends = parse_instant(end) if end else begins + timedelta(days=_DAYS)
        with runtime.database.read() as connection:
            fed = read_events(connection, runtime.vault, events) if events is not None else None
            plan = make_plan(
                connection,
                runtime.vault,
                journey,
                begins,
                ends,
                file=file,
                responses=responses_of(responses, seed),
                lines_fed=max((event.id for row in (fed or {}).values() for event in row), default=0),
            )
            in_time = not spread and any(map(is_timed, plan.journey.entries))
            if fed is None:
                people = choose_people(connection, plan, profiles, seed, by_door=not in_time)
                feed: Feed = Everybody(people, _length(spread), seed, _properties(entry), in_time=in_time)
            else:
                everybody = choose_people(connection, plan, profiles, seed) if profiles or in_time else ()
                chosen = set(everybody) if profiles else fed.keys()
                others = everybody if in_time else ()
                feed = Stated({who: row for who, row in fed.items() if who in chosen}, others)
        run(runtime, plan, feed, timeline=timeline, as_json=as_json)


def run(runtime: Runtime, plan: Plan, feed: Feed, *, timeline: int | None, as_json: bool) -> None:
    """Simulate and show what came of it."""
    from cli.simulation_shown import show
    from journeys.simulation.report import report
    from journeys.simulation.setting import provider_rates
    from journeys.simulation.simulate import simulate as let_live
    from journeys.simulation.told import told

    followed = [] if timeline is None else [timeline]
    with progress("people go through it", "people") as bar:
        done = 0

        def show_progress(count: int) -> None:
            nonlocal done
            done += count
            bar(done, None)

        tally, timelines = let_live(runtime, plan, feed, followed=followed, progress=show_progress)
    with runtime.database.read() as connection:
        document = report(plan, feed.what, tally, provider_rates(connection))
    if timeline is not None:
        document["timeline"] = told(timelines[timeline]) or [f"never came to {plan.journey.slug}"]
    print_json(document) if as_json else show(document)


def responses_of(text: str, seed: str) -> Responses:
    """The stated model, with `seed` where it names none of its own."""
    from dataclasses import replace

    from journeys.simulation.responses import parse_responses

    stated = parse_responses(text)
    return stated if stated.seed else replace(stated, seed=seed)


def _length(text: str) -> timedelta:
    from datetime import timedelta

    from core.durations import parse_duration

    return parse_duration(text).as_elapsed() if text else timedelta()


def _properties(text: str) -> Mapping[str, Any]:
    import msgspec

    from core.errors import InputError

    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if text else {}
    except msgspec.DecodeError as error:
        raise InputError(f"--entry is no JSON object: {error}. Write it as '{{\"total\": 30}}'.") from None
