"""What a campaign or a journey says of the hours and limits of a message, as the plain document that goes with it.

It is kept as it was when the message was made. The workspace's own rules are not in it: delivery reads those at the
moment at which it judges (`delivery.house_rules`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from customers.workspace import Hours, Limit
from delivery.house_rules import HOUSE, is_for, write_hours, write_limits
from delivery.send_window import Closed
from delivery.spreading import THROTTLE


def policy_document(
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

    Own quiet hours take the place of the workspace's, on channels too that they leave out; own limits stand beside
    them. `windows` are by channel, as `delivery.send_window.write_window` writes them; `throttle` is in messages a
    second. `asks_again`: after a hold its journey is asked before it goes.
    """
    document: dict[str, Any] = {HOUSE: True}
    if ignores_quiet_hours or (quiet_hours is not None and not is_for(quiet_hours.channels, channel)):
        document["ignore_quiet_hours"] = True
    elif quiet_hours is not None:
        document["quiet_hours"] = write_hours(quiet_hours)
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
    if ignores_limits:
        document["ignore_limits"] = True
    elif stated := write_limits(limits, channel):
        document["limits"] = stated
    return document
