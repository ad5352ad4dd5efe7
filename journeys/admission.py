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

from campaigns.schedule import NoTimezone
from core.durations import add_calendar
from core.ids import bucket, derived_id
from customers.tables import ProfileStatus
from journeys.entries.kinds import ScheduleEntry
from journeys.model import Entry, EventEntry, Holdout, Journey, Mode
from journeys.tables import EnrolmentStatus
from journeys.transition import EndReason

CLOCK_SKEW = timedelta(minutes=5)  # so far into the future a sender's clock may be


class Refusal(StrEnum):
    """Why somebody did not enter: the answer to `why-not`."""

    LATE = "late_entry_ignored"
    NOT_LIVE = "not_live"
    OUTSIDE = "outside_schedule"
    NO_KEY = "no_key"
    ERASED = "erased"
    RESTRICTED = "restricted"
    SUPPRESSED = "suppressed"
    NO_TIMEZONE = "no_timezone"
    CONDITION = "condition"
    ACTIVE = "active"
    NEVER = "reentry_never"
    TOO_SOON = "too_soon"
    TOO_OFTEN = "reentry_max"


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """Somebody at the door. `occurrence` names what brought them there, so that it does so once.

    `key` None means that the event lacks the property that gives the run its key. `received_at` is None where no event
    brought them; `settles_until` is set while their condition is asked again.
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
    settles_until: datetime | None = None
    chain: int = 0  # of journeys that have started each other, this entry included

    @property
    def enrolment_uid(self) -> str:
        return derived_id(self.journey.slug, self.profile_id, self.key or "", self.occurrence)

    def entered_at(self, now: datetime) -> datetime:
        """The event's own instant; for other triggers, and when the condition had to settle, the tick's."""
        return min(self.at, now) if isinstance(self.entry, EventEntry) and self.settles_until is None else now


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


@dataclass(frozen=True, slots=True)
class Settle:
    """Asked again at every change of the profile before `until`."""

    until: datetime


Admission = Admit | Refuse | Settle


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the profile at the door. `default_zone` is the journey's, `zone` the profile's or that one.

    `came_lately` tells of a yearly date that brought the profile here within the last 300 days.
    """

    status: ProfileStatus
    is_unreachable: bool
    fits: bool
    runs: Sequence[PastRun]
    zone: ZoneInfo
    default_zone: ZoneInfo
    has_zone: bool = True
    came_lately: bool = False


def admit(candidate: Candidate, standing: Standing, now: datetime) -> Admission:
    """Whether `candidate` enters at `now`."""
    refusal = _refuse_at_the_door(candidate, standing, now)
    if refusal is not None:
        return Refuse(refusal)
    if not standing.fits:
        return _settle(candidate, standing, now) or Refuse(Refusal.CONDITION)
    if standing.came_lately:
        return Refuse(Refusal.TOO_SOON)
    journey = candidate.journey
    # In the order in which they came in, which an event that became known late may turn round.
    runs = sorted((run for run in standing.runs if run.key == candidate.key), key=lambda run: run.id)
    active = tuple(run.id for run in runs if run.status is not EnrolmentStatus.ENDED)
    run_no = len(standing.runs) + 1
    if active and journey.mode is Mode.RESTART:
        return Admit(run_no, restarts=active)
    if active and journey.mode is Mode.SINGLE:
        return Refuse(Refusal.ACTIVE)
    refusal = _refuse_again(journey, _counted(runs), candidate.entered_at(now), standing.zone)
    return Refuse(refusal) if refusal is not None else Admit(run_no)


def _refuse_at_the_door(candidate: Candidate, standing: Standing, now: datetime) -> Refusal | None:
    if candidate.received_at is not None and isinstance(candidate.entry, EventEntry):
        at, received_at = candidate.at, candidate.received_at
        if at - received_at > CLOCK_SKEW or add_calendar(at, candidate.entry.max_age, standing.zone) <= received_at:
            return Refusal.LATE
    admissions = candidate.journey.admissions
    clock = standing.zone if admissions.is_local else standing.default_zone
    if not admissions.is_open(candidate.entered_at(now), clock):
        return Refusal.OUTSIDE
    if candidate.key is None:
        return Refusal.NO_KEY
    if standing.status is ProfileStatus.RESTRICTED:
        return Refusal.RESTRICTED
    if standing.status is not ProfileStatus.ACTIVE:
        return Refusal.ERASED
    if standing.is_unreachable:
        return Refusal.SUPPRESSED
    return Refusal.NO_TIMEZONE if not standing.has_zone and _needs_zone(candidate) else None


def _needs_zone(candidate: Candidate) -> bool:
    admissions, entry = candidate.journey.admissions, candidate.entry
    if admissions.is_local and admissions.no_timezone is NoTimezone.SKIP:
        return True
    schedule = entry.schedule if isinstance(entry, ScheduleEntry) else None
    return schedule is not None and schedule.is_local and schedule.no_timezone is NoTimezone.SKIP


def _settle(candidate: Candidate, standing: Standing, now: datetime) -> Settle | None:
    if not isinstance(candidate.entry, EventEntry) or candidate.entry.settle is None:
        return None
    until = candidate.settles_until or add_calendar(now, candidate.entry.settle, standing.zone)
    return Settle(until) if now < until else None


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
    last = max(run.entered_at for run in entries)
    if reentry.every is not None and entered_at < add_calendar(last, reentry.every, zone):
        return Refusal.TOO_SOON
    return None


def is_held_out(holdout: Holdout, profile_id: int) -> bool:
    """Whether chance (a hash) puts this profile into the holdout."""
    return bucket(holdout.seed, profile_id) < holdout.percent * 100
