"""The words of the journal and of refusals, and where people stand now, in numbers.

`explaining` tells a whole story; entries that need neither the journey's file nor the ledger to be understood have
their words here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from delivery.best_time import Basis
from journeys.admission import Refusal
from journeys.steps.thompson import Draw
from journeys.tables import EnrolmentStatus, enrolment
from journeys.transition import JournalKind

REFUSALS: Mapping[str, str] = {
    Refusal.LATE: "the event arrived too late",
    Refusal.NOT_LIVE: "a step was to start the journey, which lets nobody in at present",
    Refusal.OUTSIDE: "the journey admits people at other times (`schedule`)",
    Refusal.NO_TIMEZONE: "the profile has no time zone (`no_timezone: skip`)",
    Refusal.NO_KEY: "the event lacks the property that gives the run its key",
    Refusal.ERASED: "the profile is not there any more",
    Refusal.RESTRICTED: "the profile's data may be used for nothing",
    Refusal.SUPPRESSED: "all addresses are suppressed",
    Refusal.CONDITION: "the condition of the trigger did not hold",
    Refusal.ACTIVE: "a run was active already",
    Refusal.NEVER: "nobody enters twice (`reenter: never`)",
    Refusal.TOO_SOON: "the last entry was too short ago (`reenter.every`, or 300 days for a yearly date)",
    Refusal.TOO_OFTEN: "the profile has entered as often as it may (`reenter.max`)",
}


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


def _migrated(data: Mapping[str, Any]) -> str:
    place = f", at {data['step']}" if data.get("step") else ""
    return f"Moved from version {data['before']} of the journey to version {data['version']}{place}"


def _drawn(data: Mapping[str, Any]) -> str:
    known = ", ".join(f"{arm} {won} of {won + lost}" for arm, (won, lost) in data["known"].items())
    how = (
        "evenly, to keep a least share for each" if data["by"] == Draw.EVENLY else f"by what they had earned ({known})"
    )
    return f"{data['step']}: {data['arm']} was drawn {how}"


def _best_time(data: Mapping[str, Any]) -> str:
    if data["basis"] == Basis.NOTHING:
        return f"{data['step']}: nothing is known of when people read, so it is due now"
    whose = "this person mostly reads" if data["basis"] == Basis.OWN else "most people read"
    when = "now, because no such hour comes in time" if data["is_now"] else data["at"]
    return f"{data['step']}: {whose} between {data['hour']}:00 and {data['hour'] + 1}:00; it is due {when}"


def _capped(data: Mapping[str, Any]) -> str:
    return f"{data['step']}: a limit left no room, its last place went to {data['taken_by']}"


# Instants come in words, by the clock of the person, and steps by their names.
PROSE: Mapping[JournalKind, Callable[[Mapping[str, Any]], str]] = {
    JournalKind.MIGRATED: _migrated,
    JournalKind.DRAWN: _drawn,
    JournalKind.BEST_TIME: _best_time,
    JournalKind.CAPPED: _capped,
    JournalKind.TIMEZONE_FALLBACK: lambda data: f"The profile's time zone is none that exists: {data['used']} is used",
}
