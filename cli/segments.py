"""`postilion segments`: bring memberships up to date, list them, and say why somebody is in or out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
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
    """List the published segments with their last refresh."""
    from segments.membership import list_refreshes

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        rows = list_refreshes(connection)
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    print_table(
        "Segments",
        ["segment", "members", "refreshed"],
        [(row.segment, row.member_count, f"{row.refreshed_at:%Y-%m-%d %H:%M} UTC") for row in rows],
    )


@commands.command("explain")
def explain(
    context: typer.Context,
    profile: Annotated[str, typer.Argument(help="External id, e-mail address or phone number.")],
    segment: Annotated[str, typer.Argument(help="The segment's name.")],
    as_json: AsJson = False,
) -> None:
    """Say of each condition whether it holds for a person, and what was found."""
    from console.people import get_profile_id
    from core.errors import NotFoundError
    from segments.definition import load_segments, rules_of
    from segments.explain import explain as explain_rule

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        segments = load_segments(connection)
        if segment not in segments:
            raise NotFoundError(f"there is no published segment named {segment!r}: see `postilion segments list`.")
        findings = explain_rule(
            connection,
            segments[segment].rule,
            get_profile_id(connection, runtime.vault, workspace, profile),
            runtime.clock.now(),
            workspace,
            segments=rules_of(segments),
            vault=runtime.vault,
        )
    if as_json:
        print_json([asdict(finding) for finding in findings])
        return
    for finding in findings:
        mark = "[green]✓[/]" if finding.holds else "[red]✗[/]"
        found = "" if finding.found is None else f"  [dim]found: {finding.found}[/]"
        say(f"{'  ' * finding.depth}{mark} {finding.condition}{found}")
