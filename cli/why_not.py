"""`postilion why-not`: why somebody is not in a journey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.beside import say_beside
from cli.context import open_workspace
from cli.output import AsJson, print_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from journeys.explaining.story import Story
    from journeys.why_not import Reason

_MARGIN = 40  # columns of the instants: UTC, and the person's clock


def register(app: typer.Typer) -> None:
    app.command("why-not")(why_not)


def why_not(
    context: typer.Context,
    who: Annotated[
        str, typer.Argument(metavar="PROFILE", help="External id, e-mail address, phone number, or #PROFILE.")
    ],
    journey: Annotated[str, typer.Argument(help="The journey's name.")],
    as_json: AsJson = False,
) -> None:
    """Say why a person did not come into a journey: never at its door, refused, held out, or the journey was not live.

    Told from recorded refusals and the customer's log, each with its instant and with what was found.
    """
    from console.people import get_profile_id
    from journeys.why_not import why_not as ask

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        profile_id = get_profile_id(connection, runtime.vault, workspace, who)
        story, reasons = ask(connection, runtime.vault, workspace, profile_id, journey)
    if as_json:
        told = [{"why": one.why, "text": one.text, "at": one.at, "code": one.code} for one in reasons]
        print_json({"profile": story.profile_id, "journey": journey, "timezone": story.zone.key, "reasons": told})
        return
    _print(story, reasons)


def _print(story: Story, reasons: Sequence[Reason]) -> None:
    from journeys.explaining.clock import capitalised

    whose = "the person's time zone" if story.owns_zone else "no time zone of the person's own"
    about = f"[dim]{story.zone.key} ({whose}); UTC at the left[/]"
    say(f"\n[bold]{story.journey}[/] and profile {story.profile_id}  {about}\n")
    for one in reasons:
        say_beside(_margin(one, story), f"{capitalised(one.text)}.", width=_MARGIN)
    if not reasons:
        say("Nothing is recorded against it: whoever fits comes in with the next round of the engine.")
    if story.passages:
        say(f"\n[dim]What it did with them: `postilion explain '#{story.profile_id}' {story.journey}`.[/]")


def _margin(one: Reason, story: Story) -> str:
    if one.at is None:
        return " " * _MARGIN
    local = one.at.astimezone(story.zone)
    return f"[dim]{one.at:%Y-%m-%d %H:%M}[/]   [cyan]{f'{local:%a} {local.day} {local:%b}, {local:%H:%M}':>18}[/]   "
