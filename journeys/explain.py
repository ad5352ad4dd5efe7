"""A journal in prose: what happened to one person in one journey and why somebody is not in it; where people stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from journeys.admission import Refusal
from journeys.tables import EnrolmentStatus, enrolment, entry_refusal, journal
from journeys.transition import JournalKind

_REFUSALS: Mapping[str, str] = {
    Refusal.LATE: "the event arrived too late",
    Refusal.NO_KEY: "the event lacks the property that gives the run its key",
    Refusal.ERASED: "the profile is not there any more",
    Refusal.RESTRICTED: "the profile's data may be used for nothing",
    Refusal.SUPPRESSED: "all addresses are suppressed",
    Refusal.CONDITION: "the condition of the trigger did not hold",
    Refusal.ACTIVE: "a run was active already",
    Refusal.NEVER: "nobody enters twice (`reenter: never`)",
    Refusal.TOO_SOON: "the last entry was too short ago (`reenter.every`)",
    Refusal.TOO_OFTEN: "the profile has entered as often as it may (`reenter.max`)",
}


def explain(connection: Connection, profile_id: int, journey: str) -> list[str]:
    """Everything that `journey` did with a profile, one sentence a line, oldest first; instants in UTC."""
    lines: list[tuple[datetime, str]] = []
    refusals = select(entry_refusal).where(entry_refusal.c.profile_id == profile_id, entry_refusal.c.journey == journey)
    lines += [
        (row.at, f"did not enter: {_REFUSALS.get(row.reason, row.reason)}") for row in connection.execute(refusals)
    ]
    entries = (
        select(journal.c.at, journal.c.kind, journal.c.data, enrolment.c.version)
        .join(enrolment, enrolment.c.id == journal.c.enrolment_id)
        .where(enrolment.c.profile_id == profile_id, enrolment.c.journey == journey)
        .order_by(enrolment.c.entered_at, enrolment.c.id, journal.c.seq)
    )
    lines += [
        (row.at, _PROSE[JournalKind(row.kind)]({"version": row.version, **row.data}))
        for row in connection.execute(entries)
    ]
    lines.sort(key=lambda line: line[0])
    return [f"{at:%Y-%m-%d %H:%M:%S} {text}" for at, text in lines] or [f"never came to {journey}"]


def head_counts(connection: Connection, journey: str) -> dict[str, int]:
    """How many people stand at each step now, over all versions, by step id."""
    query = (
        select(enrolment.c.step, func.count())
        .where(enrolment.c.journey == journey, enrolment.c.status == EnrolmentStatus.ACTIVE.value)
        .group_by(enrolment.c.step)
        .order_by(enrolment.c.step)
    )
    return {step: count for step, count in connection.execute(query) if step is not None}


def count_endings(connection: Connection, journey: str) -> Counter[str]:
    """How the runs that are over ended, by reason."""
    query = (
        select(enrolment.c.end_reason, func.count())
        .where(enrolment.c.journey == journey, enrolment.c.status == EnrolmentStatus.ENDED.value)
        .group_by(enrolment.c.end_reason)
    )
    return Counter({str(reason): count for reason, count in connection.execute(query)})


def _step(data: Mapping[str, Any]) -> str:
    branch = data.get("branch")
    if data.get("why") == "if":
        return f"passed {data['step']}: its condition did not hold"
    if data.get("why") == "disabled":
        return f"passed {data['step']}: it is disabled"
    way = f" ({', '.join(map(str, branch))})" if branch else ""
    return f"{data['step']}: {str(data['outcome']).replace('_', ' ')}{way}"


def _error(data: Mapping[str, Any]) -> str:
    again = f", tried again at {_clock(data['retry_at'])}" if "retry_at" in data else ", given up"
    return f"{data['step']} failed: {data['cause']}{again}"


def _ended(data: Mapping[str, Any]) -> str:
    place = f" at {data['step']}" if "step" in data and data["reason"] != "completed" else ""
    return f"left{place}: {data['reason'].replace('_', ' ')}"


def _clock(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M}"


_PROSE: Mapping[JournalKind, Callable[[Mapping[str, Any]], str]] = {
    JournalKind.ENTERED: lambda data: f"entered version {data['version']} by {data['trigger']}",
    JournalKind.HELD_OUT: lambda _data: "is held out, to measure the effect",
    JournalKind.STEP: _step,
    JournalKind.WAITING: lambda data: f"waits at {data['step']} until {_clock(data['until'])}",
    JournalKind.RESCHEDULED: lambda data: f"the zone changed: waits at {data['step']} until {_clock(data['until'])}",
    JournalKind.QUEUED: lambda data: f"{data['step']}: message queued",
    JournalKind.GOAL: lambda data: f"reached the goal (happened {_clock(data['at'])})",
    JournalKind.ERROR: _error,
    JournalKind.LATE_FOR_WAIT: lambda data: f"an event came too late for {data['step']}",
    JournalKind.TIMEZONE_FALLBACK: lambda data: f"the profile's zone is none: {data['used']} is used",
    JournalKind.ENDED: _ended,
}
