"""What Prefect runs for campaigns: launching what their schedules have due. Sending is part of the heartbeat."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from prefect import flow
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.runtime import flow_run

from campaigns.due import find_due
from campaigns.launch import LaunchResult, launch_campaign
from campaigns.reporting.wording import reason
from campaigns.run_page import as_markdown, moment_of_run
from core.runtime import open_runtime
from core.settings import load_settings


@flow(name="launch-due")
def launch_due_flow(workspace: str, campaign: str) -> dict[str, int]:
    """Launch what the schedule of a campaign has due now; answers how many people each launch addressed."""
    with open_runtime(load_settings(), workspace) as runtime:
        now = moment_of_run(runtime.clock.now(), flow_run.scheduled_start_time)
        with runtime.database.read() as connection:
            due = find_due(connection, campaign, now)
        results = [launch_campaign(runtime, campaign, one, now, _Bar(campaign, one.key)) for one in due]
    _tell(campaign, results)
    return {result.occurrence: result.member_count for result in results}


class _Bar:
    """A progress bar on the run page, moved once in a while."""

    def __init__(self, campaign: str, occurrence: str) -> None:
        self._shown = 0.0
        made = create_progress_artifact(progress=0.0, description=f"{campaign}, {occurrence}: people addressed")
        assert isinstance(made, UUID)  # this is no coroutine, so it was waited for
        self._id = made

    def __call__(self, done: int, total: int) -> None:
        share = 100.0 if done >= total else 100 * done / total
        if share - self._shown >= 1:
            self._shown = share
            update_progress_artifact(self._id, share)


def _tell(campaign: str, results: Sequence[LaunchResult]) -> None:
    create_markdown_artifact(as_markdown(campaign, results), key="launch", description="What this launch did")
    rows = [{"what": reason(word), "people": count} for result in results for word, count in result.counts.items()]
    if rows:
        create_table_artifact(rows, key="audience", description="What becomes of everybody who is addressed")
