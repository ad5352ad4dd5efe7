"""When a campaign's message to one person is due: at an hour of everybody's own clock, or at the one they read at.

The same words as in a journey: `send_at: "17:30"` is the next such time of day, `best_time` the hour at which somebody
mostly opens and clicks, within a day of when the campaign reaches them. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from core.durations import Duration, add_calendar, at_local
from customers.workspace import Workspace
from delivery.best_time import Habits, best_time
from delivery.hour_rules import hours_rule, quiet_rule
from delivery.house_rules import in_force
from delivery.policy import is_open

BEST_TIME: Final = "best_time"


def next_clock(at: datetime, clock: time, zone: ZoneInfo) -> datetime:
    """The earliest instant from `at` (UTC) on at which the clocks of `zone` show `clock`."""
    today = at.astimezone(zone).date()
    # A day that a calendar leaves out puts its clock on the next one: hence the day before, and one to spare.
    instants = (at_local(today + timedelta(days=days), clock, zone) for days in range(-1, 4))
    return next(one for one in instants if one >= at)


def best_moment(
    at: datetime,
    habits: Habits,
    own_zone: ZoneInfo | None,
    default_zone: ZoneInfo,
    *,
    policy: Mapping[str, Any],
    workspace: Workspace,
    channel: str,
    expires_after: Duration | None,
) -> datetime:
    """The person's best hour within a day of `at`, outside quiet hours and over before the message lapses, or `at`."""
    zone = own_zone or default_zone
    policy = in_force(policy, workspace, channel)
    hours, quiet = hours_rule(policy, workspace), quiet_rule(policy, workspace)
    chosen = best_time(
        habits,
        zone,
        at,
        expires_at=add_calendar(at, expires_after, zone) if expires_after else None,
        is_open=lambda instant: is_open(hours, quiet, own_zone, instant),
    )
    return chosen.at
