"""`postilion preview`: what one person would get, without sending or counting anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say


def register(app: typer.Typer) -> None:
    app.command("preview")(preview)


def preview(
    context: typer.Context,
    template: Annotated[str, typer.Argument(help="The template's name.")],
    profile: Annotated[
        str | None, typer.Option(help="External id, e-mail address or phone number. Default: a sample person.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the HTML part to this file.", metavar="FILE")] = None,
    as_json: AsJson = False,
) -> None:
    """Render a template for a person, as published; nothing is sent and nothing is counted."""
    from dataclasses import asdict

    from campaigns.preview import preview_template
    from console.people import get_profile_id

    with open_workspace(context) as (runtime, workspace):
        profile_id = None
        if profile is not None:
            with runtime.database.read() as connection:
                profile_id = get_profile_id(connection, runtime.vault, workspace, profile)
        rendered = preview_template(runtime, template, profile_id)
    if html is not None:
        html.write_text(rendered.html, encoding="utf-8")
    if as_json:
        print_json(asdict(rendered))
        return
    if rendered.subject:
        say(f"[dim]Subject:[/] [bold]{rendered.subject}[/]")
    if rendered.preheader:
        say(f"[dim]Preheader:[/] {rendered.preheader}")
    typer.echo(f"\n{rendered.text}")
    if html is not None:
        say(f"\nThe HTML part: [bold]{html}[/]")
