"""`postilion check`: everything that is wrong in the project, with file, line and column."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import options_of
from cli.output import AsJson, print_json, say
from core.errors import ExitCode, Severity, display_path

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from console.project import Project
    from core.errors import Fault


def register(app: typer.Typer) -> None:
    app.command("check")(check)


def check(
    context: typer.Context,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE]...", help="Tell only what is wrong in these files.")
    ] = None,
    as_json: AsJson = False,
    as_sarif: Annotated[bool, typer.Option("--sarif", help="Print SARIF 2.1.0, for code hosts.")] = False,
) -> None:
    """Check every file of the project. Exits 1 when there is an error; warnings pass.

    The whole project is read in any case, because files refer to each other. Where a database answers, it is asked
    which events there are and which journeys are in force.
    """
    from console.check import check_project
    from console.checking.data import look
    from console.checking.pinned import check_pins
    from console.checking.sarif import write_sarif
    from console.project import load_project
    from console.segment_costs import check_costs

    if as_json and as_sarif:
        raise typer.BadParameter("--json and --sarif exclude each other: choose one.")
    options = options_of(context)
    folder = options.settings.project_folder
    project = load_project(folder)
    wanted = _wanted(project, files or ())
    seen = look(options.settings)
    checked = check_project(project, seen.in_force, scores=seen.scores or None, seen=seen.events)
    pins = check_pins(checked.project, seen.templates) if seen.templates is not None else ()
    faults = sorted({*checked.faults, *pins, *check_costs(checked.project, options.settings, options.clock.now())})
    faults = [fault for fault in faults if not wanted or fault.file in wanted]
    errors = [fault for fault in faults if fault.severity is Severity.ERROR]
    if as_json:
        print_json([fault.as_dict() for fault in faults])
    elif as_sarif:
        print_json(write_sarif(faults, _below_here(folder)))
    else:
        show_faults(faults)
        say(_summary(len(errors), len(faults) - len(errors), len(wanted) or checked.file_count))
    raise typer.Exit(ExitCode.INPUT if errors else ExitCode.DONE)


def _below_here(folder: Path) -> Path:
    """The way to the project from here, where the repository is taken to begin; none when the project is elsewhere."""
    shown = Path(display_path(folder, Path.cwd()))
    return Path() if shown.is_absolute() else shown


def _wanted(project: Project, files: Sequence[Path]) -> Collection[str]:
    """`files` as faults name them; a path is taken from here, or else from the project's folder."""
    wanted = set()
    for file in files:
        path = file if file.exists() else project.folder / file
        if not path.is_file() or not path.resolve().is_relative_to(project.folder.resolve()):
            raise typer.BadParameter(f"{file} is no file of the project in {project.folder}.")
        wanted.add(display_path(path, project.folder))
    return wanted


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
            line.append(f", {fault.hint}", style="dim")
        console.print(line)


def _summary(error_count: int, warning_count: int, file_count: int) -> str:
    if not error_count and not warning_count:
        return f"[green]✓[/] {_count(file_count, 'file')}, nothing wrong"
    parts = [_count(count, word) for count, word in ((error_count, "error"), (warning_count, "warning")) if count]
    return f"{' and '.join(parts)} in {_count(file_count, 'file')}"


def _count(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
