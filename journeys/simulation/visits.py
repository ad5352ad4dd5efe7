"""Who comes to the door of a simulated journey because a time has come: by schedules, on dates, and as it begins.

The slots are those of production, for a journey that is published when the simulation begins. Of a segment it is asked
at the door who is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from campaigns.schedule import LATEST_RUN
from core.bulk import among
from core.zones import find_zone
from customers.tables import ProfileStatus, profile
from journeys.admission import Candidate
from journeys.catalogue import Admitting
from journeys.entries.dates import is_kept_on
from journeys.entries.kinds import DateEntry, ScheduleEntry
from journeys.entries.rounds import candidate_of
from journeys.entries.slots import (
    Slot,
    due_at_start,
    due_of_date,
    due_on_schedule,
    next_due,
    occurrence_of,
    once_trigger_of,
    trigger_of,
)
from journeys.model import Edge, SegmentEntry
from journeys.simulation.people import Customer
from journeys.simulation.plan import Plan
from journeys.triggers import from_backfill

_DAY = timedelta(days=1)
_LONGEST_SLOT = timedelta(days=4)  # nothing is due for so long: a day, all around the world
_LAST_ZONE = ZoneInfo("Etc/GMT+12")
_WRITABLE = (ProfileStatus.ACTIVE, ProfileStatus.RESTRICTED)
_Placed = tuple[ScheduleEntry | SegmentEntry, Slot]


@dataclass(frozen=True, slots=True)
class Visit:
    """`candidate` comes to the door at `at`, provided that it is in `segment` then (None: whoever it is)."""

    at: datetime
    candidate: Candidate
    segment: str | None = None


class Calendar:
    """The visits of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._default = find_zone(plan.journey.timezone or "") or plan.zone
        self._by_zone: dict[str | None, list[_Placed]] = {}

    def visits(self, connection: Connection, customers: Mapping[int, Customer]) -> dict[int, list[Visit]]:
        """The visits of each of them who has any."""
        plan, found = self._plan, {}
        kept = [(entry, self._kept(connection, entry, customers)) for entry in self._dates]
        for number, customer in customers.items():
            if customer.person.status not in _WRITABLE:
                continue
            mine = [*self._by_slots(number, customer), *self._backfills(number)]
            for entry, days in kept:
                mine += self._on_dates(entry, number, customer, days.get(number, ()))
            mine = [visit for visit in mine if visit.at < plan.end]
            if mine:
                found[number] = mine
        return found

    @cached_property
    def _dates(self) -> Sequence[DateEntry]:
        return [entry for entry in self._plan.journey.entries if isinstance(entry, DateEntry)]

    # -- schedules, and the start ------------------------------------------------------------------------------------

    def _by_slots(self, number: int, customer: Customer) -> Iterator[Visit]:
        journey = self._plan.journey
        for entry, slot in self._slots_of(customer):
            yield Visit(slot.due_at, candidate_of(journey, entry, slot, number), entry.segment)

    def _slots_of(self, customer: Customer) -> list[_Placed]:
        own = find_zone(customer.person.timezone or "")
        key = own.key if own is not None else None
        if key not in self._by_zone:
            self._by_zone[key] = [
                (entry, slot)
                for entry, slot in self._slots
                if slot.zones is None or (slot.takes_zoneless if key is None else key in slot.zones)
            ]
        return self._by_zone[key]

    @cached_property
    def _slots(self) -> Sequence[_Placed]:
        plan, found = self._plan, list[_Placed]()
        admissions = plan.journey.admissions
        for entry in plan.journey.entries:
            if isinstance(entry, SegmentEntry) and entry.edge is Edge.ONCE:
                found += [
                    (entry, slot)
                    for slot in due_at_start(once_trigger_of(entry), admissions, plan.start, self._default)
                ]
            elif isinstance(entry, ScheduleEntry):
                for slot in self._scheduled(entry):
                    clock = ZoneInfo(min(slot.zones)) if slot.zones and admissions.is_local else self._default
                    if admissions.is_open(slot.due_at, clock):
                        found.append((entry, slot))
        return found

    def _scheduled(self, entry: ScheduleEntry) -> Iterator[Slot]:
        """Each slot once: what is late as the simulation begins, and then whatever falls due."""
        plan, seen = self._plan, set[tuple[str, datetime]]()
        now: datetime | None = plan.start
        while now is not None and now < plan.end:
            live_since = max(plan.start, now - _LONGEST_SLOT)
            for slot in due_on_schedule(entry, self._default, live_since, now):
                if (slot.occurrence, slot.due_at) not in seen:
                    seen.add((slot.occurrence, slot.due_at))
                    yield slot
            now = next_due(entry, self._default, now)

    def _backfills(self, number: int) -> Iterator[Visit]:
        """Those who are in the segment already when the journey has begun to admit people everywhere."""
        plan = self._plan
        admissions = plan.journey.admissions
        for entry in plan.journey.entries:
            if isinstance(entry, SegmentEntry) and entry.backfill and entry.edge is Edge.ENTER:
                begins = admissions.starts_at(_LAST_ZONE if admissions.is_local else self._default)
                candidate = from_backfill(Admitting(plan.journey, plan.start), entry, number)
                yield Visit(max(begins, plan.start), candidate, entry.segment)

    # -- dates -------------------------------------------------------------------------------------------------------

    def _on_dates(self, entry: DateEntry, number: int, customer: Customer, days: Sequence[date]) -> Iterator[Visit]:
        journey, zone = self._plan.journey, find_zone(customer.person.timezone or "") or self._default
        clock = zone if journey.admissions.is_local else self._default
        for day in days:
            due_at = due_of_date(entry, day, zone)
            if due_at > self._plan.start - LATEST_RUN and journey.admissions.is_open(due_at, clock):
                occurrence = occurrence_of(entry, day)
                yield Visit(due_at, Candidate(journey, entry, number, "", occurrence, trigger_of(entry), due_at))

    def _kept(
        self, connection: Connection, entry: DateEntry, customers: Mapping[int, Customer]
    ) -> dict[int, list[date]]:
        """On which days somebody's date is kept, asked as production asks it: for one day after the other."""
        plan, found = self._plan, dict[int, list[date]]()
        elapsed = entry.offset.elapsed_part
        day = (plan.start - elapsed).astimezone(UTC).date() - 2 * _DAY
        mine = among(connection, profile.c.id, list(customers))
        while day <= (plan.end - elapsed).astimezone(UTC).date() + _DAY:
            query = select(profile.c.id).where(mine, is_kept_on(entry, day, plan.workspace, plan.vault))
            for number in connection.scalars(query.order_by(profile.c.id)):
                found.setdefault(number, []).append(day)
            day += _DAY
        return found
