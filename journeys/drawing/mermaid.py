"""A chart as Mermaid text (`flowchart TD`), for wherever Markdown is shown: GitHub draws it by itself.

Pure. Ids are numbers of our own and labels stand in quotes with entities, so that no name can be taken for syntax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from journeys.drawing.chart import Box, Chart, Family, Way

_SHAPES = {
    Family.MESSAGE: ('["', '"]'),
    Family.TIME: ('(["', '"])'),
    Family.WAY: ('{{"', '"}}'),
    Family.DATA: ('[/"', '"/]'),
    Family.PEOPLE: ('["', '"]'),
    Family.END: ('(("', '"))'),
}
_ENTITIES = str.maketrans({
    "#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "`": "#96;", "|": "#124;", "\\": "#92;", "\n": " ",
})  # fmt: skip

Loose = tuple[str, str]  # the end of a way that still leads somewhere: a node, and what is said on the line


def write(chart: Chart) -> str:
    """The text, with a line feed at its end."""
    writing = _Writing()
    loose: list[Loose] = []
    for number, (title, more) in enumerate(chart.entries, start=1):
        writing.lines.append(f'  e{number}(["{_said(title, more)}"])')
        loose.append((f"e{number}", ""))
    loose = writing.steps(chart.steps, loose)
    if loose:
        writing.lines.append('  done(("the end"))')
        writing.connect(loose, "done")
    writing.lines += [
        f"  {writing.nodes[box.id]} -.-> {writing.nodes[box.target]}"
        for box in writing.jumps
        if box.target is not None and box.target in writing.nodes
    ]
    return "\n".join(["flowchart TD", *writing.lines]) + "\n"


@dataclass(slots=True)
class _Writing:
    lines: list[str] = field(default_factory=list)
    nodes: dict[str, str] = field(default_factory=dict)
    jumps: list[Box] = field(default_factory=list)
    count: int = 0

    def steps(self, steps: Sequence[Box], loose: list[Loose]) -> list[Loose]:
        """Writes the steps below `loose`; answers the ends that lead on."""
        for box in steps:
            self.count += 1
            node = f"s{self.count}"
            self.nodes[box.id] = node
            before, after = _SHAPES[box.family]
            people = f"{box.people:,} here" if box.people else ""
            condition = f"if {box.condition}" if box.condition else ""
            self.lines.append(f"  {node}{before}{_said(box.name, box.text, condition, people)}{after}")
            self.connect(loose, node)
            if box.target is not None:
                self.jumps.append(box)
            loose = self._below(box, node)
        return loose

    def _below(self, box: Box, node: str) -> list[Loose]:
        if box.round:
            self.connect(self.steps(box.round, [(node, "again")]), node)
        if not box.ways:
            return [] if box.ends else [(node, "")]
        passes = [(node, "passed over")] if box.condition or box.is_disabled else []
        return passes + [end for way in box.ways for end in self._way(way, node)]

    def _way(self, way: Way, node: str) -> list[Loose]:
        label = f"{way.label}: {way.note}" if way.note else way.label
        return self.steps(way.steps, [(node, label)]) if way.steps else [(node, label)]

    def connect(self, loose: Sequence[Loose], node: str) -> None:
        for start, label in loose:
            self.lines.append(f'  {start} -->|"{_escaped(label)}"| {node}' if label else f"  {start} --> {node}")


def _said(*parts: str) -> str:
    return "<br/>".join(_escaped(part) for part in parts if part)


def _escaped(text: str) -> str:
    return text.translate(_ENTITIES)
