"""`postilion write-key`: the keys with which a shop's pages and servers post events."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say


class Kind(StrEnum):
    PUBLIC = "public"
    SECRET = "secret"


def register(app: typer.Typer) -> None:
    app.command("write-key")(write_key)


def write_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for, such as web or backend.")],
    kind: Annotated[Kind, typer.Option(help="public for browsers, secret for servers.")] = Kind.SECRET,
    as_json: AsJson = False,
) -> None:
    """Make a write key. It is shown once and cannot be read again."""
    from tracking.write_keys import create_write_key

    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        key = create_write_key(connection, runtime.vault, kind=kind.value, name=name, now=runtime.clock.now())
    if as_json:
        print_json({"name": name, "kind": kind.value, "key": key})
    else:
        say(f"{key}\n\nThe {kind.value} write key “{name}”. Keep it now: it is not stored.")
