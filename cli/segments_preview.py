"""`postilion segments preview`: what a segment's file would select, shown to a person or as one JSON document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import open_workspace, options_of
from cli.output import AsJson, print_json, print_table, say
from core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from segments.preview.look import Change, Preview
    from segments.preview.reach import Reach
    from segments.preview.sample import Person

_GATES = {
    "no_address": "no address",
    "suppressed": "stopped",
    "consent": "no consent",
    "paused": "paused",
    "holdout": "held out",
    "cap": "at limit",
}
_OVERLAPS, _STEPS = 10, 5
_BAR = 24


def preview(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A segment's file, published or not.", metavar="FILE")],
    sample: Annotated[int, typer.Option(min=0, max=1000, help="How many members to show.")] = 20,
    sql: Annotated[bool, typer.Option("--sql", help="Show the question in the words of the database.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run it however much it costs.")] = False,
    timeout: Annotated[
        int | None, typer.Option(min=1, help="Seconds that one question may take.", show_default="the setting's")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show whom a segment's file would select: how many, who can be written to, samples, cost, and what changes."""
    from datetime import timedelta

    from cli.check import show_faults
    from customers.lists import list_names
    from segments.definition import load_segments, rules_of
    from segments.preview.file import read_segment_file
    from segments.preview.look import look_at

    folder = options_of(context).settings.project_folder
    with open_workspace(context) as (runtime, workspace):
        with runtime.database.read() as connection:
            published, lists = rules_of(load_segments(connection)), list_names(connection)
        found = read_segment_file(_place(file, folder), folder, workspace, published, lists)
        if found.segment is None:
            raise ConfigError(found.faults)
        preview = look_at(
            runtime,
            workspace,
            found.segment,
            found.rules,
            runtime.clock.now(),
            sample_size=sample,
            timeout=timedelta(seconds=timeout) if timeout else None,
            is_forced=force,
        )
    if as_json:
        print_json(preview.as_document() | {"faults": [fault.as_dict() for fault in found.faults]})
        return
    show_faults(found.faults)
    _print(preview, with_sql=sql)


def _place(file: Path, folder: Path) -> Path:
    """`file` as seen from here, or else from the project folder."""
    beside = folder / file
    if not file.is_file() and beside.is_file():
        return beside
    if file.is_dir():
        raise InputError(f"{file} is a folder: name one segment's file in it.")
    return file


def _print(preview: Preview, *, with_sql: bool) -> None:
    from rich.markup import escape

    share = preview.count / preview.population if preview.population else 0.0
    filled = round(share * _BAR)
    say(f"\n[bold]{escape(preview.name)}[/]  [dim]{preview.segment}[/]")
    bar = f"[green]{'━' * filled}[/][dim]{'━' * (_BAR - filled)}[/]"
    say(f"[bold]{preview.count:,}[/] of {preview.population:,} people  {bar}  {share:.1%}\n")
    if preview.change is not None:
        _print_change(preview.change)
    _print_reach(preview.reach, preview.count)
    _print_people(preview.sample)
    if preview.overlaps:
        shown = [(one.segment, one.members, one.shared, f"{one.share:.0%}") for one in preview.overlaps[:_OVERLAPS]]
        print_table("Also in", ["segment", "members", "shared", "of the smaller"], shown)
    for one in preview.mismatches:
        say(f"[yellow]![/] {one.count:,} values were passed over: {escape(one.words)}")
    _print_cost(preview)
    if with_sql:
        say("[bold]SQL[/]")
        typer.echo(preview.sql)


def _print_people(sample: Sequence[Person]) -> None:
    """A column that nobody fills is left out."""
    from rich.markup import escape

    columns: dict[str, list[str | None]] = {
        "profile": [f"#{one.id}" for one in sample],
        "external id": [one.external_id for one in sample],
        "e-mail": [one.email for one in sample],
        "phone": [one.phone for one in sample],
        "country": [one.country for one in sample],
    }
    filled = {name: cells for name, cells in columns.items() if any(cells)}
    rows = [tuple(escape(cell or "–") for cell in row) for row in zip(*filled.values(), strict=True)]
    if rows:
        print_table(f"{len(rows)} of them", list(filled), rows)


def _print_change(change: Change) -> None:
    from rich.markup import escape

    moves = f"[green]+{change.entered:,}[/] [red]−{change.left:,}[/] against its {change.members:,} members of now"
    if not change.conditions:
        say(f"As published (version {change.version}): {moves}\n")
        return
    say(f"Changes version {change.version}: {moves}")
    colours = {"+": "green", "-": "red", " ": "dim"}
    for line in change.conditions:
        say(f"  [{colours[line[0]]}]{escape(line)}[/]")
    say("")


def _print_reach(reach: Sequence[Reach], count: int) -> None:
    """One line a channel and topic; a gate that keeps nobody has no column."""
    if not reach or not count:
        return
    gates = [gate for gate in _GATES if any(one.lost.get(gate) for one in reach)]
    rows = [
        (
            f"{one.channel} · {one.topic}",
            *(f"−{one.lost[gate]:,}" if one.lost.get(gate) else "" for gate in gates),
            one.reached,
            f"{one.reached / count:.0%}",
        )
        for one in reach
    ]
    print_table("Can be written to now", ["about", *(_GATES[gate] for gate in gates), "reached", ""], rows)


def _print_cost(preview: Preview) -> None:
    cost = preview.cost
    about = "under a second" if cost.seconds < 1 else f"about {cost.seconds:,.0f} s"
    say(f"[bold]Cost[/]  {cost.rows:,} rows to look at, {about} by the estimate; it took {preview.seconds:.2f} s")
    for step in cost.steps[:_STEPS]:
        say(f"  [dim]{step.rows:>12,}  {step.table}, {step.by}[/]")
    say("")
