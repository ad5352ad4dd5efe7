"""`postilion segments explain`: why somebody is in a segment or not, and when that will change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say

if TYPE_CHECKING:
    from datetime import datetime

    from segments.explaining.explain import Finding
    from segments.explaining.standing import Standing


def explain(
    context: typer.Context,
    profile: Annotated[str, typer.Argument(help="External id, e-mail address, phone number, or #PROFILE.")],
    segment: Annotated[str, typer.Argument(help="The segment's name.")],
    as_json: AsJson = False,
) -> None:
    """Say of each condition whether it holds for a person, what was found, what is missing, and when it changes."""
    from console.people import get_profile_id
    from segments.costs.guard import guarded_read
    from segments.definition import get_segment, load_segments, rules_of
    from segments.explaining.standing import stand

    with open_workspace(context) as (runtime, workspace), guarded_read(runtime) as connection:
        get_segment(connection, segment)
        standing = stand(
            connection,
            segment,
            rules_of(load_segments(connection)),
            get_profile_id(connection, runtime.vault, workspace, profile),
            runtime.clock.now(),
            workspace,
            vault=runtime.vault,
        )
        zone = ZoneInfo(workspace.timezone)
    if as_json:
        print_json(_document(standing))
        return
    _print(standing, zone)


def _document(standing: Standing) -> dict[str, Any]:
    findings = [
        {
            "depth": one.depth,
            "condition": one.condition,
            "holds": one.holds,
            "found": one.found,
            "needs": one.needs,
            "until": one.until,
        }
        for one in standing.findings
    ]
    return {
        "segment": standing.segment,
        "holds": standing.holds,
        "changes_at": standing.changes_at,
        "by_clock": standing.by_clock,
        "stored": {"entered_at": standing.entered_at, "refreshed_at": standing.refreshed_at},
        "is_stored_right": standing.is_stored_right,
        "findings": findings,
    }


def _print(standing: Standing, zone: ZoneInfo) -> None:
    from rich.markup import escape

    is_in = "[green]is in[/]" if standing.holds else "[red]is not in[/]"
    say(f"\n[bold]{is_in} {standing.segment}[/]{_next(standing, zone)}\n")
    for finding in standing.findings:
        say(f"{'  ' * finding.depth}{_mark(finding)} {escape(finding.condition)}{_remark(finding, zone)}")
    say(f"\n{_stored(standing, zone)}")


def _next(standing: Standing, zone: ZoneInfo) -> str:
    """When the verdict changes by itself."""
    if standing.changes_at is None:
        return "  [dim]dates or clocks may change that[/]" if standing.by_clock else ""
    verb = "leaves" if standing.holds else "enters"
    return f"  [dim]{verb} on {_at(standing.changes_at, zone)} unless something happens before[/]"


def _mark(finding: Finding) -> str:
    return "[green]✓[/]" if finding.holds else "[red]✗[/]"


def _remark(finding: Finding, zone: ZoneInfo) -> str:
    from rich.markup import escape

    parts = []
    if finding.found is not None:
        parts.append(f"found: {escape(_shown(finding.found))}")
    if finding.needs:
        parts.append(escape(finding.needs))
    if finding.until is not None:
        parts.append(f"until {_at(finding.until, zone)}")
    return f"  [dim]{' · '.join(parts)}[/]" if parts else ""


def _shown(found: Any) -> str:
    """A value; a sum of whole numbers is one."""
    return f"{found:,.0f}" if isinstance(found, float) and found.is_integer() else str(found)


def _stored(standing: Standing, zone: ZoneInfo) -> str:
    if standing.refreshed_at is None:
        return "[yellow]This segment was never brought up to date: run `postilion segments refresh`.[/]"
    stored = f"in since {_at(standing.entered_at, zone)}" if standing.entered_at else "not in"
    line = f"[dim]Stored:[/] {stored}[dim], last built {_at(standing.refreshed_at, zone)}[/]"
    if not standing.is_stored_right:
        line += "\n[yellow]That differs from the verdict now, because it is older: the next refresh puts it right.[/]"
    return line


def _at(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
