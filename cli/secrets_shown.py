"""`postilion webhook-secret` and `user-hash-secret`: what the shop's servers check our calls with, and vouch with."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, say

_NAME = "default"


def register(app: typer.Typer) -> None:
    app.command("webhook-secret")(webhook_secret)
    app.command("user-hash-secret")(user_hash_secret)


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


def user_hash_secret(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the secret with which your server vouches for a signed-in user: HMAC-SHA256 of the user id, in hex."""
    from tracking.events.people import user_hash_secret as secret_of

    with open_workspace(context) as (runtime, _workspace):
        secret = secret_of(runtime.vault)
    if as_json:
        print_json({"secret": secret})
    else:
        say(secret)
