"""`postilion accounts`: companies that customers belong to, and who plays which part in them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="accounts", help="Companies, and their members.")


@commands.command("list")
def list_all(
    context: typer.Context,
    after: Annotated[str, typer.Option(help="Only keys behind this one.", metavar="KEY", show_default=False)] = "",
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """List the accounts in the order of their keys."""
    from customers.accounts import list_accounts

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        accounts = list_accounts(connection, after=after, limit=limit)
    if as_json:
        print_json([asdict(one) for one in accounts])
    elif accounts:
        print_table("Accounts", ["key", "name", "country"], [(one.key, one.name, one.country) for one in accounts])
    else:
        say("There is no account. Imports and group calls make them.")


@commands.command("show")
def show(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="The shop's own key of the account.")],
    past: Annotated[bool, typer.Option("--past", help="Also those who left.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show an account with its members and their roles in the buying centre."""
    from customers.accounts import get_account, members_of

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        account = get_account(connection, key)
        members = members_of(connection, account.id, past=past)
    if as_json:
        people = [{name: value for name, value in asdict(one).items() if name != "account"} for one in members]
        print_json({**asdict(account), "members": people})
        return
    about = ", ".join(f"{name}: {value}" for name, value in sorted(account.attributes.items()))
    print_table(
        f"{account.name} ({account.key})" + (f", {about}" if about else ""),
        ["profile", "role", "since", "until"],
        [
            (str(one.profile_id), one.role, f"{one.since:%Y-%m-%d}", f"{one.until:%Y-%m-%d}" if one.until else None)
            for one in members
        ],
    )
