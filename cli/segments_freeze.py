"""`postilion segments freeze`: who is in a segment, or would have been at an instant, as a list that stays."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.context import open_workspace, parse_instant
from cli.output import AsJson, print_json, say

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")


def freeze(
    context: typer.Context,
    segment: Annotated[str, typer.Argument(help="The segment's name.")],
    name: Annotated[str, typer.Option("--as", help="The list's name.", metavar="LIST")],
    at: Annotated[
        str | None, typer.Option(help="As it would have been at this instant.", metavar="INSTANT", show_default="now")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Take off the list who is on it now.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run it however much it costs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put the members of a segment on a static list. What has a date counts as of then, attributes as they are now."""
    from core.errors import InputError
    from segments.definition import get_segment, load_segments
    from segments.freeze import freeze as freeze_segment

    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' is no name for a list: use small letters, digits and _, such as spring_2026.")
    with open_workspace(context) as (runtime, workspace):
        with runtime.database.read() as connection:
            found, segments = get_segment(connection, segment), load_segments(connection)
        as_of = parse_instant(at) if at else runtime.clock.now()
        done = freeze_segment(runtime, workspace, found, segments, name, as_of, replaces=replace, is_forced=force)
        file = runtime.settings.project_folder / "lists" / f"{name}.yaml"
        is_new = _write(file, name, f"{found.name}, as of {as_of:%Y-%m-%d %H:%M} UTC")
    if as_json:
        print_json(asdict(done) | {"file": str(file), "is_new": is_new})
        return
    when = f"{as_of:%-d %b %Y %H:%M} UTC"
    say(f"[green]✓[/] {done.members:,} people are on the list [bold]{name}[/]: {segment} as of {when}")
    if at:
        say("  [dim]Events and messages count as of then; attributes, addresses and consents as they are now.[/]")
    if is_new:
        say(f"  Made lists/{name}.yaml: run `postilion apply`, then conditions can ask for it.")


def _write(file: Path, name: str, words: str) -> bool:
    """The list's file, unless there is one; answers whether it was made."""
    if file.exists():
        return False
    file.parent.mkdir(exist_ok=True)
    quoted = words.replace("\\", "\\\\").replace('"', '\\"')
    file.write_text(f'list: {name}\nname: "{quoted}"\n', encoding="utf-8")
    return True
