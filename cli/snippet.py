"""`postilion snippet`: the HTML with which a shop's pages report what their visitors do."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say
from core.errors import InputError


class Consent(StrEnum):
    GRANTED = "granted"
    REFUSED = "refused"


def register(app: typer.Typer) -> None:
    app.command("snippet")(snippet)


def snippet(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="A public write key: `postilion write-key`.")],
    consent: Annotated[
        Consent | None,
        typer.Option(help="What holds until the page says more. Default: nobody was asked."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the HTML for the pages of the website, with the hash of the script that they may run."""
    from tracking.events.write_keys import WriteKeyKind, find_write_key
    from tracking.snippet.source import integrity, tag

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        found = find_write_key(connection, runtime.vault, key, runtime.clock.now())
    if found is None or found.kind is not WriteKeyKind.PUBLIC:
        raise InputError("this is no public write key: make one with `postilion write-key web --kind public`.")
    html = tag(runtime.settings.public_url, key, consent)
    if as_json:
        print_json({"html": html, "integrity": integrity()})
    else:
        say(html)
