"""One small picture a family of steps, drawn in a square of 16 pixels; and the SVG that all drawings share."""

from __future__ import annotations

from collections.abc import Mapping

from journeys.drawing.chart import Family

ICONS: Mapping[Family, str] = {
    Family.MESSAGE: "M1.5 3.5h13v9h-13z M1.5 4l6.5 5 6.5-5",
    Family.TIME: "M8 1.5a6.5 6.5 0 1 0 .01 0z M8 4.5V8l2.6 1.8",
    Family.WAY: "M8 14.5v-5 M8 9.5C8 6 3.5 7 3.5 2.5 M8 9.5c0-3.5 4.5-2.5 4.5-7 M1.7 4.2l1.8-1.9 1.8 1.9"
    " M10.7 4.2l1.8-1.9 1.8 1.9",
    Family.DATA: "M2 2h5.5l6.5 6.5-5.5 5.5L2 7.5z M5 5h.01",
    Family.PEOPLE: "M8 8a3 3 0 1 0-.01 0z M2.5 14.5c0-3 2.4-4.5 5.5-4.5s5.5 1.5 5.5 4.5",
    Family.END: "M6.5 2h-4v12h4 M6.5 8h8 M11.5 5l3 3-3 3",
}  # fmt: skip

STYLE = """
svg{--paper:#fbfaf7;--card:#fff;--ink:#1d2823;--soft:#66736c;--edge:#dcd9d0;--line:#9aa59e;--pill:#f0eee7;
--message:#2f6f8f;--time:#a3742a;--way:#6b5aa6;--data:#4d7a52;--people:#a34f6e;--end:#8a5346;--good:#3d7a52;
font-family:"Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif}
@media (prefers-color-scheme:dark){svg{--paper:#151a18;--card:#1f2623;--ink:#eef0ea;--soft:#9fada5;--edge:#37413c;
--line:#66736c;--pill:#2a322e;--message:#7cb8d6;--time:#dcae63;--way:#b0a1e6;--data:#92c597;--people:#dd93af;
--end:#d69c8e;--good:#86c79b}}
.paper{fill:var(--paper)}.card{fill:var(--card);stroke:var(--edge)}.off{opacity:.5}
.name{fill:var(--ink);font-size:13px;font-weight:600}.text{fill:var(--soft);font-size:11.5px}
.if{fill:var(--soft);font-size:11px;font-style:italic}.title{fill:var(--ink);font-size:20px;font-weight:600}
.flow{fill:none;stroke:var(--line);stroke-width:1.5}.jump{fill:none;stroke:var(--way);stroke-width:1.5;
stroke-dasharray:5 4}.tip{fill:var(--line)}.jumptip{fill:var(--way)}
.frame{fill:none;stroke:var(--way);stroke-width:1.2;stroke-dasharray:3 4}.pill{fill:var(--pill);stroke:var(--edge)}
.label{fill:var(--ink);font-size:12px;font-weight:600;text-anchor:middle}
.note{fill:var(--soft);font-size:11px;text-anchor:middle}.icon{fill:none;stroke-width:1.5;stroke-linecap:round;
stroke-linejoin:round}.entry{fill:var(--card);stroke:var(--good);stroke-width:1.5}
.people{font-size:11.5px;font-weight:600;fill:var(--paper);text-anchor:middle}
.aside{fill:none;stroke:var(--edge)}.asidename{fill:var(--ink);font-size:12px;font-weight:600}
""".strip()  # fmt: skip
