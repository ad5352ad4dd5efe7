"""What Prefect runs for the workspace as a whole: letting go of what is old enough."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from console.retention import keep_retention
from console.retention_report import as_markdown
from core.runtime import open_runtime
from core.settings import load_settings


@flow(name="keep-retention")
def keep_retention_flow(workspace: str) -> int:
    """Let go of what is older than workspace.yaml says; answers how many rows that were."""
    with open_runtime(load_settings(), workspace) as runtime:
        kept = keep_retention(runtime, runtime.clock.now())
    create_markdown_artifact(as_markdown(kept), key="retention", description="What was let go of")
    return sum(one.count for one in kept.gone)
