"""What a run of retention came to, as it reads on a run page: counts, and no people."""

from __future__ import annotations

from console.retention import Kept


def as_markdown(kept: Kept) -> str:
    lines = ["| What | Older than | Rows |", "| --- | --- | ---: |"]
    for one in kept.gone:
        before = f"{one.before:%Y-%m-%d}" if one.before else ""
        lines.append(f"| {one.words} | {before} | {one.count:,} |")
    if not kept.is_all:
        lines += ["", "There was more than one run may take: the next run goes on."]
    return "\n".join(lines)
