"""Small charts as inline SVG: bars, a divided bar, columns over time, and intervals around zero. Pure.

Each has a title and a description for those who cannot see it, takes its colours from the page's style sheet, so that
it is light or dark with the page, and stands beside a table with the same figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10, sqrt

from markupsafe import Markup, escape

WIDTH = 760
_LABEL, _VALUE = 196, 132  # room for words on the left and figures on the right
_ROW = 34


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `tone` is a class of the style sheet."""

    label: str
    value: float
    text: str
    tone: str = "accent"


@dataclass(frozen=True, slots=True)
class Column:
    """One step of time: what goes up and what goes down; `tick` is what stands on the axis."""

    label: str
    tick: str
    up: float
    down: float


@dataclass(frozen=True, slots=True)
class Whisker:
    """A value with its interval."""

    label: str
    value: float
    low: float
    high: float
    text: str


def bars(title: str, rows: Sequence[Bar], *, most: float | None = None) -> Markup:
    """Horizontal bars from a common zero; `most` is what the longest one may reach."""
    top = most or max((row.value for row in rows), default=0) or 1
    room = WIDTH - _LABEL - _VALUE
    pieces = []
    for place, row in enumerate(rows):
        middle = place * _ROW + _ROW / 2
        width = max(room * row.value / top, 2.0 if row.value else 0.0)
        pieces.append(
            f'<text class="label" x="{_LABEL - 14}" y="{middle + 5:.0f}" text-anchor="end">{escape(row.label)}</text>'
            f'<rect class="track" x="{_LABEL}" y="{middle - 9:.1f}" width="{room}" height="18" rx="4"/>'
            f'<rect class="{row.tone}" x="{_LABEL}" y="{middle - 9:.1f}" width="{width:.1f}" height="18" rx="4"/>'
            f'<text class="value" x="{WIDTH}" y="{middle + 5:.0f}" text-anchor="end">{escape(row.text)}</text>'
        )
    told = "; ".join(f"{row.label} {row.text}" for row in rows)
    return _svg(title, told, len(rows) * _ROW, "".join(pieces))


def divided_bar(title: str, parts: Sequence[Bar]) -> Markup:
    """One bar made of its parts, without those that are nothing."""
    shown = [part for part in parts if part.value > 0]
    total = sum(part.value for part in shown) or 1
    gap, at, pieces = 3.0, 0.0, []
    room = WIDTH - gap * max(len(shown) - 1, 0)
    for part in shown:
        width = max(room * part.value / total, 1.5)
        pieces.append(
            f'<rect class="{escape(part.tone)}" x="{at:.1f}" y="0" width="{width:.1f}" height="30" rx="4">'
            f"<title>{escape(part.label)}: {escape(part.text)}</title></rect>"
        )
        at += width + gap
    told = "; ".join(f"{part.label} {part.text}" for part in shown)
    return _svg(title, told, 30, "".join(pieces), is_stretched=True)


def columns(title: str, steps: Sequence[Column], *, up: str, down: str) -> Markup:
    """Columns over time: `up` (people) above the line, `down` (machines) below it, on one scale.

    Heights are square roots, because a scanner's thousand at once would flatten what people do all day.
    """
    left, half, foot = 44, 104, 26
    top = _ceiling(max((max(step.up, step.down) for step in steps), default=1) or 1)
    pitch = (WIDTH - left) / max(len(steps), 1)
    width = min(pitch * 0.72, 34)
    zero = half + 8
    pieces = [
        f'<line class="grid" x1="{left}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{top * part**2:,.0f}</text>'
        for part in (0.5, 1.0)
        for y in (zero - half * part, zero + half * part)
    ]
    pieces.append(f'<line class="axis" x1="{left}" x2="{WIDTH}" y1="{zero}" y2="{zero}"/>')
    every = max(1, ceil(len(steps) / 7))
    for place, step in enumerate(steps):
        x = left + pitch * (place + 0.5) - width / 2
        told = f"<title>{escape(step.label)}: {step.up:,.0f} {escape(up)}, {step.down:,.0f} {escape(down)}</title>"
        for value, tone, is_up in ((step.up, "accent", True), (step.down, "machine", False)):
            height = half * sqrt(value / top)
            y = zero - height if is_up else zero
            if height:
                place_and_size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
                pieces.append(f'<rect class="{tone}" {place_and_size} rx="2">{told}</rect>')
        if place % every == 0:
            middle = left + pitch * (place + 0.5)
            y_text = zero + half + foot - 6
            pieces.append(
                f'<text class="tick" x="{middle:.1f}" y="{y_text}" text-anchor="middle">{escape(step.tick)}</text>'
            )
    ups, downs = sum(step.up for step in steps), sum(step.down for step in steps)
    told = f"{ups:,.0f} {up} above the line, {downs:,.0f} {down} below it"
    return _svg(title, told, zero + half + foot, "".join(pieces))


