"""What Prefect runs for insights: one call to `renew_insights`, and the model card on the run's page."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from core.runtime import open_runtime
from core.settings import load_settings
from insights.card_page import as_markdown
from insights.renew import renew_insights


@flow(name="renew-insights")
def renew_insights_flow(workspace: str) -> dict[str, int]:
    """Learn from all purchases, check, and keep scores; answers how many people have each."""
    with open_runtime(load_settings(), workspace) as runtime:
        card = renew_insights(runtime)
    create_markdown_artifact(as_markdown(card), key="model-card", description="What the scores are worth")
    return {score.name: score.count for score in card.scores}
