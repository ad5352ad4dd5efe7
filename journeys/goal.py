"""Which event is the goal of a run, until when one may be, and which message is credited with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from core.durations import add_calendar
from journeys.conditions import HAPPENINGS, matches
from journeys.model import Goal
from journeys.questions import Event
from journeys.steps.run import Run
from segments.language.rules import Happening

DELIVERED = HAPPENINGS[Happening.DELIVERED]


def goal_ends_at(run: Run) -> datetime:
    """The instant from which on nothing is the goal any more."""
    return add_calendar(run.enrolment.entered_at, run.journey.goal_within, run.zone)


def find_credited(run: Run, goal: Event) -> str | None:
    """The id of the run's last message that was delivered before its goal; what is reported later moves nothing."""
    if not run.messages:
        return None
    own = [
        event
        for event in run.happened((DELIVERED,), run.enrolment.entered_at)
        if event.properties.get("origin_id") == run.enrolment.uid and event.occurred_at <= goal.occurred_at
    ]
    return str(own[-1].properties["message_id"]) if own else None


def find_goal(goal: Goal, run: Run, events: Iterable[Event]) -> Event | None:
    """The first of `events` that happened in time, by `occurred_at`, and is what the journey wants."""
    named = [event for event in events if event.name in goal.names]
    if not named:
        return None
    start, end = run.enrolment.entered_at, goal_ends_at(run)
    in_time = (event for event in named if start <= event.occurred_at < end)
    return next((event for event in in_time if matches(goal.where, event, run.ground)), None)
