"""`postilion write-key` and `postilion read-key`: what a shop's pages, servers and people identify themselves with."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

group = typer.Typer(help="Make, list, rotate and revoke the keys that events are posted with.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="What it is for, such as web or backend.")]


class Kind(StrEnum):
    PUBLIC = "public"
    SECRET = "secret"


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="write-key")
    app.command("read-key")(read_key)


@group.command("create")
def create(
    context: typer.Context,
    name: Name,
    kind: Annotated[Kind, typer.Option(help="public for browsers, secret for servers.")] = Kind.SECRET,
    limit: Annotated[
        int | None,
        typer.Option(min=0, help="Events a second, 0 for no limit. Default: POSTILION_EVENTS_PER_KEY.", metavar="N"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a write key, to post events with. It is shown once and cannot be read again."""
    _make(context, kind.value, name, as_json, limit)


@group.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List all keys, read keys too; the keys themselves are not stored."""
    from tracking.events.write_keys import list_write_keys

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        keys = list_write_keys(connection)
    now = runtime.clock.now()
    if as_json:
        print_json(keys)
    elif keys:
        rows = []
        for key in keys:
            if key.revoked_at is None:
                state = "in use"
            else:
                word = "good until" if key.revoked_at > now else "ended"
                state = f"{word} {key.revoked_at:%Y-%m-%d %H:%M}"
            limit = "" if key.events_per_second is None else f"{key.events_per_second:,}/s"
            rows.append((key.name, key.kind.value, f"{key.created_at:%Y-%m-%d %H:%M}", limit, state))
        print_table("Keys (UTC)", ["name", "kind", "made", "limit", "state"], rows)
    else:
        say("There is no key yet: `postilion write-key create NAME` makes one.")


@group.command("rotate")
def rotate(
    context: typer.Context,
    name: Name,
    grace: Annotated[
        str, typer.Option(help="So long the key used until now stays good, such as 24h or 30d.", metavar="DURATION")
    ] = "7d",
    as_json: AsJson = False,
) -> None:
    """Make a new key of the same name. The one used until now stays good for the grace period."""
    from core.durations import parse_duration
    from tracking.events.write_keys import rotate_write_key

    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        now = runtime.clock.now()
        until = now + parse_duration(grace).as_elapsed()
        key = rotate_write_key(connection, runtime.vault, name, now=now, until=until)
    if as_json:
        print_json({"name": name, "key": key, "old_key_until": until})
    else:
        good = until.isoformat(timespec="seconds")
        say(f"{key}\n\nThe new key “{name}”. Keep it now: it is not stored. The old one is good until {good}.")


@group.command("revoke")
def revoke(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """End all keys of this name, read keys too. A running server may believe one for half a minute more."""
    from tracking.events.write_keys import revoke_write_key

    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        count = revoke_write_key(connection, name, runtime.clock.now())
    if as_json:
        print_json({"name": name, "revoked": count})
    else:
        say(f"{count:,} {'key' if count == 1 else 'keys'} named “{name}” revoked.")


def read_key(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Who will use it, such as helpdesk.")],
    personal: Annotated[
        bool, typer.Option("--personal", help="May follow events with what is personal in them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a read key, to look customers up with. It is shown once and cannot be read again."""
    _make(context, "personal" if personal else "read", name, as_json)


def _make(context: typer.Context, kind: str, name: str, as_json: bool, limit: int | None = None) -> None:
    from tracking.events.write_keys import create_write_key

    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        now = runtime.clock.now()
        key = create_write_key(connection, runtime.vault, kind=kind, name=name, now=now, events_per_second=limit)
    if as_json:
        print_json({"name": name, "kind": kind, "key": key})
    else:
        noun = "read key" if kind in ("read", "personal") else f"{kind} write key"
        say(f"{key}\n\nThe {noun} “{name}”. Keep it now: it is not stored.")
