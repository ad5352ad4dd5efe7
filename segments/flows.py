"""What Prefect runs for segments: one call to `refresh`, and a run page that a marketer can read."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from core.runtime import open_runtime
from core.settings import load_settings
from segments.refresh import refresh_all
from segments.run_page import as_markdown


@flow(name="refresh-segments")
def refresh_segments_flow(workspace: str, only: list[str] | None = None) -> dict[str, int]:
    """Refresh every published segment of a workspace, or those named; answers how many people are in each."""
    with open_runtime(load_settings(), workspace) as runtime:
        results = refresh_all(runtime, only)
    create_markdown_artifact(as_markdown(results), key="segments", description="Who is in which segment")
    return {result.segment: result.member_count for result in results}
