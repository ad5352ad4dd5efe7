"""`postilion messages`: why somebody did not get a message, and sending exactly the unsent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

if TYPE_CHECKING:
    from datetime import datetime

    from delivery.message_account import MessageAccount

_app = typer.Typer(name="messages", no_args_is_help=True, help="Look at single messages, and send the unsent again.")

_SHOWN = (
    *("id", "kind", "channel", "topic", "template", "origin_kind", "origin", "origin_id", "step", "variant"),
    *("status", "reason", "detail", "holds", "attempt_count", "created_at", "due_at", "expires_at", "sent_at"),
    *("ended_at", "delivered_at", "bounced_at", "complained_at", "provider", "provider_id", "profile_id"),
)


def register(app: typer.Typer) -> None:
    app.add_typer(_app)


@_app.command("list")
def list_(
    context: typer.Context,
    origin: Annotated[str | None, typer.Option(help="Of this campaign, journey or launch.", metavar="NAME")] = None,
    who: Annotated[
        str | None, typer.Option("--for", help="Of this person: external id, address or number.", metavar="WHO")
    ] = None,
    status: Annotated[str | None, typer.Option(help="Which stand like this, such as skipped.")] = None,
    reason: Annotated[str | None, typer.Option(help="Which were not sent for this, such as cap.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest messages, with how each stands."""
    from console.people import get_profile_id
    from core.errors import InputError
    from delivery.message_account import list_messages
    from delivery.resend import find_origin
    from delivery.tables import MessageStatus

    if status is not None and status not in set(MessageStatus):
        raise InputError(f"{status!r} is no status: write one of {', '.join(MessageStatus)}.")
    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        found = list_messages(
            connection,
            origin=find_origin(connection, origin) if origin else None,
            profile_id=get_profile_id(connection, runtime.vault, workspace, who) if who else None,
            status=MessageStatus(status) if status else None,
            reason=reason,
            limit=limit,
        )
    if as_json:
        print_json([_document(row) for row in found])
    elif found:
        rows = [
            (row.id, _instant(row.created_at), f"{row.origin_kind} {row.origin}", row.status, row.reason or "")
            for row in found
        ]
        print_table("Messages", ["id", "made (UTC)", "from", "status", "reason"], rows)
    else:
        say("No such message.")


@_app.command("show")
def show(
    context: typer.Context,
    message_id: Annotated[str, typer.Argument(help="Its id, as `messages list` shows it.", metavar="ID")],
    as_json: AsJson = False,
) -> None:
    """One message: why it was not sent, every call to the provider, and what the provider reported."""
    from delivery.message_account import get_account

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        account = get_account(connection, message_id, runtime.clock.now())
    if as_json:
        document = {**_document(account.row), "why": account.why}
        attempts = [dict(one._mapping) for one in account.attempts]
        events = [dict(one._mapping) for one in account.events]
        print_json({**document, "attempts": attempts, "events": events})
    else:
        _tell(account)


@_app.command("resend")
def resend(
    context: typer.Context,
    origin: Annotated[
        str, typer.Argument(help="A campaign, a journey (journey:NAME where both exist) or the id of a launch.")
    ],
    reason: Annotated[
        list[str] | None, typer.Option(help="Only those that were not sent for this; may be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send exactly the unsent again: what failed, or was skipped for a reason that may have passed.

    Nothing that was sent or may have been is sent twice, and consent is asked again.
    """
    from delivery.resend import count_unsent, find_origin, read_reasons, resend_unsent

    reasons = read_reasons(reason or ())
    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        now = runtime.clock.now()
        meant = find_origin(connection, origin)
        again, left = count_unsent(connection, meant, reasons, now)
        if not dry_run:
            resend_unsent(connection, meant, reasons, now)
    if as_json:
        print_json({"again": again, "left": left, "dry_run": dry_run})
        return
    if again or left:
        rows = [(name or "–", again[name], left[name]) for name in sorted(again | left)]
        print_table("Unsent", ["reason", "would go again" if dry_run else "go again", "stay unsent"], rows)
    say(_sum(again.total(), dry_run=dry_run))


def _sum(count: int, *, dry_run: bool) -> str:
    if not count:
        return "Nothing is sent again."
    noun = "message" if count == 1 else "messages"
    if dry_run:
        return f"{count:,} {noun} would be sent again; leave --dry-run out to do it."
    return f"{count:,} {noun} due again: `postilion up` or `postilion deliver` sends what the policy lets pass."


def _tell(account: MessageAccount) -> None:
    row = account.row
    say(f"[bold]{row.status}[/]: {account.why}" + (f" ({row.detail})" if row.detail else "") + "\n")
    facts = [(name, _text(value)) for name in _SHOWN if (value := getattr(row, name)) is not None]
    print_table("Message", ["", ""], facts)
    if account.attempts:
        calls = [
            (one.attempt_no, _instant(one.started_at), one.outcome or "no answer known", one.error_code or "")
            for one in account.attempts
        ]
        print_table("Calls to the provider", ["no.", "at (UTC)", "outcome", "error"], calls)
    if account.events:
        reports = [(_instant(one.occurred_at), one.kind, one.sub_kind or "") for one in account.events]
        print_table("What the provider reported", ["at (UTC)", "what", ""], reports)


def _document(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _SHOWN}


def _text(value: object) -> str:
    if isinstance(value, list):  # what held it
        return "; ".join(f"{one['by']} until {one['until'][:16].replace('T', ' ')}" for one in value)
    return str(value) if not hasattr(value, "isoformat") else _instant(value)


def _instant(at: datetime | Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"
