"""`postilion recommend evaluate` and `status`: how good the ranking is, and how the rules stand."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say

if TYPE_CHECKING:
    from recommender.evaluation.comparison import SurfaceComparison

_TITLES = {
    "basket": "Basket: completing a basket of which up to five products are seen",
    "product": "Product page: what else is bought with one product",
    "mail": "Mail: what a customer buys next that they never bought",
    "replenishment": "Replenishment: what a customer buys next, also again",
}
_COLUMNS = ("hit rate", "NDCG", "recall", "coverage", "novelty, bits")


def register(commands: typer.Typer) -> None:
    commands.command("evaluate")(evaluate)
    commands.command("status")(status)


def evaluate(
    context: typer.Context,
    test_from: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="Learn before this day (UTC), ask about the orders from it."),
    ] = None,
    surface: Annotated[list[str] | None, typer.Option(help="basket, product, mail or replenishment; default all.")] = (
        None
    ),
    questions: Annotated[int, typer.Option(min=1, help="At most so many on each surface.")] = 3000,
    seed: Annotated[int, typer.Option(help="Which questions are drawn.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Try the ranking on the shop's own later orders, at ten proposals, beside best sellers and known methods.

    Weights are chosen among the earlier orders only. ALS takes part where the library `implicit` is installed. Nothing
    is published.
    """
    from recommender.evaluation.questions import Surface
    from recommender.evaluation.trial import hold_trial

    unknown = [word for word in surface or () if word not in list(Surface)]
    if unknown:
        raise typer.BadParameter(f"there is no surface '{unknown[0]}': use {', '.join(Surface)}.")
    surfaces = [Surface(word) for word in surface] if surface else list(Surface)
    cut = test_from.replace(tzinfo=UTC) if test_from else None
    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        trial = hold_trial(
            connection, runtime.clock.now(), cut=cut, surfaces=surfaces, most=questions, seed=seed
        )  # fmt: skip
    if as_json:
        print_json(asdict(trial))
        return
    weights = trial.weights
    say(
        f"Learnt from [bold]{trial.learnt_count:,}[/] baskets before {trial.cut:%Y-%m-%d %H:%M} UTC, asked about "
        f"{trial.later_count:,} from then on. Weights: basket {weights.basket:g}, given {weights.given:g}, "
        f"other {weights.other:g}."
    )
    for compared in trial.surfaces:
        _print(compared)


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Say which rules are in force, how old they are, and why the last mining was refused if it was."""
    from recommender.state import rules_standing

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        standing = rules_standing(connection, runtime.clock.now())
    if as_json:
        print_json(asdict(standing))
        return
    say(f"[bold]{standing.state.value}[/]: {standing.told}")


def _print(compared: SurfaceComparison) -> None:
    title = f"{_TITLES[compared.surface]} ({compared.question_count:,} questions)"
    if not compared.figures:
        say(f"[bold]{title}[/]: nothing could be asked; no later order names products that were known before.\n")
        return
    print_table(
        title,
        ["method", *_COLUMNS],
        [
            (name, one.hit_rate, one.ndcg, one.recall, one.coverage, one.novelty)
            for name, one in compared.figures.items()
        ],
    )
