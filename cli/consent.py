"""`postilion consent`: what somebody agreed to, with the proof, and what they say by other ways than the web."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import open_workspace, parse_instant
from cli.output import AsJson, print_json, print_table, say

if TYPE_CHECKING:
    from datetime import datetime

    from customers.consent import ConsentStatus
    from customers.consent_history import ConsentEntry

_app = typer.Typer(name="consent", no_args_is_help=True, help="Show, grant and withdraw consent, with its proof.")

Who = Annotated[str, typer.Argument(help="External id, e-mail address or telephone number.")]
Channel = Annotated[str, typer.Argument(help="email, sms, voice … or tracking.")]
Topic = Annotated[str, typer.Argument(help="A topic of the workspace, or * for the whole channel.")]
Source = Annotated[str, typer.Option(help="How we know, such as “form at the counter, box 12”.")]
At = Annotated[str | None, typer.Option(help="When it was said (ISO 8601). Default: now.", metavar="INSTANT")]
TextVersion = Annotated[str | None, typer.Option(help="Which wording they saw.", metavar="NAME")]


def register(app: typer.Typer) -> None:
    app.add_typer(_app)


@_app.command("show")
def show(context: typer.Context, who: Who, as_json: AsJson = False) -> None:
    """What holds now, and every entry behind it: who, when, what, by which words, on what ground, by which source."""
    from console.consents import find_subject, history_of, list_standing

    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        subject = find_subject(connection, runtime, workspace, who)
        history = history_of(connection, subject)
        standing = list_standing(connection, workspace, subject, history, runtime.clock.now())
    if as_json:
        print_json(
            {
                "profile_id": subject.profile_id,
                "standing": [asdict(one) for one in standing],
                "history": [asdict(entry) for entry in history],
            }
        )
        return
    whose = f"Profile {subject.profile_id}" if subject.profile_id else "An address that belongs to nobody known"
    say(f"{whose}\n")
    print_table("What holds now", ["for", "consent"], [(f"{one.channel}.{one.topic}", one.status) for one in standing])
    if not history:
        say("Nothing was ever said about consent.")
        return
    rows = [
        (entry.id, _instant(entry.occurred_at), f"{entry.channel}.{entry.topic}", entry.status, _proof(entry))
        for entry in history
    ]
    print_table("What was said", ["entry", "at (UTC)", "for", "what", "proof"], rows)


@_app.command("grant")
def grant(
    context: typer.Context,
    who: Who,
    channel: Channel,
    topic: Topic,
    source: Source,
    basis: Annotated[str, typer.Option(help="opt_in, double_opt_in, soft_opt_in, casl_implied or contract.")],
    text_version: TextVersion = None,
    at: At = None,
    expires: Annotated[
        str | None, typer.Option(help="Until when it lasts (ISO 8601), where the law wants an end.", metavar="INSTANT")
    ] = None,
) -> None:
    """Record that somebody agreed. Without a proof of it, leave it."""
    from core.errors import InputError
    from customers.consent import Basis, ConsentStatus

    try:
        ground = Basis(basis)
    except ValueError:
        raise InputError(f"{basis!r} is no ground for a consent: write one of {', '.join(Basis)}.") from None
    _state(context, who, channel, topic, source, ConsentStatus.GRANTED, at, ground, text_version, expires)


@_app.command("withdraw")
def withdraw(
    context: typer.Context,
    who: Who,
    channel: Channel,
    topic: Topic,
    source: Source,
    text_version: TextVersion = None,
    at: At = None,
) -> None:
    """Record that somebody does not want it any more; * leaves the whole channel."""
    from customers.consent import ConsentStatus

    _state(context, who, channel, topic, source, ConsentStatus.WITHDRAWN, at, None, text_version, None)


def _state(
    context: typer.Context,
    who: str,
    channel: str,
    topic: str,
    source: str,
    status: ConsentStatus,
    at: str | None,
    basis: object,
    text_version: str | None,
    expires: str | None,
) -> None:
    from console.consents import Statement, state_consent
    from customers.consent import Basis, consent_of
    from customers.imports.consent_words import address_kind

    with open_workspace(context) as (runtime, workspace), runtime.database.transaction() as connection:
        now = runtime.clock.now()
        statement = Statement(
            channel,
            topic,
            status,
            source,
            parse_instant(at) if at else now,
            Basis(str(basis)) if basis else None,
            text_version,
            parse_instant(expires) if expires else None,
        )
        subject = state_consent(connection, runtime, workspace, who, statement)
        lookup = subject.lookups[address_kind(channel)]
        state = consent_of(connection, channel, topic, [lookup], now)[lookup]
    say(f"[green]✓[/] recorded; {channel}.{topic} is now [bold]{state}[/]")


def _proof(entry: ConsentEntry) -> str:
    """How it is known, on what ground, by which words, until when, and when it was written down."""
    parts = [
        entry.source,
        f"ground {entry.basis}" if entry.basis else "",
        f"wording {entry.text_version}" if entry.text_version else "",
        f"until {_instant(entry.expires_at)}" if entry.expires_at else "",
        f"recorded {_instant(entry.recorded_at)}",
    ]
    return ", ".join(filter(None, parts))


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
