"""`postilion recommend`: mine association rules, and list those in force."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli import recommend_offers, recommend_rules, recommend_trial
from cli.context import open_workspace
from cli.output import AsJson, print_json, say

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    recommend_rules.register(commands)
    recommend_trial.register(commands)
    recommend_offers.register(commands)
    app.add_typer(commands, name="recommend", help="Mine association rules, list those in force, and try the ranking.")


@commands.command("mine")
def mine(
    context: typer.Context,
    engine: Annotated[
        str, typer.Option(help="auto, eclat, mlxtend, pyfim or spark: all find the same rules.")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Mine the orders; the rules are published if they recommend no worse than best sellers and than those in force."""
    from recommender.mining.choice import get_engine
    from recommender.parameters import RuleParameters
    from recommender.renew import renew_rules

    parameters = RuleParameters(engine=get_engine(engine))
    with open_workspace(context) as (runtime, _workspace):
        rules = renew_rules(runtime, parameters)
    if as_json:
        print_json(asdict(rules))
        return
    say(
        f"[bold]{rules.rule_count:,}[/] rules from {rules.basket_count:,} baskets over {rules.item_count:,} products: "
        f"{rules.status.value}, because {rules.evaluation.verdict}"
    )
