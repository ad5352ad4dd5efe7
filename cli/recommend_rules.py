"""`postilion recommend rules`: the rules in force, how sure each is, as table, CSV, JSON and picture."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from cli.context import open_workspace
from cli.output import AsJson, print_json, print_table, say
from core.errors import ConflictError, InputError, NotFoundError

if TYPE_CHECKING:
    from recommender.listed_rules import Figure, ListedRule, RuleList

_SHOWN = 20
_WIDE = 110  # columns
_FIGURES = ("support", "confidence", "lift")


def register(commands: typer.Typer) -> None:
    commands.command("rules")(rules)


def rules(
    context: typer.Context,
    product: Annotated[str | None, typer.Option(help="Only rules with this product: a sku, or a part of a name.")] = (
        None
    ),
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Only rules that hold so often, as a share.")] = 0,
    min_lift: Annotated[float, typer.Option(min=0, help="Only rules at least so many times chance.")] = 0,
    min_count: Annotated[int, typer.Option(min=0, help="Only rules that so many baskets hold.")] = 0,
    max_q: Annotated[
        float, typer.Option("--max-q", min=0, max=1, help="Only rules with a q-value up to this, such as 0.05.")
    ] = 1,
    sort: Annotated[str, typer.Option(help="confidence, lift, support or chance (the least likely accident).")] = (
        "confidence"
    ),
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"How many at the most; default {_SHOWN}, in files all.")
    ] = None,
    to_csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write the rules to a file; - is standard output.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw support against confidence: FILE.svg or FILE.png.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the rules in force: how often they hold, how many times chance that is, and how sure both are.

    Intervals are of 95 %: Wilson's for support and confidence, on the logarithm for lift. The chance is Fisher's exact
    test to one side; the q-value corrects it for all rules that were tried (Benjamini and Hochberg): among the rules
    with q up to 0.05, about one in twenty is an accident.
    """
    from recommender.listed_rules import Order, Wanted, list_rules, pick
    from recommender.published import find_published
    from recommender.rule_plot import check_format, draw_rules

    if sort not in tuple(Order):
        raise InputError(f"rules cannot be sorted by {sort!r}: take one of {', '.join(Order)}.")
    if plot is not None:
        check_format(plot)
    for file in (to_csv, plot):
        _check_place(file, replace)
    with open_workspace(context) as (runtime, _workspace), runtime.database.read() as connection:
        published = find_published(connection)
        if published is None:
            raise NotFoundError("no rules are published: import orders and run `postilion recommend mine`.")
        listed = list_rules(connection, published)
    wanted = Wanted(product, min_confidence, min_lift, min_count, max_q)
    found = pick(listed.rules, wanted, Order(sort))
    if to_csv is not None:
        _write_csv(found[:limit], to_csv)
    if plot is not None:
        title = f"Bought together: {_count(len(found[:limit]))} from {listed.basket_count:,} baskets"
        draw_rules(found[:limit], plot, title)
    if as_json:
        print_json(_document(listed, found, found[: limit or _SHOWN]))
        return
    if to_csv is None and plot is None:
        _show(listed, found, found[: limit or _SHOWN])
        return
    for file in (to_csv, plot):
        if file is not None and str(file) != "-":
            say(f"[green]✓[/] {_count(len(found[:limit]))} in [bold]{file}[/]")


def _show(listed: RuleList, found: Sequence[ListedRule], shown: Sequence[ListedRule]) -> None:
    from rich.console import Console

    title = f"Bought together (rule set {listed.rule_set_id}, {listed.basket_count:,} baskets)"
    if Console().width < _WIDE:
        _show_below_each_other(title, shown)
    else:
        columns = ["rule", "baskets", "support %", "confidence %", "lift", "chance", "q"]
        rows = [(rule.sentence, rule.basket_count, *_told(rule), _probability(rule.q_value)) for rule in shown]
        print_table(title, columns, rows)
    tried = ", ".join(f"{count:,} of {length} products" for length, count in listed.possible.items())
    say(
        f"{len(shown):,} of {len(found):,} that fit, of {_count(len(listed.rules))}. Behind the q-values stand all "
        f"{listed.test_count:,} rules that could have been found: {tried}."
    )


def _show_below_each_other(title: str, shown: Sequence[ListedRule]) -> None:
    """Names of products are long: in a narrow window each rule has a line of its own, and its figures the next."""
    say(f"[bold]{title}[/]")
    for rule in shown:
        support, confidence, lift, _ = _told(rule)
        say(f"\n{rule.sentence}")
        q_value = _probability(rule.q_value)
        say(f"  [dim]{rule.basket_count:>6,} baskets, {support} %   {confidence} %   lift {lift}   q {q_value}[/]")
    say("\n[dim]Beside each: baskets with all of it, their share; how often it holds; how many times chance.[/]")


def _told(rule: ListedRule) -> tuple[str, str, str, str]:
    lift = f"{rule.lift.value:.1f} ({rule.lift.low:.1f}–{rule.lift.high:.1f})"
    return _shares(rule.support, 2), _shares(rule.confidence, 0), lift, _probability(rule.chance)


def _document(listed: RuleList, found: Sequence[ListedRule], shown: Sequence[ListedRule]) -> dict[str, Any]:
    return {
        "rule_set_id": listed.rule_set_id,
        "mined_at": listed.mined_at,
        "basket_count": listed.basket_count,
        "rule_count": len(listed.rules),
        "found_count": len(found),
        "test_count": float(listed.test_count),
        "rules": [{"sentence": rule.sentence} | asdict(rule) for rule in shown],
    }


def _write_csv(found: Sequence[ListedRule], file: Path) -> None:
    from customers.imports.rejects import neutralised

    counts = ("basket_count", "antecedent_count", "consequent_count")
    ends = [f"{name}{end}" for name in _FIGURES for end in ("", "_low", "_high")]
    with _opened(file) as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(
            ["antecedent", "consequent", "antecedent_names", "consequent_name", *counts, *ends, "chance", "q_value"]
        )
        for rule in found:
            figures = [getattr(rule, name) for name in _FIGURES]
            names = [
                "; ".join(rule.antecedent),
                rule.consequent,
                "; ".join(rule.antecedent_names),
                rule.consequent_name,
            ]
            writer.writerow(
                [
                    *map(neutralised, names),
                    *(getattr(rule, name) for name in counts),
                    *(f"{part:.8g}" for one in figures for part in (one.value, one.low, one.high)),
                    f"{rule.chance:.6g}",
                    f"{rule.q_value:.6g}",
                ]
            )


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    if str(file) == "-":
        yield sys.stdout
        return
    with file.open("w", encoding="utf-8", newline="") as lines:
        yield lines


def _check_place(file: Path | None, replace: bool) -> None:
    if file is None or str(file) == "-":
        return
    if file.exists() and not replace:
        raise ConflictError(f"{file} is there already: take another name, or --replace.")
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent}: make it first.")


def _count(number: int) -> str:
    return f"{number:,} rule{'' if number == 1 else 's'}"


def _shares(figure: Figure, digits: int) -> str:
    value, low, high = (f"{100 * part:.{digits}f}" for part in (figure.value, figure.low, figure.high))
    return f"{value} ({low}–{high})"


def _probability(value: float) -> str:
    if value >= 0.001:
        return f"{value:.3f}"
    return "< 1e-300" if value < 1e-300 else f"{value:.0e}"
