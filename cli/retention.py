"""`postilion retention`: what is older than workspace.yaml says, and letting go of it now instead of at night."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

if TYPE_CHECKING:
    from console.retention import Gone


def register(app: typer.Typer) -> None:
    app.command("retention")(retention)


def retention(
    context: typer.Context,
    apply: Annotated[bool, typer.Option("--apply", help="Let go of it now.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what would go tonight; with --apply it goes now. `retention:` in workspace.yaml says how long is what."""
    from console.retention import find_old, keep_retention

    with open_workspace(context) as (runtime, workspace):
        now = runtime.clock.now()
        if apply:
            kept = keep_retention(runtime, now)
            gone, is_all = kept.gone, kept.is_all
        else:
            with runtime.database.read() as connection:
                gone, is_all = tuple(find_old(connection, workspace, now)), True
    if as_json:
        print_json({"applied": apply, "is_all": is_all, "gone": gone})
    else:
        _tell(gone, is_all, apply)


def _tell(gone: Sequence[Gone], is_all: bool, applied: bool) -> None:
    if not gone:
        say("workspace.yaml has no `retention`: everything is kept as long as its profile.")
        return
    rows = [(one.word, one.words, f"{one.before:%Y-%m-%d}" if one.before else None, one.count) for one in gone]
    print_table("Let go of" if applied else "Would go", ["word", "what", "older than", "rows"], rows)
    if not is_all:
        say("There is more: it goes with the next runs.")
