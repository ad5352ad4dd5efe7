"""`postilion merges`: who may be one person, deciding it, and taking a decision back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, progress, say

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

_PERSON = "External id, e-mail address or phone number."
By = Annotated[str, typer.Option(help="Who decides, for the record.", metavar="NAME")]
PairNumber = Annotated[int, typer.Argument(help="The pair's number in `postilion merges list`.", metavar="ID")]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="merges", help="Two profiles that may be one person.")


@commands.command("list")
def list_pairs(
    context: typer.Context,
    done: Annotated[bool, typer.Option("--done", help="The merges that stand, instead of what waits.")] = False,
    limit: Annotated[int, typer.Option(help="At most so many.", min=1)] = 100,
    as_json: AsJson = False,
) -> None:
    """List the pairs that wait for a decision, oldest first."""
    from customers.merge_reviews import list_reviews
    from customers.merges import list_merges

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        merges = list_merges(connection, limit=limit) if done else []
        reviews = [] if done else list_reviews(connection, limit=limit)
    if as_json:
        print_json([asdict(one) for one in (merges if done else reviews)])
    elif done:
        print_table(
            "Merges that stand",
            ["merge", "remains", "was merged", "cause", "decided by", "at"],
            [
                (
                    str(one.id),
                    str(one.profile_id),
                    str(one.merged_profile_id),
                    one.cause,
                    one.source,
                    f"{one.occurred_at:%Y-%m-%d %H:%M} UTC",
                )
                for one in merges
            ],
        )
    elif reviews:
        print_table(
            "Pairs that may be one person",
            ["pair", "profile", "profile", "reason", "found"],
            [
                (
                    str(one.id),
                    str(one.first_profile_id),
                    str(one.second_profile_id),
                    one.reason,
                    f"{one.found_at:%Y-%m-%d %H:%M} UTC",
                )
                for one in reviews
            ],
        )
    else:
        say("Nothing waits for a decision. `postilion merges find` looks for pairs.")


@commands.command("show")
def show(context: typer.Context, pair: PairNumber, as_json: AsJson = False) -> None:
    """Show both people side by side, with everything that helps to decide."""
    from console.side_by_side import compare
    from customers.merge_reviews import get_review

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        review = get_review(connection, pair)
        lines = compare(connection, runtime.vault, review.first_profile_id, review.second_profile_id)
    if as_json:
        print_json({**asdict(review), "lines": [{**asdict(line), "is_same": line.is_same} for line in lines]})
        return
    print_table(
        f"Pair {pair}: {review.reason}, {review.status}",
        ["", "first", "second", ""],
        [(line.what, line.first, line.second, "=" if line.is_same else "") for line in lines],
    )


@commands.command("accept")
def accept_pair(
    context: typer.Context,
    pair: PairNumber,
    keep: Annotated[
        int | None,
        typer.Option(help="The profile that remains. Default: the one with an external id, else the older."),
    ] = None,
    by: By = "command line",
    as_json: AsJson = False,
) -> None:
    """Merge the two: they are one person."""
    from customers.merge_reviews import accept

    with open_workspace(context) as (runtime, workspace), runtime.database.transaction() as connection:
        merge_id = accept(connection, runtime.vault, workspace, pair, by=by, now=runtime.clock.now(), keep=keep)
    _tell_merge(merge_id, as_json)


@commands.command("keep-apart")
def keep_pair_apart(context: typer.Context, pair: PairNumber, by: By = "command line", as_json: AsJson = False) -> None:
    """Keep the two as they are: they are two people, and are not proposed again."""
    from customers.merge_reviews import keep_apart

    with open_workspace(context) as (runtime, _workspace), runtime.database.transaction() as connection:
        keep_apart(connection, pair, by=by, now=runtime.clock.now())
    if as_json:
        print_json({"pair": pair, "status": "apart"})
    else:
        say(f"Pair {pair} stays two people.")


@commands.command("make")
def make(
    context: typer.Context,
    profile: Annotated[str, typer.Argument(help=f"Who remains. {_PERSON}")],
    other: Annotated[str, typer.Argument(help=f"Who becomes part of it. {_PERSON}")],
    by: By = "command line",
    as_json: AsJson = False,
) -> None:
    """Merge two people by hand."""
    from console.people import get_profile_id
    from customers.merge_reviews import merge_by_hand

    with open_workspace(context) as (runtime, workspace), runtime.database.transaction() as connection:
        survivor, merged = (get_profile_id(connection, runtime.vault, workspace, typed) for typed in (profile, other))
        now = runtime.clock.now()
        merge_id = merge_by_hand(connection, runtime.vault, workspace, survivor, merged, by=by, now=now)
    _tell_merge(merge_id, as_json)


@commands.command("undo")
def undo_merge(
    context: typer.Context,
    merge: Annotated[int, typer.Argument(help="Its number in `postilion merges list --done`.")],
    by: By = "command line",
    as_json: AsJson = False,
) -> None:
    """Split what a merge made one: everything goes back to whom it belonged to."""
    from customers.merge_reviews import undo

    with open_workspace(context) as (runtime, workspace), runtime.database.transaction() as connection:
        split_id = undo(connection, runtime.vault, workspace, merge, by=by, now=runtime.clock.now())
    if as_json:
        print_json({"merge": merge, "split": split_id})
    else:
        say(f"Merge {merge} is undone: the two are two people again, and are not proposed any more.")


@commands.command("find")
def find(context: typer.Context, as_json: AsJson = False) -> None:
    """Go over every address, and put whoever may be one person into the queue."""
    from customers.duplicates import find_duplicates

    read_count = proposed_count = 0
    with open_workspace(context) as (runtime, _workspace), progress("looking for pairs", "addresses") as report:
        after: int | None = 0
        while after is not None:
            with runtime.database.transaction() as connection:
                looked = find_duplicates(connection, runtime.vault, after, runtime.clock.now())
            after = looked.last_id
            read_count += looked.read_count
            proposed_count += looked.proposed_count
            report(read_count, None)
    if as_json:
        print_json({"addresses": read_count, "proposed": proposed_count})
    else:
        say(f"{proposed_count:,} new pairs among {read_count:,} addresses. See `postilion merges list`.")


def _tell_merge(merge_id: int, as_json: bool) -> None:
    if as_json:
        print_json({"merge": merge_id})
    else:
        say(f"They are one person now. `postilion merges undo {merge_id}` takes it back.")
