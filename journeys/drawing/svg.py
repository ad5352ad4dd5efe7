"""A plan as SVG: one file without scripts, for light and dark, with a title and a description for screen readers.

Pure. What does not fit is cut with an ellipsis; the whole of it stands in the box's `title`, which browsers show.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from journeys.drawing.chart import Box, Chart, Family, heading, iter_boxes, total_people
from journeys.drawing.icons import ICONS, STYLE
from journeys.drawing.layout import (
    ASIDE_LINE,
    ASIDE_PADDING,
    BOX_HEIGHT,
    ICON,
    LABEL_HEIGHT,
    LABEL_PADDING,
    LABEL_SIZE,
    LINE_HEIGHT,
    MARGIN,
    NOTE_SIZE,
    PADDING,
    SMALL_SIZE,
    TEXT_SIZE,
    Area,
    Aside,
    Label,
    Line,
    LineKind,
    Plan,
    condition_lines,
    entry_lines,
    text_lines,
)
from journeys.drawing.routing import Point
from journeys.drawing.text import fit, width_of

_BADGE_HEIGHT = 20
_ROUNDNESS = 8  # of the corners of lines
_TIP = 6
_ROOT = 'xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title description"'


def draw(plan: Plan) -> str:
    """The whole document."""
    chart = plan.chart
    width, height = _number(plan.width), _number(plan.height)
    parts = [
        f'<svg {_ROOT} width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
        f'<title id="title">{escape(f"Journey {heading(chart)}")}</title>',
        f'<desc id="description">{escape(_described(chart))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect class="paper" width="{width}" height="{height}" />',
        *_heading(plan),
        *map(_frame, plan.frames),
        *(_line(line) for line in plan.lines),
        *(part for area, title, more in plan.entries for part in _entry(area, title, more)),
        *(part for label in plan.labels for part in _label(label)),
        *(part for area, box in plan.boxes for part in _box(area, box)),
        *(_end(area) for area in plan.ends),
        *(part for aside in plan.asides for part in _aside(aside)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _described(chart: Chart) -> str:
    """The journey for those who cannot see it: what lets people in, and each step with those who stand there."""
    entries = "; ".join(text for text, _more in chart.entries)
    steps = [f"{_named(box)}{f', {_people(box.people)}' if box.people else ''}" for box in iter_boxes(chart.steps)]
    return f"Enters by: {entries}. Steps: {'; '.join(steps)}."


def _people(count: int) -> str:
    return f"{count:,} {'person' if count == 1 else 'people'}"


def _heading(plan: Plan) -> Iterator[str]:
    room, count = plan.width - 2 * MARGIN, total_people(plan.chart)
    yield _text(MARGIN, MARGIN + 18, fit(heading(plan.chart), room, 20, bold=True), "title")
    yield _text(MARGIN, MARGIN + 38, f"{_people(count)} inside" if count else "nobody inside", "text")


def _entry(area: Area, title: str, more: str) -> Iterator[str]:
    lines = entry_lines(more)
    room, x = area.width - 2 * PADDING - ICON - 8, area.x + PADDING + ICON + 8
    y = area.middle[1] - (17 * bool(lines) + LINE_HEIGHT * max(0, len(lines) - 1)) / 2 + 5
    yield f"<g><title>{escape(f'Enters by {title}' + (f', {more}' if more else ''))}</title>"
    yield f'<rect class="entry" {_placed(area)} rx="{_number(area.height / 2)}" />'
    yield _icon("M1.5 8h9 M7.5 5l3 3-3 3 M9.5 2h4v12h-4", area.x + PADDING, area.middle[1] - 8, "--good")
    yield _text(x, y, fit(title, room - 4, TEXT_SIZE, bold=True), "name")
    for number, line in enumerate(lines):
        yield _text(x, y + 17 + number * LINE_HEIGHT, line, "if")
    yield "</g>"


def _box(area: Area, box: Box) -> Iterator[str]:
    badge = width_of(f"{box.people:,}", SMALL_SIZE, bold=True) + 16 if box.people else 0
    x, room = area.x + PADDING + ICON + 10, area.width - 2 * PADDING - ICON - 10
    texts, conditions = text_lines(box), condition_lines(box)
    radius = BOX_HEIGHT / 2 if box.family is Family.END and not box.condition else 10
    name = fit(box.name, room - (badge + 6 if badge else 0), TEXT_SIZE, bold=True)
    yield f"<g{' class=' + chr(34) + 'off' + chr(34) if box.is_disabled else ''}><title>{escape(_whole(box))}</title>"
    yield f'<rect class="card" {_placed(area)} rx="{_number(radius)}" />'
    yield _icon(ICONS[box.family], area.x + PADDING, area.y + 20, f"--{box.family}")
    yield _text(x, area.y + (25 if texts or conditions else 33), name, "name")
    for number, (line, kind) in enumerate([*((one, "text") for one in texts), *((one, "if") for one in conditions)]):
        yield _text(x, area.y + 42 + number * LINE_HEIGHT, line, kind)
    if badge:
        place = Area(area.right - badge - 10, area.y + 10, badge, _BADGE_HEIGHT)
        yield f'<rect {_placed(place)} rx="{_BADGE_HEIGHT // 2}" fill="var(--{box.family})" />'
        yield _text(place.middle[0], place.y + 14, f"{box.people:,}", "people")
    yield "</g>"


def _whole(box: Box) -> str:
    parts = [_named(box), f"only if {box.condition}" if box.condition else ""]
    parts += ["disabled" if box.is_disabled else "", _people(box.people) if box.people else ""]
    return "; ".join(part for part in parts if part)


def _named(box: Box) -> str:
    return f"{box.name}: {box.text}" if box.text else box.name


def _label(label: Label) -> Iterator[str]:
    area, room = label.area, label.area.width - LABEL_PADDING + 1
    middle = area.middle[0]
    yield f"<g><title>{escape(f'{label.text}: {label.note}' if label.note else label.text)}</title>"
    yield f'<rect class="pill" {_placed(area)} rx="{_number(LABEL_HEIGHT / 2)}" />'
    baseline = area.y + 15 if label.note else area.middle[1] + 4
    yield _text(middle, baseline, fit(label.text, room, LABEL_SIZE, bold=True), "label")
    if label.note:
        yield _text(middle, area.y + 31, fit(label.note, room, NOTE_SIZE), "note")
    yield "</g>"


def _frame(area: Area) -> str:
    return f'<rect class="frame" {_placed(area)} rx="14" />{_text(area.x + 16, area.y + 18, "each round", "if")}'


def _end(area: Area) -> str:
    x, y = area.middle
    return f'<rect class="pill" {_placed(area)} rx="{_number(area.height / 2)}" />{_text(x, y + 4, "the end", "note")}'


def _aside(aside: Aside) -> Iterator[str]:
    x, y = aside.area.x + ASIDE_PADDING, aside.area.y + ASIDE_PADDING + 11
    yield f'<rect class="aside" {_placed(aside.area)} rx="10" />'
    yield _text(x, y, aside.title, "asidename")
    for number, line in enumerate(aside.lines, start=1):
        yield _text(x, y + number * ASIDE_LINE, line, "text")


# -- shapes ------------------------------------------------------------------------------------------------------------


def _line(line: Line) -> str:
    if line.kind is LineKind.JUMP:
        return _jump(line.points)
    tip = f'<path class="tip" d="{_arrow(line.points[-1])}" />' if line.has_arrow else ""
    return f'<path class="flow" d="{_rounded(line.points)}" />{tip}'


def _jump(points: Sequence[Point]) -> str:
    """A dashed way that arrives at its target from the side."""
    (x, y), before = points[-1], points[-2]
    back = 1 if before[0] > x else -1
    tip = f"M{_at((x, y))}l{back * 7} -4.5v9z"
    way = _rounded([*points[:-1], (x + back * _TIP, y)])
    return f'<path class="jump" d="{way}" /><path class="jumptip" d="{tip}" />'


def _rounded(points: Sequence[Point]) -> str:
    """Through `points` with rounded corners."""
    path = [f"M{_at(points[0])}"]
    for (before, corner), (_, after) in pairwise(pairwise(points)):
        radius = min(_ROUNDNESS, _distance(before, corner) / 2, _distance(corner, after) / 2)
        path.append(f"L{_at(_towards(corner, before, radius))}Q{_at(corner)} {_at(_towards(corner, after, radius))}")
    path.append(f"L{_at(points[-1])}")
    return "".join(path)


def _arrow(end: Point) -> str:
    return f"M{_at(end)}l-4.5 -7h9z"


def _distance(one: Point, other: Point) -> float:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def _towards(start: Point, end: Point, length: float) -> Point:
    distance = _distance(start, end) or 1
    return start[0] + (end[0] - start[0]) / distance * length, start[1] + (end[1] - start[1]) / distance * length


def _icon(path: str, x: float, y: float, colour: str) -> str:
    return f'<path class="icon" stroke="var({colour})" transform="translate({_number(x)} {_number(y)})" d="{path}" />'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{_number(x)}" y="{_number(y)}">{escape(text)}</text>'


def _placed(area: Area) -> str:
    x, y, width, height = map(_number, (area.x, area.y, area.width, area.height))
    return f'x="{x}" y="{y}" width="{width}" height="{height}"'


def _at(point: Point) -> str:
    return f"{_number(point[0])} {_number(point[1])}"


def _number(value: float) -> str:
    """At most one place behind the point, and none where there is none."""
    return f"{value:.1f}".removesuffix(".0")
