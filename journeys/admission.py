"""Who is let into a journey, and why somebody is not.

Pure. The gates stand in the order in which a refusal is recorded; the draw of the holdout comes after all of them, so
that both arms are alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from core.durations import add_calendar
from core.ids import bucket, derived_id
from customers.tables import ProfileStatus
from journeys.model import Entry, EventEntry, Holdout, Journey, Mode
from journeys.tables import EnrolmentStatus
from journeys.transition import EndReason

CLOCK_SKEW = timedelta(minutes=5)  # so far into the future a sender's clock may be


class Refusal(StrEnum):
    """Why somebody did not enter: the answer to `why-not`."""

    LATE = "late_entry_ignored"
    NO_KEY = "no_key"
    ERASED = "erased"
    RESTRICTED = "restricted"
    SUPPRESSED = "suppressed"
    CONDITION = "condition"
    ACTIVE = "active"
    NEVER = "reentry_never"
    TOO_SOON = "too_soon"
    TOO_OFTEN = "reentry_max"


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """Somebody at the door. `occurrence` names what brought them there, so that it does so once.

    `key` None means that the event lacks the property that gives the run its key. `received_at` is None where no event
    brought them.
    """

    journey: Journey
    entry: Entry
    profile_id: int
    key: str | None
    occurrence: str
    trigger: str
    at: datetime
    received_at: datetime | None = None
    event_id: int | None = None
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def enrolment_uid(self) -> str:
        return derived_id(self.journey.slug, self.profile_id, self.key or "", self.occurrence)

    def entered_at(self, now: datetime) -> datetime:
        """The event's own instant; for other triggers the tick's."""
        return min(self.at, now) if isinstance(self.entry, EventEntry) else now


@dataclass(frozen=True, slots=True)
class PastRun:
    """An earlier or present run of the same profile in the same journey, whatever its version."""

    id: int
    uid: str
    key: str
    status: EnrolmentStatus
    entered_at: datetime
    end_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Admit:
    """Let in, after ending the runs `restarts`. `run_no` counts the profile's runs of this journey from 1."""

    run_no: int
    restarts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    reason: Refusal


Admission = Admit | Refuse


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the profile at the door."""

    status: ProfileStatus
    is_unreachable: bool
    fits: bool
    runs: Sequence[PastRun]
    zone: ZoneInfo


def admit(candidate: Candidate, standing: Standing, now: datetime) -> Admission:
    """Whether `candidate` enters at `now`."""
    refusal = _refuse_at_the_door(candidate, standing)
    if refusal is not None:
        return Refuse(refusal)
    journey = candidate.journey
    runs = sorted((run for run in standing.runs if run.key == candidate.key), key=lambda run: run.entered_at)
    active = tuple(run.id for run in runs if run.status is not EnrolmentStatus.ENDED)
    run_no = len(standing.runs) + 1
    if active and journey.mode is Mode.RESTART:
        return Admit(run_no, restarts=active)
    if active and journey.mode is Mode.SINGLE:
        return Refuse(Refusal.ACTIVE)
    refusal = _refuse_again(journey, _counted(runs), candidate.entered_at(now), standing.zone)
    return Refuse(refusal) if refusal is not None else Admit(run_no)


def _refuse_at_the_door(candidate: Candidate, standing: Standing) -> Refusal | None:
    if candidate.received_at is not None and isinstance(candidate.entry, EventEntry):
        at, received_at = candidate.at, candidate.received_at
        if at - received_at > CLOCK_SKEW or add_calendar(at, candidate.entry.max_age, standing.zone) <= received_at:
            return Refusal.LATE
    if candidate.key is None:
        return Refusal.NO_KEY
    if standing.status is ProfileStatus.RESTRICTED:
        return Refusal.RESTRICTED
    if standing.status is not ProfileStatus.ACTIVE:
        return Refusal.ERASED
    if standing.is_unreachable:
        return Refusal.SUPPRESSED
    return None if standing.fits else Refusal.CONDITION


def _counted(runs: Sequence[PastRun]) -> list[PastRun]:
    """The runs that count as entries: one that took the place of a running one is no new entry."""
    restarted = [run.end_reason == EndReason.RESTARTED for run in runs]
    return [run for place, run in enumerate(runs) if place == 0 or not restarted[place - 1]]


def _refuse_again(journey: Journey, entries: Sequence[PastRun], entered_at: datetime, zone: ZoneInfo) -> Refusal | None:
    if not entries:
        return None
    reentry = journey.reentry
    if not reentry.is_allowed:
        return Refusal.NEVER
    if reentry.max is not None and len(entries) >= reentry.max:
        return Refusal.TOO_OFTEN
    if reentry.every is not None and entered_at < add_calendar(entries[-1].entered_at, reentry.every, zone):
        return Refusal.TOO_SOON
    return None


def is_held_out(holdout: Holdout, profile_id: int) -> bool:
    """Whether chance (a hash) puts this profile into the holdout."""
    return bucket(holdout.seed, profile_id) < holdout.percent * 100
