"""When and how often a journey's messages may go out: its hours, closed days, limits and pace, from YAML. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.definition_words import parse_closed, parse_quiet_hours, parse_windows
from core.durations import parse_duration
from customers.workspace import Hours, Limit
from delivery.send_window import Closed
from journeys.steps.contract import StepSpec

WORDS = ("limits", "quiet_hours", "send_window", "closed", "throttle")
_SECONDS = {"s": 1, "m": 60, "h": 3_600}


@dataclass(frozen=True, slots=True)
class Sending:
    """`windows` are by channel, as messages keep them; `throttle` is in messages a second for all people together."""

    limits: tuple[Limit, ...] = ()
    quiet_hours: Hours | None = None
    windows: Mapping[str, str] = field(default_factory=dict)
    closed: tuple[Closed, ...] = ()
    throttle: float | None = None


def parse_sending(top: StepSpec) -> Sending:
    data = top.data
    return Sending(
        limits=tuple(_limit(top, item, place) for place, item in enumerate(data.get("limits", ()))),
        quiet_hours=parse_quiet_hours(data["quiet_hours"]) if data.get("quiet_hours") else None,
        windows=parse_windows(data.get("send_window") or {}, top.report_at),
        closed=parse_closed(data.get("closed") or (), top.report_at),
        throttle=_throttle(top, data["throttle"]) if "throttle" in data else None,
    )


def _limit(top: StepSpec, data: Mapping[str, Any], place: int) -> Limit:
    """Without a `scope` a limit of a journey's file counts this journey's messages; `per` None is the whole run."""
    if data["per"] == "journey" and data.get("then") == "wait":
        message = "a limit of the whole journey never frees a place to wait for"
        top.report("E103", "limits", place, "then", message=message, hint="write skip or exit")
    return Limit(
        messages=data["messages"],
        per=None if data["per"] == "journey" else parse_duration(data["per"]),
        channel=data.get("channel"),
        topic=data.get("topic"),
        scope=data.get("scope", "journey"),
        then=data.get("then", "skip"),
    )


def _throttle(top: StepSpec, text: str) -> float | None:
    """Messages a second."""
    count, _, unit = text.partition("/")
    if int(count) == 0:
        top.report("E103", "throttle", message="at this rate nothing is ever sent", hint="write a rate such as 50/s")
        return None
    return int(count) / _SECONDS[unit]
