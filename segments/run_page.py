"""What a refresh did, as a marketer reads it on its run page: counts, and no people."""

from __future__ import annotations

from collections.abc import Sequence

from segments.refresh import RefreshResult


def as_markdown(results: Sequence[RefreshResult]) -> str:
    """A table with one line a segment."""
    if not results:
        return "No segment is published yet. Run `postilion apply` in the project folder."
    lines = ["| Segment | Members | Entered | Left | Seconds |", "| --- | ---: | ---: | ---: | ---: |"]
    lines += [
        f"| {one.segment} | {one.member_count:,} | {one.entered:,} | {one.left:,} | {one.seconds:.1f} |"
        for one in results
    ]
    return "\n".join(lines)
