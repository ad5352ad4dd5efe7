"""What Prefect runs for segments: one call to `refresh`, and a run page that a marketer can read."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from core.runtime import open_runtime
from core.settings import load_settings
from segments.audit import audit_segments
from segments.exports.due import export_due
from segments.ranks.ranking import rank_everybody
from segments.refresh import refresh_all
from segments.run_page import as_markdown, audit_as_markdown, export_as_markdown, ranks_as_markdown


@flow(name="refresh-segments")
def refresh_segments_flow(workspace: str, only: list[str] | None = None) -> dict[str, int]:
    """Refresh every published segment of a workspace, or those named; answers how many people are in each."""
    with open_runtime(load_settings(), workspace) as runtime:
        results = refresh_all(runtime, only)
    create_markdown_artifact(as_markdown(results), key="segments", description="Who is in which segment")
    return {result.segment: result.member_count for result in results}


@flow(name="audit-segments")
def audit_segments_flow(workspace: str) -> int:
    """Compare every membership with its rule; answers how many differ."""
    with open_runtime(load_settings(), workspace) as runtime:
        found = audit_segments(runtime)
    create_markdown_artifact(audit_as_markdown(found), key="audit", description="Whether memberships are right")
    return len(found)


@flow(name="rank-segments")
def rank_segments_flow(workspace: str) -> dict[str, int]:
    """Rank everybody anew, then refresh every segment; answers how many people have a place in each ranking."""
    with open_runtime(load_settings(), workspace) as runtime:
        runs = rank_everybody(runtime)
        results = refresh_all(runtime) if runs else []
    create_markdown_artifact(ranks_as_markdown(runs, results), key="ranks", description="Who has which place")
    return {run.words: run.counted for run in runs}


@flow(name="export-segment")
def export_segment_flow(workspace: str, segment: str) -> int:
    """Write today's export of one segment, unless it is there; answers how many people are in the file."""
    with open_runtime(load_settings(), workspace) as runtime:
        exported = export_due(runtime, segment, runtime.clock.now())
    page = export_as_markdown(exported)
    create_markdown_artifact(page, key=f"export-{segment.replace('_', '-')}", description="Which file was written")
    return exported.rows or 0
