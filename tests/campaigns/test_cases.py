"""A complaint keeps promotions away while it is unsettled, and no longer."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from campaigns.launch import launch_campaign
from campaigns.schedule import Occurrence
from core.errors import ConfigError
from core.runtime import Runtime
from customers.task_moves import Finish, Move, Take
from customers.task_tables import TaskKind
from customers.tasks import NewTask, change_task, create_tasks
from customers.workspace import get_workspace
from delivery.tables import message
from tests.campaigns.shop import NOW, open_shop

PROMOTION = """\
campaign: summer
send: manual
email: plain
topic: marketing
to:
  - {segment: newsletter}
  - not: {case: {status: {in: [open, in_progress]}}}
"""


def launch(runtime: Runtime, hour: int) -> set[int]:
    """Who gets a message by a launch of that hour."""
    now = NOW + timedelta(hours=hour)
    result = launch_campaign(runtime, "summer", Occurrence(now), now)
    with runtime.database.read() as connection:
        return set(connection.scalars(select(message.c.profile_id).where(message.c.origin_id == result.launch_id)))


def change(runtime: Runtime, task_id: str, move: Move) -> None:
    with runtime.database.transaction() as connection:
        change_task(connection, runtime.vault, get_workspace(connection), task_id, move, NOW)


def test_people_with_an_unsettled_case_get_no_promotion_when_a_campaign_is_launched(runtime: Runtime) -> None:
    alice, bob, carol = open_shop(runtime, PROMOTION, people=3)
    with runtime.database.transaction() as connection:
        workspace = get_workspace(connection)
        new = [
            NewTask("complaint", "The kettle leaks", TaskKind.COMPLAINT, alice),
            NewTask("call", "Say thank you", TaskKind.TO_DO, bob),
        ]
        create_tasks(connection, runtime.vault, workspace, new, NOW)
    assert launch(runtime, 1) == {bob, carol}
    change(runtime, "complaint", Take("Kim"))
    assert launch(runtime, 2) == {bob, carol}
    change(runtime, "complaint", Finish("replaced"))
    assert launch(runtime, 3) == {alice, bob, carol}


def test_a_launch_is_refused_when_it_asks_for_a_case_that_cannot_be(runtime: Runtime) -> None:
    open_shop(runtime, PROMOTION.replace("open", "opne"), people=1)
    with pytest.raises(ConfigError, match="did you mean 'open'"):
        launch(runtime, 1)
