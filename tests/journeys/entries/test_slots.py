"""Every person has one slot for each occurrence, whatever the order and the number of looks."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from campaigns.schedule import Every, Misfire, Schedule
from core.durations import Duration, at_local
from core.zones import known_zones
from journeys.entries.kinds import DateEntry, ScheduleEntry
from journeys.entries.slots import due_on_dates, due_on_schedule, next_due, reopen
from journeys.entries.zones import zones_at

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 1, 1, tzinfo=UTC)

instants = st.integers(0, 365 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
clocks = st.integers(0, 24 * 60 - 1).map(lambda minutes: time(minutes // 60, minutes % 60))
schedules = st.one_of(
    st.builds(
        Schedule,
        every=st.sampled_from([Every.DAY, Every.WEEK, Every.MONTH]),
        clock=clocks,
        weekdays=st.sets(st.integers(0, 6), min_size=1).map(frozenset),
        day=st.integers(1, 28),
        is_local=st.booleans(),
        misfire=st.sampled_from(Misfire),
    ),
    st.builds(Schedule, at=instants.map(lambda one: one.replace(tzinfo=None)), is_local=st.just(True)),
)


@given(schedule=schedules, live_since=instants, looks=st.lists(st.integers(0, 3 * 24 * 60), max_size=30))
def test_nobody_is_in_two_slots_of_one_occurrence_however_often_the_engine_looks(
    schedule: Schedule, live_since: datetime, looks: list[int]
) -> None:
    entry = ScheduleEntry("everybody", schedule)
    found = set()
    for minutes in looks:
        now = live_since + timedelta(minutes=minutes)
        for slot in due_on_schedule(entry, BERLIN, live_since, now):
            assert slot.due_at <= now
            found.add(slot)
            assert reopen(entry, slot.occurrence, slot.due_at, BERLIN) == slot
    for occurrence in {slot.occurrence for slot in found}:
        slots = [slot for slot in found if slot.occurrence == occurrence]
        assert len({slot.due_at for slot in slots}) == len(slots)
        zones = [zone for slot in slots for zone in slot.zones or ()]
        assert len(zones) == len(set(zones))
        assert sum(slot.takes_zoneless for slot in slots) <= 1


@given(clock=clocks, day=instants.map(datetime.date))
def test_every_zone_has_its_moment_on_every_day(clock: time, day: datetime) -> None:
    groups = zones_at(day, clock)
    assert set().union(*(zones for _, zones in groups)) == known_zones()
    for due_at, zones in groups:
        assert {at_local(day, clock, ZoneInfo(zone)) for zone in zones} == {due_at}


@given(clock=clocks, now=instants, offset=st.builds(Duration, days=st.integers(-40, 40), hours=st.integers(-30, 30)))
def test_each_zone_has_one_date_a_day_that_is_due(clock: time, now: datetime, offset: Duration) -> None:
    entry = DateEntry("birthday", clock=clock, offset=offset)
    slots = list(due_on_dates(entry, BERLIN, now))
    assert all(now - timedelta(hours=24) < slot.due_at <= now for slot in slots)
    for zone in ("Pacific/Kiritimati", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Pacific/Pago_Pago"):
        # The day on which the clocks change has 23 or 25 hours.
        assert sum(zone in (slot.zones or ()) for slot in slots) in (1, 2) or _clocks_change(zone, now)


@given(schedule=schedules, after=instants)
def test_the_next_slot_is_due_when_it_comes_and_not_before(schedule: Schedule, after: datetime) -> None:
    entry = ScheduleEntry("everybody", schedule)
    following = next_due(entry, BERLIN, after)
    if following is not None:
        assert following > after
        assert any(slot.due_at == following for slot in due_on_schedule(entry, BERLIN, after, following))


def _clocks_change(zone: str, now: datetime) -> bool:
    place = ZoneInfo(zone)
    offsets = {(now + timedelta(hours=hour)).astimezone(place).utcoffset() for hour in (-54, -24, 0, 24, 54)}
    return len(offsets) > 1
