"""`postilion segments`: bring memberships up to date, list them, and say why somebody is in or out."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from cli import (
    segments_audit,
    segments_explain,
    segments_export,
    segments_freeze,
    segments_preview,
    segments_rank,
    segments_snapshot,
)
from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    commands.command("preview")(segments_preview.preview)
    commands.command("explain")(segments_explain.explain)
    commands.command("export")(segments_export.export)
    commands.command("freeze")(segments_freeze.freeze)
    commands.command("rank")(segments_rank.rank)
    commands.command("audit")(segments_audit.audit)
    commands.command("snapshot")(segments_snapshot.snapshot)
    app.add_typer(commands, name="segments", help="Who is in which segment, and why.")


@commands.command("refresh")
def refresh(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Only these.", show_default="all")] = None,
    as_json: AsJson = False,
) -> None:
    """Bring memberships up to date; whoever enters or leaves is written to the log."""
    from segments.refresh import refresh_all

    with open_workspace(context) as (runtime, _workspace):
        results = refresh_all(runtime, names or None)
    if as_json:
        print_json([asdict(result) for result in results])
        return
    print_table(
        "Segments",
        ["segment", "members", "entered", "left", "seconds"],
        [(one.segment, one.member_count, one.entered, one.left, round(one.seconds, 2)) for one in results],
    )


@commands.command("list")
def list_segments(context: typer.Context, as_json: AsJson = False) -> None:
    """List the published segments: how many are in each, who came and went in 24 hours, and how fresh that is."""
    from segments.overview import read_overview

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        now = runtime.clock.now()
        rows = read_overview(connection, now)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        "Segments",
        ["segment", "members", "24 h", "", "fresh"],
        [
            (
                row.segment,
                row.members,
                f"+{row.entered:,}" if row.entered else "",
                f"−{row.left:,}" if row.left else "",
                _age(now - row.fresh_at) if row.fresh_at else "never built",
            )
            for row in rows
        ],
    )


def _age(length: timedelta) -> str:
    """Such as `12 s ago`, in the largest unit of which there are two."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
