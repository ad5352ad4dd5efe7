"""Whether the engine of journeys lives, and how late it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from console.doctor.finding import Finding, fine, note, warning, wrong
from console.doctor.patient import Patient
from core.definitions import list_definitions
from journeys.heartbeat import is_beating
from journeys.lateness import Lateness, read_lateness

_MUCH = timedelta(minutes=10)


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.database is None:
        yield note("without a database there are none")
        return
    with patient.database.read() as connection:
        if not list_definitions(connection, "journey"):
            yield note("no journey was applied yet")
            return
        lives, late = is_beating(connection, patient.now), read_lateness(connection, patient.now)
    lag = late.lag(patient.now)
    if not lag:
        yield (
            fine("the engine lives, and nothing is late")
            if lives
            else note("no engine runs, and nothing is late", "`postilion up` keeps journeys going")
        )
        return
    waiting = f"{_what(late)} for {_minutes(lag)}"
    if not lives:
        yield wrong(f"no engine runs, and {waiting}", "start `postilion up`, or run `postilion deliver` once")
    elif lag >= _MUCH:
        yield wrong(f"the engine lives, but {waiting}", "its log (the `heartbeat` runs in Prefect) says what fails")
    else:
        yield warning(f"the engine is behind: {waiting}", "that passes by itself, unless it grows")


def _what(late: Lateness) -> str:
    count = sum(late.timers.values())
    if not count:
        return "events have been waiting"
    return f"{'1 timer has' if count == 1 else f'{count:,} timers have'} been waiting"


def _minutes(length: timedelta) -> str:
    minutes = length // timedelta(minutes=1)
    if minutes >= 120:
        return f"{minutes // 60:,} hours"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
