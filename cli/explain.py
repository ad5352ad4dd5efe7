"""`postilion explain`: what a journey did with one person, and why, in prose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.beside import say_beside
from cli.context import open_workspace
from cli.output import AsJson, print_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from journeys.explaining.story import Passage, Story
    from journeys.explaining.telling import Line

_MARGIN = 22  # columns of the instants: the day and time in UTC, the person's clock


def register(app: typer.Typer) -> None:
    app.command("explain")(explain)


def explain(
    context: typer.Context,
    who: Annotated[
        str, typer.Argument(metavar="PROFILE", help="External id, e-mail address, phone number, or #PROFILE.")
    ],
    journey: Annotated[str, typer.Argument(help="The journey's name.")],
    all_lines: Annotated[bool, typer.Option("--all", help="Also the lines that another one makes plain.")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell what a journey did with a person, when and why: ways taken, messages sent or not, what is waited for.

    Told from the journal and the send ledger; nothing is asked again. Times are the person's own, UTC stands at the
    margin.
    """
    from console.people import get_profile_id
    from journeys.explaining.telling import explain as tell

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        profile_id = get_profile_id(connection, runtime.vault, workspace, who)
        story, lines = tell(connection, workspace, profile_id, journey)
    if as_json:
        print_json(_document(story, lines))
        return
    _print(story, [line for line in lines if all_lines or not line.is_detail])


def _document(story: Story, lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "profile": story.profile_id,
        "journey": story.journey,
        "timezone": story.zone.key,
        "runs": [_run(story, passage, lines) for passage in story.passages],
        "refusals": [{"at": line.at, "text": line.text, **line.data} for line in lines if line.run == 0],
    }


def _run(story: Story, passage: Passage, lines: Sequence[Line]) -> dict[str, Any]:
    from journeys.explaining.telling import stands

    row = passage.row
    told = [
        {"at": line.at, "kind": line.kind, "step": line.step, "text": line.text, "data": line.data}
        for line in lines
        if line.run == passage.number
    ]
    return {
        "enrolment": row.id,
        "version": row.version,
        "key": row.key,
        "status": row.status,
        "entered_at": row.entered_at,
        "ended_at": row.ended_at,
        "end_reason": row.end_reason,
        "goal_at": row.goal_at,
        "step": row.step,
        "due_at": passage.due_at,
        "now": stands(story, passage),
        "lines": told,
    }


def _print(story: Story, lines: Sequence[Line]) -> None:
    from journeys.explaining.telling import stands

    zone = "the person's time zone" if story.owns_zone else "no time zone of the person's own"
    say(
        f"\n[bold]{story.journey}[/] and profile {story.profile_id}  [dim]{story.zone.key} ({zone}); UTC at the left[/]"
    )
    if not lines:
        say(f"\nNever came to it. Ask `postilion why-not '#{story.profile_id}' {story.journey}`.")
    _print_lines(story, [line for line in lines if line.run == 0])
    for passage in story.passages:
        _print_heading(passage, len(story.passages))
        _print_lines(story, [line for line in lines if line.run == passage.number])
        if now := stands(story, passage):
            say("")
            say_beside(" " * _MARGIN, f"{now}.", width=_MARGIN, style="bold")


def _print_heading(passage: Passage, count: int) -> None:
    row = passage.row
    number = f"Run {passage.number} of {count}, version" if count > 1 else "Version"
    key = f", key {_plain(row.key)}" if row.key else ""
    say(f"\n[bold]{number} {row.version}{key}[/]")


def _print_lines(story: Story, lines: Sequence[Line]) -> None:
    day = None
    for line in lines:
        local = line.at.astimezone(story.zone)
        if local.date() != day:
            day = local.date()
            say(f"{' ' * _MARGIN}[dim]{local:%A} {local.day} {local:%B %Y}[/]")
        say_beside(f"[dim]{line.at:%m-%d %H:%M}[/]   [cyan]{local:%H:%M}[/]   ", f"{line.text}.", width=_MARGIN)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)
