"""`postilion recommend codes` and `lift`: the voucher codes of offers, and what an offer was worth."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from recommender.lift import Difference, OfferLift

_AT_ONCE = 50_000  # codes of one transaction; whoever was interrupted imports the file again

codes = typer.Typer(help="Fill pools of voucher codes, and see how they stand.", no_args_is_help=True)


def register(commands: typer.Typer) -> None:
    commands.add_typer(codes, name="codes")
    commands.command("lift")(lift)


@codes.command("import")
def import_(
    context: typer.Context,
    pool: Annotated[str, typer.Argument(help="The pool, as offers name it; made where there is none.")],
    file: Annotated[Path, typer.Argument(help="One code on each line; - reads standard input.")],
    column: Annotated[str | None, typer.Option(help="The file is a CSV, and the codes stand in this column.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add codes to a pool. One that the pool has already is passed over, so that a file may be imported again."""
    from itertools import islice

    from recommender.codes.code_file import read_codes
    from recommender.codes.pools import import_codes

    new_count = known_count = 0
    with open_workspace(context) as (runtime, _workspace), _opened(file) as lines:
        waiting = read_codes(lines, column)
        while some := list(islice(waiting, _AT_ONCE)):
            with runtime.database.transaction() as connection:
                done = import_codes(connection, runtime.vault, pool, some, runtime.clock.now())
            new_count, known_count = new_count + done.new_count, known_count + done.known_count
    if as_json:
        print_json({"pool": pool, "new_count": new_count, "known_count": known_count})
        return
    known = f", {known_count:,} it had already" if known_count else ""
    say(f"[green]✓[/] {new_count:,} new codes in the pool [bold]{pool}[/]{known}")


@codes.command("status")
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show each pool: how many codes are free, and how long they last at the pace of the last seven days."""
    from recommender.codes.alarm import is_low, pools_in_use
    from recommender.codes.pools import list_pools

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        pools, used = list_pools(connection, runtime.clock.now()), pools_in_use(connection)
    missing = sorted(used - {pool.name for pool in pools})
    if as_json:
        rows = [asdict(pool) | {"days_left": pool.days_left, "is_low": is_low(pool)} for pool in pools]
        print_json({"pools": rows, "missing": missing})
        return
    if pools:
        print_table(
            "Voucher codes",
            ["pool", "codes", "free", "drawn", "given", "drawn in 7 days", "days left", ""],
            [
                (
                    pool.name,
                    pool.code_count,
                    pool.free_count,
                    pool.drawn_count,
                    pool.given_count,
                    pool.drawn_lately,
                    "–" if pool.days_left is None else f"{pool.days_left:,.1f}",
                    "empty" if not pool.free_count else "low" if is_low(pool) else "",
                )
                for pool in pools
            ],
        )
    for name in missing:
        say(
            f"An offer draws from the pool [bold]{name}[/], which has no codes: "
            f"import some with `postilion recommend codes import {name} FILE`."
        )
    if not pools and not missing:
        say("There is no pool of codes, and no live offer draws from one.")


def lift(
    context: typer.Context,
    offer: Annotated[list[str] | None, typer.Argument(help="Offers; all of them without a name.")] = None,
    start: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day (UTC) of the decisions; default 30 days ago."),
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Up to but not including this day (UTC).")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=365, help="Orders count for so many days after the decision.")] = 7,
    currency: Annotated[str | None, typer.Option(help="Orders in this currency; default the workspace's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what offers were worth in orders and money, beside the people held out who saw best sellers.

    Differences are of one person, with their 95 % interval; *more* is what all who saw the offer ordered beyond that.
    """
    with open_workspace(context) as (runtime, workspace), runtime.database.read() as connection:
        now = runtime.clock.now()
        until = end.replace(tzinfo=UTC) if end else now
        since = start.replace(tzinfo=UTC) if start else until - timedelta(days=30)
        found = _measure(
            connection, offer or None, since, until, (currency or workspace.currency).upper(), timedelta(days=days)
        )
    if as_json:
        print_json(
            [asdict(one) | {"extra_orders": one.extra_orders, "extra_revenue": one.extra_revenue} for one in found]
        )
        return
    if not found:
        say(f"Nothing was offered to anybody from {since:%Y-%m-%d} to {until:%Y-%m-%d}.")
        return
    _show(found, since, until, days)


def _measure(
    connection: Connection,
    named: list[str] | None,
    since: datetime,
    until: datetime,
    currency: str,
    window: timedelta,
) -> list[OfferLift]:
    from core.definitions import list_definitions
    from recommender.lift import measure_lift
    from recommender.offer_definition import KIND, get_offer

    offers = [get_offer(connection, slug) for slug in named or [one.slug for one in list_definitions(connection, KIND)]]
    found = [
        measure_lift(
            connection,
            one.slug,
            start=since,
            end=until,
            currency=currency,
            window=window,
            holdout=one.recommend.holdout,
        )
        for one in offers
    ]
    return [one for one in found if named or one.treated.profile_count or one.held_out.profile_count]


def _show(found: list[OfferLift], since: datetime, until: datetime, days: int) -> None:
    from campaigns.reporting import wording

    def money(value: float) -> str:
        return wording.money(value, found[0].currency)

    def told(difference: Difference | None, write: Any) -> str:
        return "–" if difference is None else wording.interval(difference, write)

    print_table(
        f"What offers were worth, {since:%Y-%m-%d} to {until:%Y-%m-%d}, orders within {days} days",
        ["offer", "saw it", "held out", "orders each", "money each", "more orders", "more money"],
        [
            (
                one.offer,
                one.treated.profile_count,
                one.held_out.profile_count,
                told(one.orders, lambda value: f"{value:.3f}"),
                told(one.revenue, money),
                told(one.extra_orders, lambda value: f"{value:,.0f}"),
                told(one.extra_revenue, money),
            )
            for one in found
        ],
    )
    for one in found:
        if one.odd_split is not None:
            say(
                f"[bold]{one.offer}[/]: arms of these sizes are not chance ({one.odd_split:.0e}). The share held out "
                "was changed meanwhile, or people are lost on one side: compare from the change on."
            )
        if one.orders is None:
            say(f"[bold]{one.offer}[/]: nothing to compare with, because fewer than two people were held out.")


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    if str(file) == "-":
        yield sys.stdin
        return
    from core.errors import NotFoundError

    if not file.is_file():
        raise NotFoundError(f"there is no file {file}.")
    with file.open(encoding="utf-8", newline="") as lines:
        yield lines
