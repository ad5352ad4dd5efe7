"""`postilion webhook-secret`: what a receiver of webhooks verifies our calls with."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say

_NAME = "default"


def register(app: typer.Typer) -> None:
    app.command("webhook-secret")(webhook_secret)


def webhook_secret(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As `secret` of the step has it.")] = _NAME,
    as_json: AsJson = False,
) -> None:
    """Show the secret that signs webhooks. It is derived from the workspace key; a call fits older ones too."""
    from delivery.webhook_signature import secrets_of

    with open_workspace(context) as (runtime, _workspace):
        newest, *_older = secrets_of(runtime.vault.signing_key, runtime.vault.key_version, name)
    if as_json:
        print_json({"name": name, "secret": newest})
    else:
        say(newest)
