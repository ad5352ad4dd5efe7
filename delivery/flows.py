"""What Prefect runs for delivery: the housekeeping of the send ledger. Sending itself is part of the heartbeat."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from core.runtime import open_runtime
from core.settings import load_settings
from delivery.housekeeping import keep_house
from delivery.ledger_report import as_markdown


@flow(name="keep-house")
def keep_house_flow(workspace: str) -> int:
    """Settle messages whose outcome will not come any more; answers how many there were."""
    with open_runtime(load_settings(), workspace) as runtime:
        state = keep_house(runtime)
    create_markdown_artifact(as_markdown(state), key="ledger", description="How your messages stand")
    return state.settled_count