def intervals(title: str, rows: Sequence[Whisker], write: Callable[[float], str]) -> Markup:
    """Values with their 95 % intervals around a line at zero; `write` writes the ticks."""
    right = 210
    low = min([0.0, *(row.low for row in rows)])
    high = max([0.0, *(row.high for row in rows)])
    ticks = _ticks(low, high)
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    room = WIDTH - _LABEL - right

    def at(value: float) -> float:
        return _LABEL + room * (value - low) / ((high - low) or 1)

    bottom = len(rows) * 40
    pieces = [
        f'<line class="{_line_of(tick)}" x1="{at(tick):.1f}" x2="{at(tick):.1f}" y1="0" y2="{bottom}"/>'
        f'<text class="tick" x="{at(tick):.1f}" y="{bottom + 18}" text-anchor="middle">{escape(write(tick))}</text>'
        for tick in ticks
    ]
    for place, row in enumerate(rows):
        y = place * 40 + 20
        tone = "sure" if row.low > 0 or row.high < 0 else "unsure"
        pieces.append(
            f'<text class="label" x="{_LABEL - 14}" y="{y + 5}" text-anchor="end">{escape(row.label)}</text>'
            f'<line class="whisker {tone}" x1="{at(row.low):.1f}" x2="{at(row.high):.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="dot {tone}" cx="{at(row.value):.1f}" cy="{y}" r="6.5"/>'
            f'<text class="value" x="{WIDTH}" y="{y + 5}" text-anchor="end">{escape(row.text)}</text>'
        )
    told = "; ".join(f"{row.label}: {row.text}" for row in rows)
    return _svg(title, told, bottom + 26, "".join(pieces))


def _svg(title: str, description: str, height: float, content: str, *, is_stretched: bool = False) -> Markup:
    """The whole picture; a stretched one fills its width whatever the page's is."""
    name = "-".join(title.lower().split())
    named = f'role="img" aria-labelledby="{escape(name)}-t {escape(name)}-d"'
    aspect = ' preserveAspectRatio="none"' if is_stretched else ""
    kind = "chart stretched" if is_stretched else "chart"
    return Markup(  # every part of `content` is escaped where it is made
        f'<svg class="{kind}" viewBox="0 0 {WIDTH} {height:.0f}"{aspect} {named}>'
        f'<title id="{escape(name)}-t">{escape(title)}</title>'
        f'<desc id="{escape(name)}-d">{escape(description)}</desc>{content}</svg>'
    )


def _line_of(tick: float) -> str:
    return "zero" if tick == 0 else "grid"


def _ceiling(value: float) -> float:
    """The next round number: 1, 2 or 5 times a power of ten."""
    scale = float(10 ** floor(log10(value)))
    return next((step * scale for step in (1, 2, 5) if step * scale >= value), 10 * scale)


def _ticks(low: float, high: float) -> list[float]:
    """Four to six round numbers over [low, high], zero among them."""
    span = (high - low) or 1.0
    step = _ceiling(span / 4)
    first, last = floor(low / step), ceil(high / step)
    return [place * step for place in range(first, last + 1)]
