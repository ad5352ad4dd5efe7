"""`postilion write-key` and `postilion read-key`: what a shop's pages, servers and people identify themselves with."""

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
    app.command("read-key")(read_key)


def write_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for, such as web or backend.")],
    kind: Annotated[Kind, typer.Option(help="public for browsers, secret for servers.")] = Kind.SECRET,
    as_json: AsJson = False,
) -> None:
    """Make a write key, to post events with. It is shown once and cannot be read again."""
    _make(context, kind.value, name, as_json)


def read_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who will use it, such as helpdesk.")],
    as_json: AsJson = False,
) -> None:
    """Make a read key, to look customers up with. It is shown once and cannot be read again."""
    _make(context, "read", name, as_json)


def _make(context: typer.Context, kind: str, name: str, as_json: bool) -> None:
    from tracking.write_keys import create_write_key

    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        key = create_write_key(connection, runtime.vault, kind=kind, name=name, now=runtime.clock.now())
    if as_json:
        print_json({"name": name, "kind": kind, "key": key})
    else:
        noun = "read key" if kind == "read" else f"{kind} write key"
        say(f"{key}\n\nThe {noun} “{name}”. Keep it now: it is not stored.")
