"""`postilion lists`: the static lists, how many people are on each, and taking one away."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="lists", help="Static lists: who was put on one, by a file or from a segment.")


@commands.command("list")
def list_lists(context: typer.Context, as_json: AsJson = False) -> None:
    """List the static lists with their size and where they come from."""
    from customers.list_catalogue import read_lists

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        lists = read_lists(connection)
    if as_json:
        print_json([asdict(one) for one in lists])
        return
    if not lists:
        say("There is no list: import one, or freeze a segment with `postilion segments freeze`.")
        return
    rows = [
        (
            one.name,
            one.members,
            f"{one.last_added_at:%Y-%m-%d}" if one.last_added_at else "–",
            f"{one.frozen.segment} v{one.frozen.version}, {one.frozen.as_of:%Y-%m-%d}" if one.frozen else "–",
            "" if one.is_published else "not published",
        )
        for one in lists
    ]
    print_table("Lists", ["list", "members", "last added", "frozen from", ""], rows)


@commands.command("drop")
def drop(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The list's name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take everybody off a list. Its file stays until you delete it."""
    from core.errors import NotFoundError
    from core.suggest import did_you_mean
    from customers.list_catalogue import drop_list, read_lists

    with open_workspace(context) as (runtime, _workspace):
        with runtime.database.read() as connection:
            known = {one.name: one for one in read_lists(connection)}
        if name not in known:
            raise NotFoundError(
                f"there is no list '{name}': {did_you_mean(name, known) or 'see `postilion lists list`'}."
            )
        if not yes:
            typer.confirm(f"Take {known[name].members:,} people off the list {name}?", abort=True, err=True)
        with runtime.database.transaction() as connection:
            count = drop_list(connection, name)
    if as_json:
        print_json({"list": name, "removed": count})
        return
    say(f"[green]✓[/] {count:,} people were taken off {name}")
