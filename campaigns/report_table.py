"""A report for the terminal, as something that Rich can print. Imports Rich when it is called, not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.reporting import wording
from campaigns.reporting.experiment import Experiment
from campaigns.reporting.figures import Report

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def render_table(report: Report) -> RenderableType:
    """The whole report: what became of everybody, what came of it, beside the holdout, and the parts."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    head = Text.assemble(
        (f"{wording.KINDS[report.kind]} ", "dim"),
        (report.name, "bold"),
        (f"\nas of {wording.instant(report.made_at, report.timezone)} ({report.timezone})", "dim"),
    )
    pieces: list[RenderableType] = [head]
    pieces += [Text(f"Paused: {scope}, because {cause}", "yellow") for scope, cause in sorted(report.pauses.items())]
    pieces += [_accounting(report), _results(report)]
    pieces.append(Padding(Text(wording.verdict(report), "italic"), (1, 1)))
    if report.experiment is not None:
        pieces.append(_experiment(report, report.experiment))
        if report.experiment.odd_split is not None:
            pieces.append(Text(" The split is too uneven to be chance: do not trust this comparison.", "bold red"))
    if report.parts:
        pieces.append(_parts(report))
    if report.offers:
        pieces.append(_offers(report))
    return Group(*pieces)


def _table(title: str, *columns: str) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim", box=SIMPLE_HEAD)
    for place, name in enumerate(columns):
        table.add_column(name, justify="right" if place else "left")
    return table


def _accounting(report: Report) -> Table:
    funnel = report.funnel
    table = _table("What became of everybody", "", "people", "share")
    for words, count in wording.accounting(funnel):
        if count or words == "Sent":
            table.add_row(words, wording.number(count), wording.share(count, funnel.addressed))
        if words == "Not sent":
            for reason, part in funnel.not_sent.items():
                table.add_row(f"  {wording.reason(reason)}", wording.number(part), "", style="dim")
    table.add_section()
    table.add_row("Addressed", wording.number(funnel.addressed), "", style="bold")
    return table


def _results(report: Report) -> Table:
    table = _table("What came of it", "", "messages", "share")
    for words, count, share in wording.results(report):
        table.add_row(words, wording.number(count), share)
    table.add_section()
    funnel = report.funnel
    table.add_row("Orders credited", wording.number(funnel.order_count), "")
    table.add_row("Revenue credited", wording.money(funnel.revenue, report.currency), "")
    return table


def _experiment(report: Report, experiment: Experiment) -> Table:
    title = f"Against the holdout, within {wording.length(experiment.window)}"
    table = _table(title, "", "people", "bought", "orders each", "lift", "revenue each", "more than held out")
    for comparison in experiment.comparisons:
        side, effect = comparison.treated, comparison.revenue.difference
        table.add_row(
            side.name,
            wording.number(side.profile_count),
            wording.percent(side.buyer_share),
            f"{side.orders_each:.3f}",
            wording.lift(comparison.orders),
            wording.money(side.revenue_each, report.currency),
            wording.interval(effect, lambda value: wording.money(value, report.currency)),
        )
    held = experiment.held_out
    table.add_row(
        held.name,
        wording.number(held.profile_count),
        wording.percent(held.buyer_share),
        f"{held.orders_each:.3f}",
        "",
        wording.money(held.revenue_each, report.currency),
        "",
        style="dim",
    )
    return table


def _parts(report: Report) -> Table:
    table = _table("In parts", "", "addressed", "sent", "opened", "clicked", "orders", "revenue")
    for part in report.parts:
        funnel = part.funnel
        table.add_row(
            f"{part.kind} {part.name}",
            *map(wording.number, (funnel.addressed, funnel.sent, funnel.opened_by_people, funnel.clicked_by_people)),
            wording.number(funnel.order_count),
            wording.money(funnel.revenue, report.currency),
        )
    return table


def _offers(report: Report) -> Table:
    table = _table(
        "Offers beside best sellers", "", "people", "bought", "best sellers bought", "revenue more", "credited"
    )
    for lift in report.offers:
        effect = lift.revenue
        table.add_row(
            lift.offer,
            wording.number(lift.treated.profile_count),
            wording.percent(lift.treated.buyer_share),
            wording.percent(lift.held_out.buyer_share),
            wording.interval(effect, lambda value: wording.money(value, report.currency)) if effect else "–",
            wording.money(lift.credit.revenue, report.currency),
        )
    return table
