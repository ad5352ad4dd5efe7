"""One person's way through a simulation, a line for each entry of the journal: short, and with every instant.

`explaining` tells real runs at length, with the messages and events that are stored for them; here nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from journeys.explain import PROSE
from journeys.simulation.simulate import Timeline
from journeys.transition import JournalKind

Data = Mapping[str, Any]


def told(timeline: Timeline) -> list[str]:
    """The lines in order of time, instants in UTC."""
    lines = [(at, f"did not enter: {reason.replace('_', ' ')}") for at, reason in timeline.refusals]
    lines += [(at, _line(entry.kind, entry.data)) for at, _, entry in timeline.journal]
    lines.sort(key=lambda line: line[0])
    return [f"{at:%Y-%m-%d %H:%M:%S} {text}" for at, text in lines]


def _line(kind: JournalKind, data: Data) -> str:
    prose = _SHORT.get(kind) or PROSE.get(kind)
    return prose(data) if prose is not None else kind.value.replace("_", " ")


def _step(data: Data) -> str:
    ways = data.get("branch") or ([data["why"]] if "why" in data else [])
    way = f" ({', '.join(map(str, ways))})" if ways else ""
    return f"{data['step']}: {str(data['outcome']).replace('_', ' ')}{way}"


def _error(data: Data) -> str:
    again = f", tried again at {_clock(data['retry_at'])}" if "retry_at" in data else ", given up"
    return f"{data['step']}: failed ({data['cause']}){again}"


def _ended(data: Data) -> str:
    place = f" at {data['step']}" if "step" in data else ""
    return f"left{place}: {data['reason'].replace('_', ' ')}"


def _clock(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"


_SHORT: Mapping[JournalKind, Callable[[Data], str]] = {
    JournalKind.ENTERED: lambda data: f"entered by {data['trigger']}",
    JournalKind.HELD_OUT: lambda _data: "is held out",
    JournalKind.STEP: _step,
    JournalKind.WAITING: lambda data: f"{data['step']}: waits until {_clock(data['until'])}",
    JournalKind.RESCHEDULED: lambda data: f"{data['step']}: waits until {_clock(data['until'])}, in another zone",
    JournalKind.QUEUED: lambda data: f"{data['step']}: a message is due at {_clock(data['due'])}",
    JournalKind.GOAL: lambda data: f"reached the goal, which happened at {_clock(data['at'])}",
    JournalKind.LATE_FOR_WAIT: lambda data: f"{data['step']}: an event became known too late",
    JournalKind.ERROR: _error,
    JournalKind.ENDED: _ended,
}
