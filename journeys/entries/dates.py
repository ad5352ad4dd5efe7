"""Whose date is kept on a day: asked of the database as one condition, without opening anything that is sealed.

Of a sealed birthday the month and the day stand beside it in clear. Any other sealed date is found by its blind index,
which knows equality: for a yearly one each year that it may come from is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Text, and_, false, func, literal, or_, select

from core.database import batches
from core.durations import Duration, add_calendar
from core.ids import derived_id
from core.vault import Vault
from customers.attributes import attribute_lookup
from customers.tables import profile, sealed_attribute
from customers.workspace import Workspace
from journeys.admission import Candidate
from journeys.entries.kinds import DateEntry, LeapDay, Repeat
from journeys.entries.slots import occurrence_of
from journeys.tables import enrolment
from segments.compiling.attributes import is_sealed
from segments.compiling.dialects import day_of, text_in
from segments.language.rules import BIRTHDAY

TOO_SOON: Final = timedelta(days=300)  # a yearly date that comes twice within this has been changed
_OLDEST: Final = 130  # years: no date that is kept every year lies further back
_AROUND: Final = 4  # days by which the end of a month may move a date
_DAY: Final = timedelta(days=1)
_LEAP_DAY: Final = (2, 29)
_NOON: Final = 12
_BATCH: Final = 500


def bases_of(offset: Duration, day: date) -> list[date]:
    """The dates that `offset` moves to `day`: several where months end, none where no month has such a day."""
    around = _moved(day, -_calendar_part(offset))
    nearby = (around + step * _DAY for step in range(-_AROUND, _AROUND + 1))
    return [base for base in nearby if _moved(base, _calendar_part(offset)) == day]


def days_kept_on(base: date, leap_day: LeapDay) -> list[tuple[int, int]]:
    """(month, day) of the dates that are kept on `base`, year by year."""
    kept = [(base.month, base.day)]
    substitute = {LeapDay.FEB28: (2, 28), LeapDay.MAR1: (3, 1)}.get(leap_day)
    if kept[0] == substitute and not _is_leap(base.year):
        kept.append(_LEAP_DAY)
    return kept


def is_kept_on(entry: DateEntry, day: date, workspace: Workspace, vault: Vault) -> ColumnElement[bool]:
    """The condition that a profile's date is kept on `day`. Of an instant the date in UTC counts."""
    bases = bases_of(entry.offset, day)
    if not bases:
        return false()
    if entry.repeat is Repeat.YEARLY and entry.attribute == BIRTHDAY:
        returning = {one for base in bases for one in days_kept_on(base, entry.leap_day)}
        born = profile.c.birth_month * 100 + profile.c.birth_day
        return born.in_([month * 100 + of for month, of in sorted(returning)])
    if is_sealed(entry.attribute, workspace):
        values = sorted({value for base in bases for value in _written(entry, base)})
        lookups = [attribute_lookup(vault, entry.attribute, value) for value in values]
        mine = select(sealed_attribute.c.profile_id).where(
            sealed_attribute.c.name == entry.attribute, sealed_attribute.c.lookup.in_(lookups)
        )
        return profile.c.id.in_(mine)
    written = day_of(func.substr(text_in(profile.c.attributes, entry.attribute), 1, len("2027-03-20")))
    if entry.repeat is Repeat.NEVER:
        return written.in_([base.isoformat() for base in bases])
    return or_(*(_returns(written, base, entry.leap_day) for base in bases))


def came_lately(connection: Connection, candidates: Sequence[Candidate]) -> set[Candidate]:
    """Those whom a yearly date brought into the same journey less than 300 days before."""
    yearly = [one for one in candidates if isinstance(one.entry, DateEntry) and one.entry.repeat is Repeat.YEARLY]
    if not yearly:
        return set()
    since = min(one.at for one in yearly) - TOO_SOON - 2 * _DAY
    runs: dict[tuple[str, int], list[tuple[str, int, datetime]]] = {}
    for some in batches(sorted({one.profile_id for one in yearly}), _BATCH):
        query = select(enrolment).where(enrolment.c.profile_id.in_(some), enrolment.c.entered_at >= since)
        for row in connection.execute(query):
            owner = row.origin_profile_id or row.profile_id
            runs.setdefault((row.journey, row.profile_id), []).append((row.uid, owner, row.entered_at))
    return {one for one in yearly if has_come(one, runs.get((one.journey.slug, one.profile_id), ()))}


def has_come(candidate: Candidate, runs: Collection[tuple[str, int, datetime]]) -> bool:
    """Whether one of the runs (id, owner, when it was entered) is of a date that lies too near; its id says so."""
    entry = candidate.entry
    assert isinstance(entry, DateEntry)
    day = date.fromisoformat(candidate.occurrence.rpartition(":")[2])
    for run_id, owner, entered_at in runs:
        for near in (entered_at.date() + step * _DAY for step in range(-3, 4)):
            is_other = near != day and abs(near - day) < TOO_SOON
            if is_other and run_id == derived_id(candidate.journey.slug, owner, "", occurrence_of(entry, near)):
                return True
    return False


def _written(entry: DateEntry, base: date) -> Iterator[str]:
    if entry.repeat is Repeat.NEVER:
        yield base.isoformat()
        return
    for month, day in days_kept_on(base, entry.leap_day):
        for year in range(base.year - _OLDEST, base.year + 1):
            if (month, day) != _LEAP_DAY or _is_leap(year):
                yield f"{year:04}-{month:02}-{day:02}"


def _returns(written: ColumnElement[str], base: date, leap_day: LeapDay) -> ColumnElement[bool]:
    """A date that is still to come does not return yet."""
    days = [f"{month:02}-{day:02}" for month, day in days_kept_on(base, leap_day)]
    return and_(func.substr(written, len("2027-") + 1).in_(days), written <= literal(base.isoformat(), Text()))


def _moved(day: date, by: Duration) -> date:
    noon = datetime(day.year, day.month, day.day, _NOON, tzinfo=UTC)
    return add_calendar(noon, by, ZoneInfo("UTC")).date()


def _calendar_part(offset: Duration) -> Duration:
    return Duration(offset.years, offset.months, offset.weeks, offset.days)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
