"""E137: hours in which a message may go out, less those in which it must be quiet, and nothing is left. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import time

from core.errors import Fault
from customers.workspace import Hours
from delivery.send_window import Week, read_hours, write_window
from journeys.checking.case import Case
from journeys.checking.messages import iter_uses

_DAY = 24 * 60


def closed_windows(case: Case) -> Iterator[Fault]:
    """E137 at each channel of `send_window` that a message of the journey uses and that never opens for it."""
    windows = case.written(("send_window",)) or {}
    workspace = case.known.workspace
    quiet = case.journey.sending.quiet_hours or (workspace.quiet_hours if workspace is not None else None)
    told = set()
    for use in iter_uses(case):
        channel = use.channel
        if channel in told or channel not in windows:
            continue
        hours = None if use.ignores_quiet_hours else quiet
        why = why_closed(windows[channel], hours, channel)
        if why is not None:
            told.add(channel)
            hint = "write hours such as mon: [09:00-17:00], outside the quiet hours"
            yield case.fault("E137", ("send_window", channel), why, hint, at_key=True)


def why_closed(window: Mapping[str, Sequence[str]], quiet: Hours | None, channel: str) -> str | None:
    """Why nothing can ever go out over `channel`; None when something can. `window` is as written."""
    week = read_hours(write_window(window), ()).week or ()
    if not any(week):
        return f"the send window for {channel} never opens"
    if quiet is not None and (not quiet.channels or channel in quiet.channels) and _lies_in(week, quiet):
        return f"the send window for {channel} lies wholly inside the quiet hours"
    return None


def _lies_in(week: Week, quiet: Hours) -> bool:
    """Whether each open minute of the week is a quiet one."""
    silent = [place for place in range(7 * _DAY) if is_quiet(place, quiet)]
    opened = {
        (day * _DAY + minute) % (7 * _DAY)
        for day, ranges in enumerate(week)
        for start, end in ranges
        for minute in range(start, end)
    }
    return opened <= set(silent)


def is_quiet(minute_of_week: int, quiet: Hours) -> bool:
    """`minute_of_week` counts from Monday 00:00."""
    day, minute = divmod(minute_of_week, _DAY)
    start, end = minute_of(quiet.start), minute_of(quiet.end)
    if start < end:
        return day in quiet.weekdays and start <= minute < end
    return (day in quiet.weekdays and minute >= start) or ((day - 1) % 7 in quiet.weekdays and minute < end)


def minute_of(clock: time) -> int:
    """Minutes since midnight."""
    return clock.hour * 60 + clock.minute
