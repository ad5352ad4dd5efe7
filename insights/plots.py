"""The plots of the report as SVG that takes its colours from the page, so that they follow it into the dark.

Each is drawn twice, for a desk and for a telephone, because a picture that is merely shrunk cannot be read. The only
module of insights that knows matplotlib.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from insights.figures import Cell, Cohort, Concentration
from insights.judging import Bin
from insights.wording import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, NARROW = "wide", "narrow"
_SIZES = {WIDE: (9.2, 4.6), NARROW: (4.6, 4.4)}  # inches of 72 units
_TEXT = {WIDE: 12.0, NARROW: 12.5}

# Colours that stand for those of the page; no other may look like them.
_INK, _QUIET, _ACCENT, _SECOND, _PAPER = "#010203", "#040506", "#070809", "#0a0b0c", "#0d0e0f"
_WORDS = {_INK: "ink", _QUIET: "quiet", _ACCENT: "accent", _SECOND: "second", _PAPER: "paper"}
_FADED, _STRONG = 0.06, 0.52  # on a stronger field words could not be read in one of the two schemes

Draw = Callable[["Axes", str], None]


def map_rfm(cells: Sequence[Cell]) -> str:
    """Five times five fields: how long ago across, how often upwards; the darker the more people."""
    whole, money = sum(cell.count for cell in cells), sum(cell.money for cell in cells)
    most = max((cell.count for cell in cells), default=0)

    def draw(axes: Axes, size: str) -> None:
        for cell in cells:
            strength = _strength(cell.count, most)
            _field(axes, cell.recency - 1, cell.frequency - 1, strength)
            if cell.count:
                at = cell.recency - 0.5, cell.frequency - 0.5
                axes.text(at[0], at[1] + 0.12, f"{cell.count:,}", ha="center", va="center", weight="bold")
                share = percent(cell.money / money).replace("less than", "<") if money > 0 else ""
                axes.text(at[0], at[1] - 0.22, share, ha="center", va="center", size=0.8 * _TEXT[size])
        axes.set(xlim=(0, 5), ylim=(0, 5), xlabel="last purchase long ago  →  just now", ylabel="seldom  →  often")
        axes.set_xticks([])
        axes.set_yticks([])

    return _both(draw, f"RFM map of {whole:,} customers: fifths by last purchase and by how often they buy", grid=False)


def plot_calibration(bins: Sequence[Bin]) -> str:
    """What was expected against what came, by tenths of the people; on the line they are the same."""

    def draw(axes: Axes, _size: str) -> None:
        axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=1, linestyle=(0, (4, 4)))
        across, up = [one.predicted for one in bins], [one.actual for one in bins]
        axes.plot(across, up, color=_ACCENT, linewidth=2, marker="o", markersize=7, markeredgecolor=_PAPER)
        top = min(1.0, max([0.05, *across, *up]) * 1.12)
        axes.set(xlim=(0, top), ylim=(0, top), xlabel="expected to come back", ylabel="came back")
        _percents(axes, both=True)

    return _both(draw, "Calibration on the held-out days: expected against actual share of people who came back")


def plot_concentration(concentration: Concentration) -> str:
    """The share of the money that the best customers brought, up to everybody."""
    curve = concentration.curve
    places = [place / max(len(curve) - 1, 1) for place in range(len(curve))]

    def draw(axes: Axes, _size: str) -> None:
        axes.fill_between(places, curve, places, color=_ACCENT, alpha=0.14, linewidth=0)
        axes.plot([0, 1], [0, 1], color=_QUIET, linewidth=1, linestyle=(0, (4, 4)))
        axes.plot(places, curve, color=_ACCENT, linewidth=2.2)
        axes.plot([0.1], [concentration.top_tenth], color=_SECOND, marker="o", markersize=9, markeredgecolor=_PAPER)
        label = f"the best tenth:\n{percent(concentration.top_tenth)} of the money"
        axes.text(0.14, concentration.top_tenth - 0.04, label, color=_INK, va="top")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="customers, the best first", ylabel="money")
        _percents(axes, both=True)

    return _both(draw, f"Value concentration: the best tenth brought {percent(concentration.top_tenth)} of the money")


def map_cohorts(cohorts: Sequence[Cohort]) -> str:
    """Which share of each month's new customers bought in each later month."""
    width = max((len(cohort.shares) for cohort in cohorts), default=1)
    most = max((share for cohort in cohorts for share in cohort.shares[1:]), default=0.0)

    def draw(axes: Axes, size: str) -> None:
        for row, cohort in enumerate(reversed(cohorts)):
            for later, share in enumerate(cohort.shares[1:]):
                _field(axes, later, row, _strength(share, most))
                at = later + 0.5, row + 0.46
                axes.text(*at, f"{100 * share:.0f}", ha="center", va="center", size=0.82 * _TEXT[size])
        labels = [f"{one.month:%b %y}" if size == NARROW else f"{one.month:%b %Y}  ({one.size:,})" for one in cohorts]
        axes.set_yticks([row + 0.5 for row in range(len(cohorts))], labels[::-1])
        axes.set_xticks([month - 0.5 for month in range(1, width)], [str(month) for month in range(1, width)])
        axes.set(xlim=(0, max(width - 1, 1)), ylim=(0, max(len(cohorts), 1)), xlabel="months after the first purchase")

    return _both(
        draw, "Cohort retention: how many percent of each month's new customers bought in later months", grid=False
    )


