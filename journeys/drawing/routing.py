"""The way of a jump through a drawing: around everything that stands there, short, with few corners and crossings.

Pure. The cheapest way on a grid of lanes beside the boxes (Dijkstra 1959); to draw over a line that is there costs
extra, so that two jumps stay apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import pairwise

Point = tuple[float, float]
Rectangle = tuple[float, float, float, float]  # left, top, right, bottom

_LANES = (10.0, 18.0)  # pixels beside a box
_AIR = 7.0  # pixels that a way stays off a box
_CORNER, _CROSSING, _FENCE = 60.0, 24.0, 400.0  # as dear as so many pixels more
_OVER = 6.0  # for each pixel that is drawn over a line

_Place = tuple[int, int, bool]  # column and row of the grid, and whether the way came there sideways


class Router:
    """`solids` are not to be crossed, `lines` may be, and `fences` only by who lives inside; the ways lie within
    `paper`.
    """

    def __init__(
        self,
        solids: Sequence[Rectangle],
        lines: Iterable[Sequence[Point]],
        fences: Sequence[Rectangle],
        paper: Rectangle,
    ) -> None:
        left, top, right, bottom = paper
        xs = {left + lane for lane in _LANES} | {right - lane for lane in _LANES}
        ys: set[float] = set()
        for one_left, one_top, one_right, one_bottom in [*solids, *fences]:
            xs |= {x for lane in _LANES for x in (one_left - lane, one_right + lane)}
            xs.add((one_left + one_right) / 2)
            ys |= {one_top - _LANES[0], (one_top + one_bottom) / 2, one_bottom + _LANES[0]}
        self._xs = sorted(x for x in xs if left < x < right)
        self._ys = sorted(y for y in ys if top < y < bottom)
        self._blocked: set[_Place] = set()
        self._cost: defaultdict[_Place, float] = defaultdict(float)
        for solid in solids:
            self._block(solid)
        for line in lines:
            self._note(line)
        for fence in fences:
            self._note(_outline(fence), _FENCE)

    def route(self, source: Rectangle, target: Rectangle, *, leaves_below: bool) -> tuple[Point, ...]:
        """From the edge of `source` into a side of `target`; straight where there is no way around."""
        starts = [(source[2], _middle(source)[1], True, 1), (source[0], _middle(source)[1], True, -1)]
        starts += [(_middle(source)[0], source[3], False, 1)] if leaves_below else []
        ends = {self._beside(target, side): (target[2] if side > 0 else target[0]) for side in (1, -1)}
        best: dict[_Place, float] = {}
        before: dict[_Place, _Place | Point] = {}
        waiting: list[tuple[float, _Place]] = []
        for x, y, is_sideways, way in starts:
            place = self._next_to(x, y, is_sideways=is_sideways, way=way)
            best[place], before[place] = _LANES[0], (x, y)
            heappush(waiting, (_LANES[0], place))
        while waiting:
            cost, place = heappop(waiting)
            if cost > best[place]:
                continue
            if place[:2] in ends and place[2]:
                edge = (ends[place[:2]], _middle(target)[1])
                points = _straightened([*self._led(before, place), edge])
                self._note(points)
                return points
            for following, more in self._ways_on(place):
                if cost + more < best.get(following, float("inf")):
                    best[following], before[following] = cost + more, place
                    heappush(waiting, (cost + more, following))
        return _middle(source), _middle(target)

    def _ways_on(self, place: _Place) -> Iterable[tuple[_Place, float]]:
        column, row, is_sideways = place
        yield (column, row, not is_sideways), _CORNER
        for step in (1, -1):
            column_on, row_on = (column + step, row) if is_sideways else (column, row + step)
            if not (0 <= column_on < len(self._xs) and 0 <= row_on < len(self._ys)):
                continue
            edge = (min(column, column_on), min(row, row_on), is_sideways)
            if edge not in self._blocked:
                length = abs(self._xs[column_on] - self._xs[column]) + abs(self._ys[row_on] - self._ys[row])
                yield (column_on, row_on, is_sideways), length + self._cost[edge]

    def _block(self, solid: Rectangle) -> None:
        left, top, right, bottom = solid[0] - _AIR, solid[1] - _AIR, solid[2] + _AIR, solid[3] + _AIR
        for is_sideways, (start, end), (low, high) in (
            (True, (left, right), (top, bottom)), (False, (top, bottom), (left, right)),
        ):  # fmt: skip
            along, across = (self._xs, self._ys) if is_sideways else (self._ys, self._xs)
            for line in range(bisect_left(across, low), bisect_left(across, high)):
                for place in range(max(0, bisect_left(along, start) - 1), bisect_left(along, end)):
                    self._blocked.add(_edge(place, line, is_sideways=is_sideways))

    def _note(self, line: Sequence[Point], crossing: float = _CROSSING) -> None:
        """What it costs to cross a line that is there, and to run along it."""
        for (x, y), (next_x, next_y) in pairwise(line):
            is_sideways = y == next_y
            along, across = (self._xs, self._ys) if is_sideways else (self._ys, self._xs)
            level, start, end = (y, *sorted((x, next_x))) if is_sideways else (x, *sorted((y, next_y)))
            first, last = bisect_left(along, start), bisect_left(along, end)
            beside = bisect_left(across, level)
            for place in range(first, last):  # those that go across
                self._cost[_edge(max(0, beside - 1), place, is_sideways=not is_sideways)] += crossing
            for row in (beside - 1, beside):
                if 0 <= row < len(across) and abs(across[row] - level) < _LANES[0] / 2:
                    for place in range(max(0, first - 1), min(last, len(along) - 1)):
                        over = min(along[place + 1], end) - max(along[place], start)
                        self._cost[_edge(place, row, is_sideways=is_sideways)] += max(0.0, over) * _OVER

    def _beside(self, target: Rectangle, side: int) -> tuple[int, int]:
        x = target[2] if side > 0 else target[0]
        return self._next_to(x, _middle(target)[1], is_sideways=True, way=side)[:2]

    def _next_to(self, x: float, y: float, *, is_sideways: bool, way: int) -> _Place:
        lane = _LANES[0] * way
        x, y = (x + lane, y) if is_sideways else (x, y + lane)
        return _nearest(self._xs, x), _nearest(self._ys, y), is_sideways

    def _led(self, before: dict[_Place, _Place | Point], place: _Place) -> list[Point]:
        points: list[Point] = []
        current: _Place | Point = place
        while len(current) == 3:
            points.append((self._xs[current[0]], self._ys[current[1]]))
            current = before[current]
        return [current, *reversed(points)]


def _edge(along: int, across: int, *, is_sideways: bool) -> _Place:
    return (along, across, True) if is_sideways else (across, along, False)


def _outline(one: Rectangle) -> Sequence[Point]:
    left, top, right, bottom = one
    return (left, top), (right, top), (right, bottom), (left, bottom), (left, top)


def _middle(one: Rectangle) -> Point:
    return (one[0] + one[2]) / 2, (one[1] + one[3]) / 2


def _nearest(lines: Sequence[float], value: float) -> int:
    place = bisect_left(lines, value)
    return min((one for one in (place - 1, place) if 0 <= one < len(lines)), key=lambda one: abs(lines[one] - value))


def _straightened(points: Sequence[Point]) -> tuple[Point, ...]:
    """Without points that lie on the way between their neighbours."""
    kept = [points[0]]
    for place, point in enumerate(points[1:-1], start=1):
        after = points[place + 1]
        is_straight = kept[-1][0] == point[0] == after[0] or kept[-1][1] == point[1] == after[1]
        if point != kept[-1] and not is_straight:
            kept.append(point)
    return (*kept, points[-1])
