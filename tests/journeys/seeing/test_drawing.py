"""Drawings of journeys: everything in its place, every text within its box, and nothing that a browser complains of."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from core.errors import Fault
from core.located import KeyPath, load_yaml
from journeys.definition import read_journey
from journeys.drawing import mermaid
from journeys.drawing.chart import Chart, chart_of, iter_boxes
from journeys.drawing.counting import read_chart
from journeys.drawing.layout import Area, LineKind, Plan, plan
from journeys.drawing.svg import draw
from journeys.drawing.text import ELLIPSIS, fit, width_of, wrap
from journeys.wording.versions import Version
from tests.journeys.test_traces import CART, WELCOME
from tests.journeys.town import Town, at
from tests.tracking.chromium import chromium

Golden = Callable[[str, str], None]
FORTY = (Path(__file__).parent / "forty.yaml").read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"
JOURNEYS = pytest.mark.parametrize("text", [WELCOME, CART, FORTY], ids=["welcome", "abandoned_cart", "forty"])


def chart(text: str, /, **people: int) -> Chart:
    located, faults = load_yaml(text.encode(), "journey.yaml")
    assert located is not None, faults

    def fault(code: str, _path: KeyPath, message: str, hint: str = "", **_place: Any) -> Fault:
        return Fault("journey.yaml", 1, 1, code, message, hint)

    journey, _ = read_journey(located.data, fault, version=3)
    return chart_of(Version(located.data, journey, at("2026-06-01")), people)


def crowded(text: str) -> Plan:
    """Laid out with a great many people at every step."""
    return plan(chart(text, **{box.id: 1_234_567 for box in iter_boxes(chart(text).steps)}))


@JOURNEYS
def test_nothing_covers_anything_else_when_a_journey_is_laid_out(text: str) -> None:
    drawing = crowded(text)
    areas = list(drawing.solid())
    assert len(drawing.boxes) == len(iter_boxes(drawing.chart.steps)) >= 5
    assert [pair for pair in combinations(areas, 2) if pair[0].overlaps(pair[1])] == []
    for area in [*areas, *drawing.frames]:
        assert 0 <= area.x < area.right <= drawing.width
        assert 0 <= area.y < area.bottom <= drawing.height


@JOURNEYS
def test_the_flow_goes_downwards_and_through_no_box_when_a_journey_is_laid_out(text: str) -> None:
    drawing = crowded(text)
    boxes = [area for area, _box in drawing.boxes]
    for line in drawing.lines:
        if line.kind is LineKind.JUMP:
            continue
        heights = [y for _x, y in line.points]
        assert heights == sorted(heights)
        for (x, y), (next_x, next_y) in pairwise(line.points):
            for box in boxes:
                is_beside = max(x, next_x) <= box.x or min(x, next_x) >= box.right
                assert is_beside or next_y <= box.y or y >= box.bottom


def test_a_repeat_frames_what_is_gone_through_again_when_it_is_drawn() -> None:
    drawing = crowded(FORTY)
    (frame,) = drawing.frames
    inside = {box.id for area, box in drawing.boxes if frame.x <= area.x and area.right <= frame.right
              and frame.y <= area.y and area.bottom <= frame.bottom}  # fmt: skip
    assert inside == {"l1", "l2", "l3", "l4", "l5"}


def test_a_jump_leads_from_each_goto_to_its_target_when_it_is_drawn() -> None:
    drawing = crowded(FORTY)
    assert sum(line.kind is LineKind.JUMP for line in drawing.lines) == 2


def test_a_jump_goes_around_everything_that_stands_in_its_way() -> None:
    drawing = crowded(FORTY)
    solids = list(drawing.solid())
    for line in drawing.lines:
        if line.kind is not LineKind.JUMP:
            continue
        (_, arrives), (end, level) = line.points[-2:]
        assert arrives == level, "it comes to its target from the side"
        assert any(end in (area.x, area.right) and area.y < level < area.bottom for area, _box in drawing.boxes)
        for (x, y), (next_x, next_y) in pairwise(line.points):
            assert x == next_x or y == next_y
            way = Area(min(x, next_x), min(y, next_y), abs(next_x - x), abs(next_y - y))
            assert [area for area in solids if way.overlaps(area)] == []
            assert 0 < way.x <= way.right < drawing.width


def test_two_jumps_do_not_lie_upon_each_other() -> None:
    ways = ", ".join(f"{{if: {{attribute: x, is: {name}}}, then: [{{id: {name}, goto: z}}]}}" for name in "ab")
    rest = ", ".join(f"{{id: {name}, wait: 1d}}" for name in "mnz")
    text = f"journey: twice\nenter: {{event: a}}\nsteps: [{{choose: [{ways}]}}, {rest}]\n"
    jumps = [line.points for line in crowded(text).lines if line.kind is LineKind.JUMP]
    assert len(jumps) == 2
    lanes = [{x for (x, y), (next_x, next_y) in pairwise(points) if x == next_x} for points in jumps]
    assert not lanes[0] & lanes[1]


@JOURNEYS
def test_every_text_stays_within_its_shape_when_a_browser_shows_the_drawing(text: str, tmp_path: Path) -> None:
    file = tmp_path / "journey.svg"
    file.write_text(draw(crowded(text)), encoding="utf-8")
    with chromium() as tab:
        for dark in (False, True):
            tab.open(file.as_uri(), dark=dark)
            assert tab.run(_ESCAPED_TEXTS) == []
        assert tab.complaints == []


_ESCAPED_TEXTS = """
(() => {
  const out = [], root = document.documentElement.viewBox.baseVal;
  for (const text of document.querySelectorAll('g > text')) {
    const shape = text.parentNode.querySelector('rect').getBBox(), box = text.getBBox();
    if (box.x < shape.x || box.x + box.width > shape.x + shape.width || box.y < shape.y
        || box.y + box.height > shape.y + shape.height) out.push(text.textContent);
  }
  for (const text of document.querySelectorAll('text')) {
    const box = text.getBBox();
    if (box.x < 0 || box.x + box.width > root.width) out.push(text.textContent);
  }
  return out;
})()
"""


@JOURNEYS
def test_the_drawing_is_whole_and_has_no_script_when_it_is_read_as_xml(text: str) -> None:
    root = ET.fromstring(draw(crowded(text)))
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags == {"svg", "title", "desc", "style", "rect", "g", "path", "text"}
    assert root.get("role") == "img"
    assert "1,234,567 people" in (root.findtext(f"{SVG}desc") or "")
    assert "prefers-color-scheme:dark" in (root.findtext(f"{SVG}style") or "")


@JOURNEYS
def test_the_mermaid_text_reads_as_the_golden_one_when_a_journey_is_written(text: str, golden: Golden) -> None:
    drawn = chart(text, hello=12, reminder=3, a1=1)
    golden(f"journeys/{drawn.slug}.mmd", mermaid.write(drawn))


def test_names_mean_nothing_to_mermaid_when_they_look_like_its_syntax() -> None:
    awaited = 'wait_for: {event: x, where: {y: "]|<b>\\"#end"}}, timeout: 1d'
    text = f"journey: odd\nenter: {{event: a}}\nsteps: [{{id: a, {awaited}}}]\n"
    assert "]#124;#lt;b#gt;#quot;#35;end" in mermaid.write(chart(text))


def test_people_are_counted_at_their_steps_when_a_published_journey_is_drawn(town: Town) -> None:
    for name in ("alice", "bob", "carol"):
        town.person(name)
    town.journey("journey: rest\nenter: {event: signed_up}\nsteps: [{id: one, wait: 1d}, {id: two, wait: 1d}]\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T08:00")
    town.log("signed_up", "bob")
    town.log("signed_up", "carol")
    town.work()
    town.journey("journey: rest\nenter: {event: signed_up}\nsteps: [{id: one, wait: 3d}]\n")
    with town.runtime.database.read() as connection:
        newest, first = read_chart(connection, "rest"), read_chart(connection, "rest", 1)
    assert (newest.version, {box.id: box.people for box in newest.steps}, newest.elsewhere) == (2, {"one": 2}, 1)
    assert (first.version, {box.id: box.people for box in first.steps}, first.elsewhere) == (1, {"one": 2, "two": 1}, 0)


def test_text_is_cut_to_its_room_when_it_is_too_long() -> None:
    for text in ("welcome", "W" * 80, "a b c " * 40, "日本語" * 30):
        cut = fit(text, 120, 13, bold=True)
        assert width_of(cut, 13, bold=True) <= 120
        assert cut == text or cut.endswith(ELLIPSIS)
        assert all(width_of(line, 11.5) <= 120 for line in wrap(text, 120, 11.5, 3))
    assert wrap("one two three", 1_000, 12, 2) == ["one two three"]