def _both(draw: Draw, title: str, *, grid: bool = True) -> str:
    """The two sizes, of which the page shows one."""
    return "".join(_drawn(draw, title, size, grid=grid) for size in _SIZES)


def _drawn(draw: Draw, title: str, size: str, *, grid: bool) -> str:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "postilion",
        "font.size": _TEXT[size],
        "text.color": _INK,
        "axes.labelcolor": _QUIET,
        "axes.edgecolor": _QUIET,
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": grid,
        "axes.spines.bottom": grid,
        "xtick.color": _QUIET,
        "ytick.color": _QUIET,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.major.pad": 7,
        "ytick.major.pad": 7,
        "grid.color": _QUIET,
        "grid.alpha": 0.18,
        "grid.linewidth": 0.6,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=_SIZES[size], layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.grid(visible=grid)
        axes.set_axisbelow(True)
        draw(axes, size)
        written = StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _made_ours(written.getvalue(), title, size)


def _made_ours(svg: str, title: str, size: str) -> str:
    """A drawing to stand in a page: without a head, with the page's fonts and colours, with a name that is read out."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font: ([^;\"]*?)([\d.]+px) [^;\"]*", r"font: \1\2 var(--font)", svg)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: var(--font)", svg)
    for colour, name in _WORDS.items():
        svg = svg.replace(colour, f"var(--{name})")
    # Ids are those of the drawing alone; two drawings share a page.
    svg = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{_slug(title)}-{size}-", svg)
    return re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        rf'<svg class="{size}" viewBox="\1" role="img" aria-label="{title}">',
        svg,
        count=1,
    )


def _field(axes: Axes, across: float, up: float, strength: float) -> None:
    from matplotlib.patches import Rectangle

    gap = 0.03
    box = Rectangle((across + gap, up + gap), 1 - 2 * gap, 1 - 2 * gap, facecolor=_ACCENT, linewidth=0)
    box.set_alpha(strength)
    axes.add_patch(box)


def _strength(value: float, most: float) -> float:
    return _FADED + (_STRONG - _FADED) * (value / most) ** 0.8 if most > 0 else _FADED


def _percents(axes: Axes, *, both: bool) -> None:
    from matplotlib.ticker import PercentFormatter

    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if both:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _slug(title: str) -> str:
    return re.sub(r"[^a-z]+", "-", title.lower())[:20].strip("-")
