"""What a refresh did, as a marketer reads it on its run page: counts, and no people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from segments.audit import Difference, DifferenceKind
from segments.exports.due import Exported
from segments.ranks.ranking import RankRun
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


def audit_as_markdown(found: Sequence[Difference]) -> str:
    """A sentence, and a table of the segments in which something differs."""
    if not found:
        return "Every membership is what its rule says."
    counts = Counter((one.segment, one.kind) for one in found)
    lines = ["| Segment | Missing | Wrongly in |", "| --- | ---: | ---: |"]
    lines += [
        f"| {slug} | {counts[slug, DifferenceKind.MISSING]:,} | {counts[slug, DifferenceKind.EXTRA]:,} |"
        for slug in sorted({one.segment for one in found})
    ]
    return "\n".join([f"**{len(found):,} memberships differ from their rules.**", "", *lines])


def ranks_as_markdown(runs: Sequence[RankRun], results: Sequence[RefreshResult]) -> str:
    """A table with one line a ranking, and below it the segments that were refreshed afterwards."""
    if not runs:
        return "No published file asks for a rank."
    lines = ["| Ranked by | People | Came or went | Seconds |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {run.words} | {run.counted:,} | {run.touched:,} | {run.seconds:.1f} |" for run in runs]
    return "\n".join([*lines, "", as_markdown(results)])


def export_as_markdown(exported: Exported) -> str:
    """One sentence, with the file's name."""
    if exported.rows is None:
        return f"Nothing to write: it is not the day of `{exported.segment}`, or `{exported.file}` is there already."
    return f"{exported.rows:,} members of `{exported.segment}` are in `{exported.file}`."
