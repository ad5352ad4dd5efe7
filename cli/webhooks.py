"""`postilion webhooks`: the systems that are called with what happens, and how it stands with them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_workspace, parse_instant
from cli.output import AsJson, print_json, print_table, say
from core.errors import NotFoundError, TransientError

if TYPE_CHECKING:
    from customers.workspace import WebhookSpec, Workspace
    from tracking.outgoing.standing import Standing

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(help="As `webhooks` of workspace.yaml has it.")]
_NOW = "now"


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="webhooks", help="Systems that are called with what happens.")


@commands.command("list")
def list_webhooks(context: typer.Context, as_json: AsJson = False) -> None:
    """List them: what was delivered, what waits, and what failed since when."""
    from tracking.outgoing.standing import list_standings

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        found = list_standings(connection, workspace, runtime.clock.now())
    if as_json:
        print_json([_as_dict(one) for one in found])
    elif found:
        rows = [(one.name, one.word, one.event_count, one.waiting, _at(one.delivered_at), one.cause) for one in found]
        print_table("Webhooks", ["name", "state", "delivered", "to look at", "last", "why"], rows)
    else:
        say("There are none: add one under `webhooks` of workspace.yaml.")


@commands.command("secret")
def show_secret(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Show the secret that signs its calls (Standard Webhooks); after a rotation calls fit the older one as well."""
    from tracking.outgoing.signature import secrets_of

    with open_workspace(context) as (runtime, workspace):
        _spec(workspace, name)
        newest, *_older = secrets_of(runtime.vault.signing_key, runtime.vault.key_version, name)
    if as_json:
        print_json({"name": name, "secret": newest})
    else:
        say(newest)


@commands.command("test")
def try_webhook(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Send a signed example, of type `test`, and show the answer. Exit code 1 when it is no success."""
    from tracking.outgoing.trial import call_once

    with open_workspace(context) as (runtime, workspace):
        answer = call_once(runtime, name, _spec(workspace, name))
    if as_json:
        print_json({"name": name, "status": answer.status or None, "cause": answer.cause, "answer": answer.text})
    if not answer.is_success:
        raise TransientError(f"the webhook {name!r} did not take the example: {answer}. {answer.text}".rstrip())
    if not as_json:
        say(f"[green]✓[/] It answered with status {answer.status}.{f' It said: {answer.text}' if answer.text else ''}")


@commands.command("redeliver")
def redeliver(
    context: typer.Context,
    name: Name,
    since: Annotated[
        str, typer.Option(help="Events that came in from this instant on (ISO 8601), or `now`.", metavar="INSTANT")
    ],
) -> None:
    """Go on from another place: send again what came in since then, or with `--since now` leave out what waits."""
    from tracking.outgoing.standing import send_from

    with open_workspace(context) as (runtime, workspace), runtime.database.transaction() as connection:
        _spec(workspace, name)
        count = send_from(connection, name, None if since == _NOW else parse_instant(since))
    say(f"The webhook “{name}” goes on from there: {count:,} events of the log to look at.")


@commands.command("pause")
def pause_webhook(context: typer.Context, name: Name) -> None:
    """Send nothing until it is resumed; nothing is lost meanwhile."""
    from delivery.pauses import BY_HAND, pause
    from tracking.outgoing.endpoints import scope_of

    with open_workspace(context) as (runtime, workspace), runtime.database.transaction() as connection:
        _spec(workspace, name)
        pause(connection, scope_of(name), BY_HAND, runtime.clock.now())
    say(f"Paused. `postilion webhooks resume {name}` lets it go on.")


@commands.command("resume")
def resume_webhook(context: typer.Context, name: Name) -> None:
    """Let it go on at once, where it stood."""
    from delivery.pauses import resume
    from tracking.outgoing.endpoints import let_go_on, scope_of

    with open_workspace(context) as (runtime, workspace), runtime.database.transaction() as connection:
        _spec(workspace, name)
        resume(connection, scope_of(name))
        let_go_on(connection, name)
    say(f"The webhook “{name}” goes on.")


def _spec(workspace: Workspace, name: str) -> WebhookSpec:
    if name not in workspace.webhooks:
        raise NotFoundError(f"workspace.yaml has no webhook {name!r}: see `postilion webhooks list`.")
    return workspace.webhooks[name]


def _at(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC" if instant else "–"


def _as_dict(one: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.word,
        "delivered": one.event_count,
        "waiting": one.waiting,
        "delivered_at": one.delivered_at.isoformat() if one.delivered_at else None,
        "retry_at": one.retry_at.isoformat() if one.retry_at else None,
        "failing_since": one.failing_since.isoformat() if one.failing_since else None,
        "cause": one.cause,
    }
