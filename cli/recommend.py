"""`postilion recommend`: mine association rules, and list those in force."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from cli import recommend_trial
from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say
from core.errors import NotFoundError

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    recommend_trial.register(commands)
    app.add_typer(commands, name="recommend", help="Mine association rules, list those in force, and try the ranking.")


@commands.command("mine")
def mine(context: typer.Context, as_json: AsJson = False) -> None:
    """Mine the orders; the rules are published if they recommend no worse than best sellers and than those in force."""
    from recommender.renew import renew_rules

    with open_workspace(context) as (runtime, _workspace):
        rules = renew_rules(runtime)
    if as_json:
        print_json(asdict(rules))
        return
    say(
        f"[bold]{rules.rule_count:,}[/] rules from {rules.basket_count:,} baskets over {rules.item_count:,} products: "
        f"{rules.status.value}, because {rules.evaluation.verdict}"
    )


@commands.command("rules")
def list_rules(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many to list, the most confident first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List the rules in force in words, with how often they hold and how many times chance that is."""
    from recommender.published import find_published
    from recommender.rule_report import top_rules

    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        published = find_published(connection)
        if published is None:
            raise NotFoundError("no rules are published: import orders and run `postilion recommend mine`.")
        rules = top_rules(connection, published.id, limit)
    if as_json:
        print_json([asdict(rule) for rule in rules])
        return
    print_table(
        f"Bought together (rule set {published.id})",
        ["rule", "baskets", "of 100", "times chance"],
        [(rule.sentence, rule.basket_count, round(100 * rule.confidence), round(rule.lift, 1)) for rule in rules],
    )
