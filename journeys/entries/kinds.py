"""The doors of a journey that no event of the customer opens: schedules, dates and calls; and when doors are open.

Values only; `entry_reading` reads them from YAML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.schedule import NoTimezone, Schedule
from core.durations import Duration, at_local
from segments.language.rules import Rule

REQUESTED = "entry_requested"  # the log event that a call of the API leaves


class Repeat(StrEnum):
    """How often a date comes."""

    NEVER = "never"
    YEARLY = "yearly"


class LeapDay(StrEnum):
    """When 29 February is kept in years that have none."""

    FEB28 = "feb28"
    MAR1 = "mar1"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """The members of `segment` enter at each occurrence of `schedule`; `number` counts such triggers of a journey from
    1 and tells their occurrences apart.
    """

    segment: str
    schedule: Schedule
    number: int = 1
    condition: Rule | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DateEntry:
    """Enters on the date that `attribute` holds, moved by `offset`, when the profile's own clock shows `clock`."""

    attribute: str
    repeat: Repeat = Repeat.NEVER
    offset: Duration = field(default_factory=Duration)
    clock: time = time(9)
    leap_day: LeapDay = LeapDay.FEB28
    condition: Rule | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiEntry:
    """Enters when the shop's own server asks for it; `schema` (JSON Schema) is what the call's properties must fit."""

    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    condition: Rule | None = None
    names: tuple[str, ...] = (REQUESTED,)


@dataclass(frozen=True, slots=True)
class Admissions:
    """When a journey admits people: in [start, end), where None is no bound.

    Bounds without a zone are on the wall clock: the journey's, or with `is_local` each profile's own.
    """

    start: datetime | None = None
    end: datetime | None = None
    is_local: bool = False
    no_timezone: NoTimezone = NoTimezone.USE_DEFAULT

    def is_open(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether somebody whose wall clock is that of `zone` may enter at `at`."""
        return self.starts_at(zone) <= at and (self.end is None or at < _instant(self.end, zone))

    def has_begun(self, at: datetime, default: ZoneInfo) -> bool:
        """Whether the beginning has passed for everybody; `default` is the journey's zone."""
        return self.starts_at(_LAST_ZONE if self.is_local else default) <= at

    def starts_at(self, zone: ZoneInfo) -> datetime:
        """When they begin in `zone`; long ago without a `start`."""
        return _instant(self.start, zone) if self.start is not None else _LONG_AGO


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_ZONE = ZoneInfo("Etc/GMT+12")  # where each date begins last


def _instant(bound: datetime, zone: ZoneInfo) -> datetime:
    return bound if bound.tzinfo is not None else at_local(bound.date(), bound.time(), zone)
