"""A report as one HTML file that needs nothing else: charts as SVG, tables beside them, no script, no request."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from markupsafe import Markup

from campaigns.reporting import wording
from campaigns.reporting.charts import Bar, Column, Whisker, bars, columns, divided_bar, intervals
from campaigns.reporting.figures import Activity, Report

if TYPE_CHECKING:
    from jinja2 import Template

_PAGES = Path(__file__).parent / "pages"
_TONES = ("accent", "holdout", "not-sent", "waiting", "moving", "unknown")


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the divided bar's legend."""

    label: str
    count: int
    tone: str


def render_html(report: Report) -> str:
    """The page; open it in any browser, or send it as a file."""
    return _template().render(
        report=report,
        funnel=report.funnel,
        kind=wording.KINDS[report.kind],
        verdict=wording.verdict(report),
        accounting=[
            _Line(label, count, tone)
            for (label, count), tone in zip(wording.accounting(report.funnel), _TONES, strict=True)
        ],
        results=wording.results(report),
        accounting_chart=_accounting_chart(report),
        path_chart=_path_chart(report),
        reasons_chart=_reasons_chart(report),
        opens_chart=_activity_chart(report, report.activity, "opened"),
        clicks_chart=_activity_chart(report, report.activity, "clicked"),
        effect_chart=_effect_chart(report),
        offers_chart=_offers_chart(report),
        zone=ZoneInfo(report.timezone),
    )


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
    environment.filters |= {
        "number": wording.number,
        "percent": wording.percent,
        "whole_percent": wording.whole_percent,
        "money": wording.money,
        "reason": wording.reason,
        "instant": wording.instant,
        "span": wording.length,
    }
    environment.globals |= {"share": wording.share}
    return environment.get_template("report.html.j2")


def _accounting_chart(report: Report) -> Markup:
    lines = zip(wording.accounting(report.funnel), _TONES, strict=True)
    return divided_bar(
        f"What became of {wording.number(report.funnel.addressed)} people",
        [Bar(label, count, wording.number(count), tone) for (label, count), tone in lines],
    )


def _path_chart(report: Report) -> Markup:
    funnel = report.funnel
    steps = [
        ("Sent", funnel.sent),
        ("Delivered", funnel.delivered),
        ("Opened by people", funnel.opened_by_people),
        ("Clicked by people", funnel.clicked_by_people),
        ("Orders credited", funnel.order_count),
    ]
    rows = [
        Bar(label, count, f"{wording.number(count)}  ·  {wording.share(count, funnel.sent)}") for label, count in steps
    ]
    return bars("From sent to ordered", rows, most=funnel.sent or None)


def _reasons_chart(report: Report) -> Markup | None:
    rows = [
        Bar(word.replace("_", " "), count, wording.number(count), "not-sent")
        for word, count in report.funnel.not_sent.items()
    ]
    return bars("Why messages were not sent", rows) if rows else None


def _activity_chart(report: Report, activity: Activity | None, kind: str) -> Markup | None:
    if activity is None:
        return None
    zone, is_daily = ZoneInfo(report.timezone), activity.step.days > 0
    steps = []
    for place, acts in enumerate(activity.acts):
        at = acts.at.astimezone(zone)
        tick = f"{at:%-d %b}" if is_daily or not place or at.hour == 0 else f"{at:%H:%M}"
        people, machines = getattr(acts, f"{kind}_by_people"), getattr(acts, f"{kind}_by_machines")
        steps.append(Column(f"{at:%-d %b}" if is_daily else f"{at:%-d %b, %H:%M}", tick, people, machines))
    if not any(step.up or step.down for step in steps):
        return None
    return columns(f"{kind.title()} over time", steps, up=f"{kind} by people", down=f"{kind} by machines")


def _effect_chart(report: Report) -> Markup | None:
    experiment = report.experiment
    if experiment is None or experiment.whole is None:
        return None

    def write(value: float) -> str:
        return wording.money(value, report.currency)

    rows = [
        Whisker(
            "everybody treated" if comparison is experiment.whole else comparison.treated.name,
            comparison.revenue.difference.value,
            comparison.revenue.difference.low,
            comparison.revenue.difference.high,
            wording.interval(comparison.revenue.difference, write),
        )
        for comparison in experiment.comparisons
    ]
    return intervals("Revenue a person, more than those held out", rows, write)


def _offers_chart(report: Report) -> Markup | None:
    rows = [
        Whisker(
            lift.offer,
            lift.revenue.value,
            lift.revenue.low,
            lift.revenue.high,
            wording.interval(lift.revenue, lambda value: wording.money(value, report.currency)),
        )
        for lift in report.offers
        if lift.revenue is not None
    ]
    if not rows:
        return None
    title = "Revenue a person, more than those who saw best sellers"
    return intervals(title, rows, lambda value: wording.money(value, report.currency))
