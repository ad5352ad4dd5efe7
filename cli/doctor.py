"""`postilion doctor`: whether everything is as it should be, and for what is not, the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import options_of
from cli.output import AsJson, print_json, say
from core.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.doctor.examine import Examined

_SIGNS = {"fine": ("✓", "green"), "note": ("·", "dim"), "warning": ("!", "yellow"), "wrong": ("✗", "red")}


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    context: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody outside this machine.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at keys, clock, database, Prefect, SES and the rest. Exits 1 when something is wrong; nothing is changed."""
    from cli.serving.health import examine_schedules, examine_server
    from console.doctor.examine import Check, examine_all
    from console.doctor.patient import open_patient
    from console.doctor.registry import CHECKS

    options = options_of(context)
    checks = [*CHECKS, Check("Prefect", examine_server), Check("schedules", examine_schedules)]
    with open_patient(options.settings, options.clock, is_offline=offline) as patient:
        examined = list(examine_all(patient, checks))
    if as_json:
        print_json([{"check": one.check, **finding.as_dict()} for one in examined for finding in one.findings])
    else:
        _show(examined)
    raise typer.Exit(ExitCode.INPUT if any(one.is_wrong for one in examined) else ExitCode.DONE)


def _show(examined: Sequence[Examined]) -> None:
    """A table: the sign, the check, what was found, and dimmed below it the way out."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 1))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in examined:
        for place, finding in enumerate(one.findings):
            sign, colour = _SIGNS[finding.level]
            told = Text(finding.text, style="dim" if finding.level == "note" else "")
            if finding.way_out:
                told.append(f"\n{finding.way_out}", style="cyan" if finding.level == "wrong" else "dim")
            table.add_row(Text(sign, f"bold {colour}"), Text("" if place else one.check, "dim"), told)
    Console(highlight=False).print(table)
    say(f"\n{_summary(examined)}")


def _summary(examined: Sequence[Examined]) -> str:
    levels = [finding.level.value for one in examined for finding in one.findings]
    wrong, warned = levels.count("wrong"), levels.count("warning")
    if not wrong and not warned:
        return f"[green]✓[/] {len(examined)} checks, everything is as it should be"
    return f"{len(examined)} checks: {wrong} wrong, {warned} to look at"
