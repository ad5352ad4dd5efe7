"""Rules as a picture: how often each occurs against how often it holds, coloured by how many times chance that is.

Rules that no other one beats in both figures are named below the picture: no measure that grows with both would put
another one first (Bayardo, Agrawal 1999).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import InputError
from recommender.listed_rules import ListedRule

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.ticker import Locator

FORMATS = (".svg", ".png")
_NAMED = 8
_MANY = 2_000
_LONGEST_NAME = 96
_INK, _QUIET, _GRID = "#1f2933", "#616e7c", "#e4e7eb"
_WIDTH, _HEIGHT, _LINE = 9.0, 5.6, 0.24  # inches; a line is one named rule
_TICKS = (1, 1.2, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 200, 500, 1000, 5000, 10_000)


def check_format(file: Path) -> None:
    """Raises InputError when `file` names no picture that can be drawn."""
    if file.suffix.lower() not in FORMATS:
        raise InputError(f"{file} names no picture that can be drawn: let it end in {' or '.join(FORMATS)}.")


def draw_rules(rules: Sequence[ListedRule], file: Path, title: str) -> None:
    """Write the picture of one rule or more. Raises InputError for another ending than .svg and .png, or no rule."""
    check_format(file)
    if not rules:
        raise InputError("there is no rule to draw: ask for less.")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    named = _spread(_unbeaten(rules))
    height = _HEIGHT + _LINE * (len(named) + 2)
    # Letters stay letters, so that a reader's programs find them; ids depend on the drawing alone.
    look: Any = {"font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "rules", "text.color": _INK}
    with mpl.rc_context(look), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a product's name may be in any script
        figure = Figure(figsize=(_WIDTH, height), facecolor="white")
        foot = (_LINE * (len(named) + 2) + 0.55) / height
        axes = figure.add_axes((0.085, foot, 0.815, 1 - foot - 0.62 / height))
        _scatter(figure, axes, rules)
        _number(axes, named)
        axes.set_title(title, loc="left", weight="bold", size=13, pad=12, parse_math=False)
        over = (_LINE * (len(named) + 0.7)) / height
        figure.text(0.085, over, "No other rule occurs and holds more often than one of these", size=9, color=_QUIET)
        for place, rule in enumerate(named, start=1):
            at = (_LINE * (len(named) - place + 0.6)) / height
            words = f"{place}   {_short(rule.sentence)}   ({rule.confidence.value:.0%}, lift {rule.lift.value:.1f})"
            figure.text(0.085, at, words, size=9, parse_math=False)
        no_date = {"Date": None} if file.suffix.lower() == ".svg" else {}
        figure.savefig(file, dpi=160, metadata=no_date)


def _scatter(figure: Figure, axes: Axes, rules: Sequence[ListedRule]) -> None:
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

    lifts = [rule.lift.value for rule in rules]
    low, high = min(lifts), max(lifts)
    norm = LogNorm(low, max(high, 1.01 * low))
    painted = sorted(rules, key=lambda rule: rule.lift.value)  # the strongest lie on top
    points = axes.scatter(
        [100 * rule.support.value for rule in painted],
        [100 * rule.confidence.value for rule in painted],
        c=[rule.lift.value for rule in painted],
        norm=norm,
        cmap="viridis_r",
        s=34 if len(rules) < _MANY else 14,
        rasterized=len(rules) > _MANY,  # or the file would hold a drawing of each point
        alpha=0.85,
        linewidths=0.4,
        edgecolors="white",
    )
    axes.set_xscale("log")
    shares = [100 * rule.support.value for rule in rules]
    axes.set_xlim(min(shares) / 1.2, max(shares) * 1.2)
    axes.set_ylim(0, 105)
    axes.set_xlabel("support: of 100 baskets so many hold the whole rule (logarithmic)", color=_QUIET)
    axes.set_ylabel("confidence: of 100 with the left side so many hold the right", color=_QUIET)
    axes.xaxis.set_major_locator(_round_numbers(*axes.get_xlim()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_QUIET, length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(points, ax=axes, fraction=0.035, pad=0.02)
    bar.set_label("lift: times chance", color=_QUIET)
    ticks = [tick for tick in _TICKS if low <= tick <= high] or [low]
    bar.set_ticks(ticks, labels=[f"{tick:g}" if tick in _TICKS else f"{tick:.2f}" for tick in ticks])
    bar.ax.yaxis.set_minor_formatter(NullFormatter())
    bar.ax.minorticks_off()
    bar.ax.tick_params(colors=_QUIET, length=0)
    bar.outline.set_visible(False)


def _round_numbers(low: float, high: float) -> Locator:
    from matplotlib.ticker import FixedLocator

    steps = [step * 10**power for power in range(-6, 3) for step in (1, 1.5, 2, 3, 5, 7)]
    return FixedLocator([step for step in steps if low <= step <= high])


def _number(axes: Axes, named: Sequence[ListedRule]) -> None:
    for place, rule in enumerate(named, start=1):
        axes.annotate(
            str(place),
            (100 * rule.support.value, 100 * rule.confidence.value),
            xytext=(7, 6),
            textcoords="offset points",
            size=9,
            weight="bold",
        )


def _unbeaten(rules: Sequence[ListedRule]) -> list[ListedRule]:
    """Rules that no other one equals or beats in support and in confidence, the most confident first."""
    best, found = -1.0, []
    for rule in sorted(rules, key=lambda rule: (-rule.confidence.value, -rule.support.value)):
        if rule.support.value > best:
            best = rule.support.value
            found.append(rule)
    return found


def _spread(rules: list[ListedRule]) -> list[ListedRule]:
    """As many as can be named, from the first to the last at equal steps."""
    if len(rules) <= _NAMED:
        return rules
    return [rules[round(place * (len(rules) - 1) / (_NAMED - 1))] for place in range(_NAMED)]


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= _LONGEST_NAME else f"{sentence[: _LONGEST_NAME - 1]}…"
