"""Where everything of a chart stands: boxes downwards, ways side by side, in pixels from the upper left corner.

Pure. Each list of steps has a column of its own that is as wide as what stands in it, so nothing can overlap: not by
trying, but because columns and rows are never shared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from journeys.drawing.chart import Box, Chart, Way
from journeys.drawing.routing import Point, Rectangle, Router
from journeys.drawing.text import width_of, wrap

BOX_WIDTH, BOX_HEIGHT, LINE_HEIGHT = 256, 56, 16
PADDING, ICON = 14, 16
_ROOM = BOX_WIDTH - 2 * PADDING - ICON - 10  # of a text beside its icon
COLUMN_GAP, ROW_GAP = 28, 30
LABEL_WIDTH, LABEL_HEIGHT, NOTE_HEIGHT, LABEL_GAP = 132, 22, 16, 12
FRAME_PADDING = 16
ENTRY_HEIGHT, ENTRY_GAP = 54, 20
END_WIDTH, END_HEIGHT = 92, 26
MARGIN, HEADING_HEIGHT = 32, 62
ASIDE_WIDTH, ASIDE_GAP, ASIDE_LINE, ASIDE_PADDING, ASIDE_LINES = 256, 48, 17, 14, 4
TEXT_SIZE, SMALL_SIZE, LABEL_SIZE, NOTE_SIZE, LABEL_PADDING = 13.0, 11.5, 12.0, 11.0, 24


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def middle(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def corners(self) -> Rectangle:
        return self.x, self.y, self.right, self.bottom

    def overlaps(self, other: Area) -> bool:
        apart = self.right <= other.x or other.right <= self.x or self.bottom <= other.y or other.bottom <= self.y
        return not apart


class LineKind(StrEnum):
    FLOW = "flow"
    JUMP = "jump"  # a goto


@dataclass(frozen=True, slots=True)
class Line:
    """A way on: through `points`, with right angles."""

    points: tuple[Point, ...]
    kind: LineKind = LineKind.FLOW
    has_arrow: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """What leads into a way: its name, and below it what must hold or how likely it is."""

    area: Area
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Aside:
    """Something about the whole journey, beside its steps."""

    area: Area
    title: str
    lines: tuple[str, ...]


@dataclass(slots=True)
class Plan:
    """A chart with everything in its place."""

    chart: Chart
    width: float = 0
    height: float = 0
    boxes: list[tuple[Area, Box]] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    frames: list[Area] = field(default_factory=list)  # around the rounds of a `repeat`
    entries: list[tuple[Area, str, str]] = field(default_factory=list)
    ends: list[Area] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    asides: list[Aside] = field(default_factory=list)

    def solid(self) -> Iterator[Area]:
        """Everything that nothing else may cover."""
        yield from (area for area, _box in self.boxes)
        yield from (label.area for label in self.labels)
        yield from (area for area, _title, _more in self.entries)
        yield from self.ends
        yield from (aside.area for aside in self.asides)


def text_lines(box: Box) -> list[str]:
    """What a box says of its step; the rest of what does not fit stands in its title."""
    return wrap(box.text, _ROOM, SMALL_SIZE, 2)


def condition_lines(box: Box) -> list[str]:
    return wrap(f"if {box.condition}", _ROOM, NOTE_SIZE, 2) if box.condition else []


def entry_lines(more: str) -> list[str]:
    return wrap(more, _ROOM - 8, NOTE_SIZE, 2)


def _height_of(box: Box) -> float:
    """A box has room for one line below its name."""
    return BOX_HEIGHT + LINE_HEIGHT * max(0, len(text_lines(box)) + len(condition_lines(box)) - 1)


def plan(chart: Chart) -> Plan:
    """The chart, laid out."""
    drawing = Plan(chart)
    count = max(1, len(chart.entries))
    entries_width = count * BOX_WIDTH + (count - 1) * COLUMN_GAP
    inner = max(_width_of(chart.steps), entries_width)
    middle = MARGIN + inner / 2
    start = _place_entries(drawing, middle - entries_width / 2, MARGIN + HEADING_HEIGHT, middle)
    below, goes_on = _place_steps(drawing, chart.steps, middle, start)
    if goes_on:
        end = Area(middle - END_WIDTH / 2, below + ROW_GAP, END_WIDTH, END_HEIGHT)
        drawing.lines.append(Line(((middle, below), (middle, end.y)), has_arrow=True))
        drawing.ends.append(end)
        below = end.bottom
    _place_jumps(drawing, Area(0, 0, inner + 2 * MARGIN, below + MARGIN))
    aside_bottom = _place_asides(drawing, MARGIN + inner + ASIDE_GAP)
    right = MARGIN + inner + (ASIDE_GAP + ASIDE_WIDTH if drawing.asides else 0)
    drawing.width, drawing.height = right + MARGIN, max(below, aside_bottom) + MARGIN
    return drawing


# -- how wide ----------------------------------------------------------------------------------------------------------


def _width_of(steps: Sequence[Box]) -> float:
    return max((_width_of_box(box) for box in steps), default=0)


def _width_of_box(box: Box) -> float:
    round_width = _width_of(box.round) + 2 * FRAME_PADDING if box.round else 0
    return max(BOX_WIDTH, round_width, _width_of_ways(box.ways))


def _width_of_ways(ways: Sequence[Way]) -> float:
    return sum(map(_width_of_way, ways)) + COLUMN_GAP * max(0, len(ways) - 1)


def _width_of_label(way: Way) -> float:
    """As wide as what it says, within what a column gives it."""
    said = max(width_of(way.label, LABEL_SIZE, bold=True), width_of(way.note, NOTE_SIZE)) + LABEL_PADDING
    return min(BOX_WIDTH if way.note else LABEL_WIDTH, max(said, LABEL_HEIGHT * 2))


def _width_of_way(way: Way) -> float:
    return max(LABEL_WIDTH if not way.note else BOX_WIDTH, _width_of(way.steps))


# -- where -------------------------------------------------------------------------------------------------------------


def _place_entries(drawing: Plan, x: float, y: float, middle: float) -> float:
    """The ways in, side by side; answers where the steps begin."""
    height = ENTRY_HEIGHT + LINE_HEIGHT * any(len(entry_lines(more)) > 1 for _title, more in drawing.chart.entries)
    bottom = y + height
    join = bottom + (ENTRY_GAP if len(drawing.chart.entries) > 1 else 0)
    for number, (title, more) in enumerate(drawing.chart.entries):
        area = Area(x + number * (BOX_WIDTH + COLUMN_GAP), y, BOX_WIDTH, height)
        drawing.entries.append((area, title, more))
        if join > bottom:
            drawing.lines.append(Line(_corner((area.middle[0], bottom), (middle, join), join)))
    return join


def _place_steps(drawing: Plan, steps: Sequence[Box], middle: float, y: float) -> tuple[float, bool]:
    """The steps from `y` downwards; answers where they end, and whether anybody comes out below."""
    comes = True
    for box in steps:
        area = Area(middle - BOX_WIDTH / 2, y + ROW_GAP, BOX_WIDTH, _height_of(box))
        if comes:
            drawing.lines.append(Line(((middle, y), (middle, area.y)), has_arrow=True))
        drawing.boxes.append((area, box))
        y = area.bottom
        if box.round:
            y = _place_round(drawing, box, middle, y)
        if box.ways:
            y = _place_ways(drawing, box.ways, middle, y)
        comes = not box.ends
    return y, comes


def _place_round(drawing: Plan, box: Box, middle: float, y: float) -> float:
    """The steps that are gone through again, in a frame."""
    width, top = _width_of(box.round) + 2 * FRAME_PADDING, y + ROW_GAP / 2
    drawing.lines.append(Line(((middle, y), (middle, top))))
    bottom, _comes = _place_steps(drawing, box.round, middle, top)  # the frame's heading stands in the gap of a row
    area = Area(middle - width / 2, top, width, bottom + FRAME_PADDING - top)
    drawing.frames.append(area)
    return area.bottom


def _place_ways(drawing: Plan, ways: Sequence[Way], middle: float, y: float) -> float:
    """The ways side by side, each with its label; answers where those that go on have come together again."""
    bar, label_y = y + LABEL_GAP, y + 2 * LABEL_GAP
    label_height = LABEL_HEIGHT + (NOTE_HEIGHT if any(way.note for way in ways) else 0)
    x = middle - _width_of_ways(ways) / 2
    going_on: list[tuple[float, float]] = []
    lowest = label_y
    for way in ways:
        width = _width_of_way(way)
        column = x + width / 2
        label_width = _width_of_label(way)
        drawing.lines.append(Line(_corner((middle, y), (column, label_y), bar)))
        drawing.labels.append(
            Label(Area(column - label_width / 2, label_y, label_width, label_height), way.label, way.note)
        )
        bottom, goes_on = _place_steps(drawing, way.steps, column, label_y + label_height)
        lowest = max(lowest, bottom)
        if goes_on:
            going_on.append((column, bottom))
        x += width + COLUMN_GAP
    join = lowest + ROW_GAP / 2
    for column, bottom in going_on:
        drawing.lines.append(Line(_corner((column, bottom), (middle, join + LABEL_GAP), join)))
    return join + LABEL_GAP if going_on else lowest


def _place_jumps(drawing: Plan, paper: Area) -> None:
    places = {box.id: area for area, box in drawing.boxes}
    jumps = [(area, box, places[box.target]) for area, box in drawing.boxes if box.target in places and box.target]
    if not jumps:
        return
    solids = [area.corners for area in drawing.solid()]
    fences = [area.corners for area in drawing.frames]
    router = Router(solids, [line.points for line in drawing.lines], fences, paper.corners)
    for area, box, target in jumps:
        points = router.route(area.corners, target.corners, leaves_below=box.ends)
        drawing.lines.append(Line(points, LineKind.JUMP, has_arrow=True))


def _place_asides(drawing: Plan, x: float) -> float:
    """Goal, exits and holdout, one below the other; answers where they end."""
    chart, y = drawing.chart, float(MARGIN + HEADING_HEIGHT)
    people = f"{chart.held_out:,} {'person' if chart.held_out == 1 else 'people'} so far" if chart.held_out else ""
    told = [
        ("Goal", [chart.goal] if chart.goal else []),
        ("Leaves at once when", list(chart.exits)),
        ("Held out", [f"{chart.holdout} get nothing, to measure the effect", people] if chart.holdout else []),
        ("At steps of other versions", [f"{chart.elsewhere:,}"] if chart.elsewhere else []),
    ]
    for title, texts in told:
        room = ASIDE_WIDTH - 2 * ASIDE_PADDING
        lines = tuple(line for text in texts for line in wrap(text, room, SMALL_SIZE, ASIDE_LINES))
        if not lines:
            continue
        height = 2 * ASIDE_PADDING + ASIDE_LINE * (len(lines) + 1)
        drawing.asides.append(Aside(Area(x, y, ASIDE_WIDTH, height), title, lines))
        y += height + COLUMN_GAP / 2
    return y - COLUMN_GAP / 2 if drawing.asides else 0


def _corner(start: Point, end: Point, bar: float) -> tuple[Point, ...]:
    """Down to the height `bar`, across, and on down."""
    if start[0] == end[0]:
        return start, end
    return start, (start[0], bar), (end[0], bar), end
