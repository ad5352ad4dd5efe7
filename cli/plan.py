"""`postilion plan`: what `postilion apply` would change, with the people it is about. Nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import options_of
from cli.output import AsJson, print_json, say
from core.errors import ExitCode, InputError

if TYPE_CHECKING:
    from console.plan import JourneyChange, Plan
    from console.publish import Change
    from journeys.places import Moving
    from journeys.step_changes import StepChange

_SIGNS = {"new": "[green]+[/]", "changed": "[yellow]~[/]", "withdrawn": "[red]-[/]"}
_STEP_SIGNS = {"added": "[green]+[/]", "changed": "[yellow]~[/]", "removed": "[red]-[/]"}


def register(app: typer.Typer) -> None:
    app.command("plan")(plan)


def plan(
    context: typer.Context,
    moves: Annotated[bool, typer.Option("--migrate", help="Plan for `apply --migrate`.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what `apply` would change, file by file and step by step, and how many people it is about.

    Exits 1 when `apply` would refuse it.
    """
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from cli.check import show_faults
    from console.plan import make_plan
    from console.project import load_project, read_workspace_slug
    from core.log import configure_logging
    from core.runtime import open_runtime

    options = options_of(context)
    settings = options.settings
    configure_logging(settings.log_level)
    project = load_project(settings.project_folder)
    slug = read_workspace_slug(settings.project_folder)
    with open_runtime(settings, slug, options.clock) as runtime:
        try:
            planned = make_plan(runtime, project, runtime.clock.now(), moves=moves)
        except (OperationalError, ProgrammingError):
            raise InputError(
                "the database is not up to date, so nobody can tell what would change: run `postilion apply`."
            ) from None
    if as_json:
        print_json(planned.as_dict())
    else:
        _show(planned, moves=moves)
        show_faults(planned.faults)
        say(_summary(planned, moves=moves))
    raise typer.Exit(ExitCode.INPUT if planned.is_refused else ExitCode.DONE)


def _show(planned: Plan, *, moves: bool) -> None:
    journeys = {one.slug: one for one in planned.journeys}
    segments = {one.slug: one for one in planned.segments}
    for change in planned.changed:
        note = _note(change)
        if change.kind == "segment" and change.slug in segments:
            note = _members(segments[change.slug].before, segments[change.slug].after, is_new=change.what == "new")
        say(f"  {_SIGNS[change.what]} {change.kind:<10} [bold]{change.slug:<24}[/] {note}".rstrip())
        if change.kind == "journey":
            _show_journey(journeys[change.slug], change, moves=moves)
    changed = {change.slug for change in planned.changed if change.kind == "journey"}
    for one in planned.journeys:
        if one.slug not in changed:
            say(f"  [dim]=[/] {'journey':<10} [bold]{one.slug:<24}[/] unchanged since version {one.version}")
            _show_moving(one, one.version)


def _note(change: Change) -> str:
    return f"version {change.version} → {change.version + 1}" if change.what == "changed" else change.what


def _members(before: int, after: int | None, *, is_new: bool) -> str:
    if after is None:
        return "new" if is_new else f"{before:,} people so far"
    return f"new, {after:,} people" if is_new else f"{before:,} → {after:,} people"


def _show_journey(one: JourneyChange, change: Change, *, moves: bool) -> None:
    for words in one.keys:
        say(f"      [yellow]~[/] {_plain(words)}")
    for step in one.steps:
        say(f"      {_STEP_SIGNS[step.what]} {_step(step, one.at_step.get(step.step, 0))}")
    people = sum(one.inside.values())
    if moves and change.what == "changed":
        _show_moving(one, change.version + 1)
    elif people:
        say(f"      [dim]{_people(people)} inside:[/] {_what_becomes_of_them(one, change)}")


def _show_moving(one: JourneyChange, version: int) -> None:
    """Who goes over to `version`, from which place to which."""
    if not one.moving:
        return
    count = sum(moving.count for moving in one.moving)
    goes = "goes" if count == 1 else "go"
    say(f"      [bold]{_people(count)}[/] inside older versions {goes} on in version {version}:")
    for moving in one.moving:
        say(f"      {moving.count:>10,}  [dim]version {moving.version:<3}[/] {_place(moving)}")


def _place(moving: Moving) -> str:
    if moving.is_held_out:
        return "held out, and stay so"
    if moving.to is None:
        return f"at `{moving.step}` → [red]nowhere[/]"
    return f"at `{moving.step}`" + ("" if moving.to == moving.step else f" → `{moving.to}`")


def _step(step: StepChange, count: int) -> str:
    words = f"{step.label:<16} {_plain(step.words):<44}"
    if not count or step.what == "added":
        return words.rstrip()
    verb = "waits" if count == 1 else "wait"
    return f"{words} [bold]{_people(count)}[/] {verb} at `{step.step}`"


def _what_becomes_of_them(one: JourneyChange, change: Change) -> str:
    if change.what == "withdrawn":
        return "they finish, and nobody enters any more"
    by_version = ", ".join(f"{count:,} version {version}" for version, count in sorted(one.inside.items()))
    return f"they finish what they began ({by_version}); `apply --migrate` moves them over"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def _plain(text: str) -> str:
    """A bracket in somebody's words is no markup."""
    return text.replace("[", r"\[")


def _summary(planned: Plan, *, moves: bool) -> str:
    command = "postilion apply --migrate" if moves else "postilion apply"
    if planned.is_refused:
        return f"[red]✗[/] `{command}` would refuse this: nothing would be published."
    counts = {what: sum(change.what == what for change in planned.changes) for what in _SIGNS}
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    unchanged = len(planned.changes) - len(planned.changed)
    behind = sum(moving.count for one in planned.journeys for moving in one.moving)
    if not said and behind:
        goes = "goes" if behind == 1 else "go"
        return f"{unchanged} unchanged, {_people(behind)} {goes} over. Nothing was written: `{command}` does it."
    if not said:
        return f"[green]✓[/] nothing to do: {unchanged} unchanged"
    return f"{said}, {unchanged} unchanged. Nothing was written: `{command}` does it."
