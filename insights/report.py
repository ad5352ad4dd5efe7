"""The report of a run as one HTML file that needs nothing else: no script, no request, plots as SVG inside it.

Everything in it stands on the model card; no person does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from insights.card_page import VERDICTS, check_lines, data_lines, fit_lines, lead_lines
from insights.figures import Cell
from insights.learning import HORIZON_DAYS
from insights.model_card import ModelCard
from insights.plots import map_cohorts, map_rfm, plot_calibration, plot_concentration
from insights.rfm import GROUPS
from insights.scoring import CHURN, PURCHASES, VALUE
from insights.wording import count, day, money, percent

if TYPE_CHECKING:
    from jinja2 import Template

_PAGES = Path(__file__).parent / "pages"
_NAMED_GROUPS = 3


@dataclass(frozen=True, slots=True)
class Group:
    """One kind of customers: its people, what they brought, and what is usually done about them."""

    name: str
    advice: str
    count: int
    money: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that stands large at the head."""

    value: str
    words: str


def render_report(card: ModelCard) -> str:
    """The page; open it in any browser, or send it as a file."""
    from markupsafe import Markup

    figures, judgement = card.figures, card.judgement
    groups = group_cells(figures.cells)
    return _template().render(
        card=card,
        verdict=VERDICTS[card.state],
        heads=_heads(card),
        groups=groups,
        sentence=_sentence(groups),
        horizon=HORIZON_DAYS,
        judgement=judgement,
        data=data_lines(card),
        fit=fit_lines(card),
        check=check_lines(card.holdout),
        lead=lead_lines(card),
        rfm_map=Markup(map_rfm(figures.cells)) if figures.cells else None,
        calibration=Markup(plot_calibration(judgement.bins)) if judgement else None,
        concentration=Markup(plot_concentration(figures.concentration)) if figures.concentration.curve else None,
        cohorts=Markup(map_cohorts(figures.cohorts)) if len(figures.cohorts) > 1 else None,
    )


def group_cells(cells: list[Cell]) -> list[Group]:
    """The groups in the order of what they brought."""
    found = []
    for name, advice in GROUPS.items():
        own = [cell for cell in cells if cell.group == name]
        found.append(Group(name, advice, sum(cell.count for cell in own), sum(cell.money for cell in own)))
    return sorted((group for group in found if group.count), key=lambda group: (-group.money, group.name))


def _heads(card: ModelCard) -> list[Figure]:
    data = card.data
    means = {score.name: (score.count, score.mean) for score in card.scores}
    heads = [
        Figure(f"{data.customer_count:,}", f"customers, {data.repeat_count:,} of them came back"),
        Figure(money(data.money, data.currency), "they brought so far"),
    ]
    if CHURN in means:
        heads.append(Figure(percent(means[CHURN][1]), f"are expected to buy nothing in the next {HORIZON_DAYS} days"))
    if PURCHASES in means:
        people, mean = means[PURCHASES]
        heads.append(Figure(f"{people * mean:,.0f}", f"purchases expected in the next {HORIZON_DAYS} days"))
    if VALUE in means:
        people, mean = means[VALUE]
        heads.append(Figure(money(people * mean, data.currency), "value of all of them over the next 365 days"))
    return heads


def _sentence(groups: list[Group]) -> str:
    whole = sum(group.money for group in groups)
    if whole <= 0:
        return ""
    best = [
        f"{count(group.count, 'customer is', 'customers are')} {group.name} and brought {percent(group.money / whole)}"
        for group in groups[:_NAMED_GROUPS]
    ]
    return f"{'; '.join(best)} of the money." if best else ""


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"money": money, "percent": percent, "day": day}
    return environment.get_template("report.html.j2")
