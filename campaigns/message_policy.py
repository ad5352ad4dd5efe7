"""The hours and limits that hold for a message, as the plain document that delivery judges it by.

They are frozen when the message is made: the workspace's own beside those of the campaign or journey it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from customers.workspace import Hours, Limit, Workspace
from delivery.send_window import Closed
from delivery.spreading import THROTTLE


def policy_document(
    workspace: Workspace,
    channel: str,
    *,
    quiet_hours: Hours | None = None,
    limits: Sequence[Limit] = (),
    windows: Mapping[str, str] | None = None,
    closed: Sequence[Closed] = (),
    throttle: float | None = None,
    timezone: str | None = None,
    ignores_quiet_hours: bool = False,
    ignores_limits: bool = False,
    asks_again: bool = False,
) -> dict[str, Any]:
    """`NewMessage.policy` of a message over `channel`; `timezone` stands in for profiles without one.

    Own quiet hours take the place of the workspace's, own limits stand beside them. `windows` are by channel, as
    `delivery.send_window.write_window` writes them; `throttle` is in messages a second. `asks_again`: after a hold its
    journey is asked before it goes.
    """
    document: dict[str, Any] = {}
    hours = None if ignores_quiet_hours else quiet_hours or workspace.quiet_hours
    if hours is not None and (not hours.channels or channel in hours.channels):
        document["quiet_hours"] = {
            "from": hours.start.isoformat("minutes"),
            "to": hours.end.isoformat("minutes"),
            "then": hours.then,
            "no_timezone": hours.no_timezone,
        }
    if windows and channel in windows:
        document["send_window"] = windows[channel]
    if days := [str(one) for one in closed if not one.channels or channel in one.channels]:
        document["closed"] = days
    if throttle is not None:
        document[THROTTLE] = throttle
    if asks_again:
        document["asks_again"] = True
    if timezone is not None:
        document["timezone"] = timezone
    if not ignores_limits:
        stated = [_limit(one) for one in (*workspace.limits, *limits) if one.channel in (None, channel)]
        if stated:
            document["limits"] = stated
    return document


def _limit(limit: Limit) -> dict[str, Any]:
    stated = {
        "messages": limit.messages,
        "per_s": None if limit.per is None else int(limit.per.as_elapsed().total_seconds()),
        "channel": limit.channel,
        "topic": limit.topic,
        "scope": limit.scope,
        "then": limit.then,
    }
    return {key: value for key, value in stated.items() if value is not None or key == "per_s"}
