"""What Prefect runs for the recommender: nothing but opening the edges and writing what a marketer reads."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from core.runtime import open_runtime
from core.settings import load_settings
from recommender.renew import renew_rules
from recommender.rule_report import tell_rule_set, top_rules


@flow(name="mine-rules")
def mine_rules_flow(workspace: str) -> str:
    """Mine the orders of a workspace anew and publish the rules if they are good enough; answers their status."""
    with open_runtime(load_settings(), workspace) as runtime:
        result = renew_rules(runtime)
        with runtime.database.read() as connection:
            told = tell_rule_set(result, top_rules(connection, result.id))
    create_markdown_artifact(told, key="bought-together", description="What is bought together")
    return result.status.value
