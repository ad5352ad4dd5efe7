"""The strongest rules of a rule set in words, and how the set was judged. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from recommender.listed_rules import product_names
from recommender.publish import RuleSet
from recommender.tables import association_rule


@dataclass(frozen=True, slots=True)
class ToldRule:
    """One rule in a customer's words. `confidence` is a share, 0 to 1; `lift` is how many times chance."""

    sentence: str
    basket_count: int
    confidence: float
    lift: float


def top_rules(connection: Connection, rule_set_id: int, count: int = 20) -> list[ToldRule]:
    """The most confident rules of one set, products by name."""
    rows = connection.execute(
        select(association_rule)
        .where(association_rule.c.rule_set_id == rule_set_id)
        .order_by(association_rule.c.rule_no)
        .limit(count)
    ).all()
    names = product_names(connection, {sku for row in rows for sku in (*row.antecedent, row.consequent)})
    return [
        ToldRule(
            f"Who buys {' and '.join(names.get(sku, sku) for sku in row.antecedent)} "
            f"also buys {names.get(row.consequent, row.consequent)}",
            row.basket_count,
            row.confidence,
            row.lift,
        )
        for row in rows
    ]


def tell_rule_set(result: RuleSet, rules: list[ToldRule]) -> str:
    """Markdown for the page of a run."""
    lines = [
        f"# Bought together: {result.rule_count:,} rules from {result.basket_count:,} baskets",
        "",
        f"**{result.status.value.capitalize()}**, because {result.evaluation.verdict}",
        "",
        f"A rule stands on at least {result.min_count:,} baskets and {result.item_count:,} products were looked at.",
    ]
    if rules:
        lines += ["", "| rule | of 100 who buy the first | times chance | baskets |", "| --- | ---: | ---: | ---: |"]
        lines += [
            f"| {_cell(rule.sentence)} | {100 * rule.confidence:.0f} | {rule.lift:.1f} | {rule.basket_count:,} |"
            for rule in rules
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """A product's name may hold what would end the cell."""
    return text.replace("|", "\\|").replace("\n", " ")
