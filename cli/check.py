"""`postilion check`: everything that is wrong in the project, with file, line and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli.context import options_of
from cli.output import AsJson, print_json, say
from core.errors import ExitCode, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.errors import Fault


def register(app: typer.Typer) -> None:
    app.command("check")(check)


def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Check every file of the project. Exits 1 when there is an error; warnings pass."""
    from console.check import check_project
    from console.project import load_project
    from console.segment_costs import check_costs

    options = options_of(context)
    checked = check_project(load_project(options.settings.project_folder))
    faults = sorted({*checked.faults, *check_costs(checked.project, options.settings, options.clock.now())})
    errors = [fault for fault in faults if fault.severity is Severity.ERROR]
    if as_json:
        print_json([fault.as_dict() for fault in faults])
    else:
        show_faults(faults)
        say(_summary(len(errors), len(faults) - len(errors), checked.file_count))
    raise typer.Exit(ExitCode.INPUT if errors else ExitCode.DONE)


def show_faults(faults: Sequence[Fault]) -> None:
    """One line a fault, in the form that editors and terminals make clickable."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for fault in faults:
        colour = "red" if fault.severity is Severity.ERROR else "yellow"
        line = Text(f"{fault.file}:{fault.line}:{fault.column}: ", style="dim")
        line.append(fault.code, style=f"bold {colour}").append(f" {fault.message}")
        if fault.hint:
            line.append(f"\n    {fault.hint}", style="dim")
        console.print(line)


def _summary(error_count: int, warning_count: int, file_count: int) -> str:
    if not error_count and not warning_count:
        return f"[green]✓[/] {_count(file_count, 'file')}, nothing wrong"
    parts = [_count(count, word) for count, word in ((error_count, "error"), (warning_count, "warning")) if count]
    return f"{' and '.join(parts)} in {_count(file_count, 'file')}"


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
