"""`postilion test`: play the project's tests on a database of their own, and show what came otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import options_of
from cli.output import AsJson, print_json, say
from core.errors import ExitCode

if TYPE_CHECKING:
    from console.project_tests.case import Outcome
    from console.project_tests.compare import Line, Result

_SIGNS = {"as expected": "   ", "missing": "[red] - [/]", "unexpected": "[green] + [/]"}
_WORDS = {"as expected": "", "missing": "[red]expected, and did not happen[/]", "unexpected": "[green]happened[/]"}


def register(app: typer.Typer) -> None:
    app.command("test")(run_tests)


def run_tests(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(help="Which tests; without a name, all.", metavar="TEST")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the files in tests/: who gets which message when, with the real engine and nothing sent.

    Needs no key and no database, and leaves nothing behind. Exits 1 when one fails.
    """
    import tempfile
    from pathlib import Path

    import migrations
    from cli.check import show_faults
    from console.check import check_project
    from console.project import load_project
    from console.project_tests.read import read_cases
    from console.project_tests.run import choose, run_cases
    from core.errors import ConfigError, has_errors
    from core.log import configure_logging

    settings = options_of(context).settings
    configure_logging(settings.log_level)
    project = load_project(settings.project_folder)
    faults = check_project(project).faults
    if has_errors(faults):
        raise ConfigError(faults)
    chosen = choose(read_cases(project)[0], names or ())
    results = []
    with tempfile.TemporaryDirectory(prefix="postilion-test-") as folder:
        template = Path(folder) / "template.db"
        if chosen:
            migrations.upgrade(f"sqlite:///{template}")
        for result in run_cases(chosen, project, template, Path(folder)):
            results.append(result)
            if not as_json:
                _show(result)
    if as_json:
        print_json([_as_dict(result) for result in results])
    else:
        show_faults([fault for fault in faults if fault.file.startswith("tests/")])
        say(_summary(results))
    raise typer.Exit(ExitCode.DONE if all(result.has_passed for result in results) else ExitCode.INPUT)


def _show(result: Result) -> None:
    case = result.case
    if result.has_passed:
        say(f"[green]✓[/] {case.slug}  [dim]{case.name}[/]")
        return
    say(f"[red]✗[/] [bold]{case.slug}[/]  [dim]{case.file}:{case.line}[/]  {case.name}".rstrip())
    if result.cause:
        say(f"    {result.cause}")
    person = None
    for line in result.lines:
        if line.outcome.person != person:
            person = line.outcome.person
            say(f"    {person.replace('_', ' ')} [dim]({case.people[person].zone.key})[/]")
        say(f"    {_SIGNS[line.verdict]}{_line(result, line.outcome)}  {_WORDS[line.verdict]}".rstrip())


def _line(result: Result, outcome: Outcome) -> str:
    """As it stands in the file, by the person's own clock."""
    there = outcome.at.astimezone(result.case.people[outcome.person].zone)
    detail = f"  [dim]{outcome.detail}[/]" if outcome.detail else ""
    return f"{there:%a %Y-%m-%d %H:%M}  {outcome.kind:<8} {outcome.what:<28}{detail}"


def _summary(results: list[Result]) -> str:
    failed = sum(not result.has_passed for result in results)
    if not results:
        return "There is no test yet: write one in tests/, see docs/how-to/test-a-journey.md."
    count = f"{len(results)} test{'' if len(results) == 1 else 's'}"
    return f"[red]{failed} of {count} failed[/]" if failed else f"[green]{count} passed[/]"


def _as_dict(result: Result) -> dict[str, Any]:
    return {
        "test": result.case.slug,
        "file": result.case.file,
        "line": result.case.line,
        "passed": result.has_passed,
        "cause": result.cause,
        "lines": [_line_as_dict(line) for line in result.lines],
    }


def _line_as_dict(line: Line) -> dict[str, Any]:
    one = line.outcome
    return {
        "verdict": line.verdict.value, "at": one.at.isoformat(), "person": one.person, "kind": one.kind,
        "what": one.what, "detail": one.detail,
    }  # fmt: skip
