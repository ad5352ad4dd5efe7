"""Deployments as Prefect knows them: registered under a tag of our own, asked for runs, and paused when withdrawn."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import DeploymentSort, FlowRunSort
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.schedules import Cron as PrefectCron
from prefect.schedules import Interval as PrefectInterval
from prefect.schedules import RRule, Schedule
from prefect.states import Crashed

from cli.serving.deployments import Deployment
from cli.serving.schedules import Calendar, Cron, Interval, Timing
from core.clock import Clock

_GOING = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_SOON = timedelta(minutes=1)
_PAGE = 200


def as_prefect(timing: Timing) -> Schedule:
    match timing:
        case Interval():
            return PrefectInterval(timing.every, anchor_date=timing.anchor)
        case Cron():
            return PrefectCron(timing.line, timezone=timing.zone)
        case Calendar():
            return RRule(timing.rule, timezone=timing.zone)


async def register(runner: Runner, workspace: str, deployment: Deployment) -> UUID:
    """Make Prefect know `deployment` as it is now, and `runner` run it."""
    return await runner.aadd_deployment(
        RunnerDeployment.from_entrypoint(
            deployment.entrypoint,
            name=_full_name(workspace, deployment.name),
            schedules=[as_prefect(deployment.timing)],
            parameters=dict(deployment.parameters),
            description=deployment.words,
            tags=[_tag(workspace)],
            paused=False,
        )
    )


async def pause_others(workspace: str, names: Collection[str]) -> list[str]:
    """Pause what was registered for `workspace` and is not among `names`; its runs stay to be looked at."""
    wanted = {_full_name(workspace, name) for name in names}
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[_tag(workspace)]))
    paused = []
    async with get_client() as client:
        found = await client.read_deployments(deployment_filter=ours, limit=_PAGE, sort=DeploymentSort.NAME_ASC)
        for deployment in found:
            if deployment.name not in wanted and not deployment.paused:
                await client.pause_deployment(deployment.id)
                paused.append(deployment.name.removeprefix(f"{workspace}-"))
    return paused


async def start_now(deployment_id: UUID, clock: Clock) -> bool:
    """Ask for a run unless one is under way or about to begin; answers whether one was asked for."""
    async with get_client() as client:
        about_to_begin = FlowRunFilter(
            deployment_id=FlowRunFilterDeploymentId(any_=[deployment_id]),
            state=_in_state(*_GOING, StateType.SCHEDULED),
            expected_start_time=_expected_before(clock.now() + _SOON),
        )
        if await _runs(client, about_to_begin):
            return False
        await client.create_flow_run_from_deployment(deployment_id)
        return True


async def clear_up(clock: Clock) -> int:
    """End the runs of a server that was killed: nobody else ever will. Only for a server that is ours alone.

    What was under way has crashed; what should have begun while nothing ran is forgotten, because our own records say
    what is still to be done. Answers how many runs had crashed.
    """
    async with get_client() as client:
        crashed = await _runs(client, FlowRunFilter(state=_in_state(*_GOING)))
        for run_id in crashed:
            await client.set_flow_run_state(run_id, Crashed(message="The engine was killed meanwhile."), force=True)
        overdue = _expected_before(clock.now())
        missed = FlowRunFilter(state=_in_state(StateType.SCHEDULED), expected_start_time=overdue)
        for run_id in await _runs(client, missed):
            await client.delete_flow_run(run_id)
    return len(crashed)


async def _runs(client: PrefectClient, wanted: FlowRunFilter) -> list[UUID]:
    # Limit and sort are named, because this server refuses the client's own defaults.
    runs = await client.read_flow_runs(flow_run_filter=wanted, limit=_PAGE, sort=FlowRunSort.EXPECTED_START_TIME_ASC)
    return [run.id for run in runs]


def _in_state(*kinds: StateType) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(kinds)))


def _expected_before(instant: datetime) -> FlowRunFilterExpectedStartTime:
    return FlowRunFilterExpectedStartTime.model_validate({"before_": instant})


def _full_name(workspace: str, name: str) -> str:
    return f"{workspace}-{name}"


def _tag(workspace: str) -> str:
    return f"postilion:{workspace}"
