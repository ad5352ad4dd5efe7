"""Why somebody was refused at the door, with what was found: from the refusal, the runs, and the event that came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from core.database import batches
from core.durations import add_calendar, parse_duration
from customers.tables import customer_event
from journeys.admission import Refusal
from journeys.explain import REFUSALS
from journeys.explaining.clock import lasted, told
from journeys.wording.conditions import condition_in_words
from journeys.wording.entries import entries_of
from journeys.wording.versions import Version

_BATCH = 500

Document = Mapping[str, Any]


def read_causes(connection: Connection, refusals: Sequence[Row[Any]]) -> dict[int, Row[Any]]:
    """The events that brought people to the door, by id."""
    ids = sorted({row.event_id for row in refusals if row.event_id is not None})
    event, found = customer_event.c, {}
    for some in batches(ids, _BATCH):
        query = select(event.id, event.name, event.occurred_at, event.received_at).where(event.id.in_(some))
        found.update({row.id: row for row in connection.execute(query)})
    return found


def refusal_in_words(
    row: Row[Any], version: Version | None, runs: Sequence[Row[Any]], cause: Row[Any] | None, zone: ZoneInfo
) -> str:
    """One refusal, with the way out where there is one, without a full stop; instants by `zone`, beside the row's own.

    `runs` are all runs of this profile in this journey, oldest first.
    """
    document: Document = version.document if version is not None else {}
    found = _Found(row, document, [run for run in runs if run.entered_at <= row.at], cause, zone)
    return f"did not come in{_by(row, cause, zone)}: {found.said() or REFUSALS.get(row.reason, _spaced(row.reason))}"


def _by(row: Row[Any], cause: Row[Any] | None, zone: ZoneInfo) -> str:
    """What brought them to the door, and when, where that is not the instant at which they were refused."""
    if cause is None:
        return ""
    is_earlier = abs(row.at - cause.occurred_at).total_seconds() >= 60
    return f" by {cause.name}" + (f" of {told(cause.occurred_at, zone, row.at)}" if is_earlier else "")


@dataclass(frozen=True, slots=True)
class _Found:
    """A refusal, and everything that tells its cause."""

    row: Row[Any]
    document: Document
    runs: Sequence[Row[Any]]
    cause: Row[Any] | None
    zone: ZoneInfo

    def said(self) -> str:
        """ "" where nothing more is known than the reason itself."""
        entry, reenter = self._entry(), self.document.get("reenter", {})
        match self.row.reason:
            case Refusal.LATE if self.cause is not None:
                late = self.cause.received_at - self.cause.occurred_at
                came = f"arrived {lasted(late)} after it happened" if late.total_seconds() > 0 else "lies in the future"
                return f"it {came}, and `max_age` is {entry.get('max_age', '24h')}"
            case Refusal.CONDITION if "if" in entry:
                return self._condition(entry)
            case Refusal.NO_KEY:
                return f"it has no property {entry.get('key', 'for the key')}, which keeps runs apart"
            case Refusal.OUTSIDE if "schedule" in self.document:
                return f"the journey admits people {_span(self.document['schedule'])} alone (`schedule`)"
            case Refusal.SUPPRESSED:
                return f"all addresses are suppressed; `postilion profile '#{self.row.profile_id}'` shows why"
            case Refusal.ACTIVE:
                return self._active()
            case Refusal.NEVER if self.runs:
                return f"came in already on {self._clock(self.runs[-1])}, and nobody comes twice (`reenter: never`)"
            case Refusal.TOO_SOON if self.runs and isinstance(reenter, Mapping) and "every" in reenter:
                return self._too_soon(str(reenter["every"]))
            case Refusal.TOO_OFTEN if self.runs and isinstance(reenter, Mapping):
                times = "once" if len(self.runs) == 1 else f"{len(self.runs)} times"
                return f"came in {times} already, and `reenter.max` is {reenter.get('max')}"
        return ""

    def _condition(self, entry: Document) -> str:
        wanted = condition_in_words(entry["if"])
        if "settle" in entry:
            return f"this did not hold, nor at any change within {entry['settle']} (`settle`): {wanted}"
        return f"this did not hold then: {wanted}"

    def _active(self) -> str:
        active = [run for run in self.runs if run.ended_at is None or run.ended_at > self.row.at]
        since = f" since {self._clock(active[-1])}" if active else ""
        return f"was inside already{since}, and `mode: {self.document.get('mode', 'single')}` lets nobody in beside"

    def _too_soon(self, every: str) -> str:
        last = self.runs[-1]
        again = add_calendar(last.entered_at, parse_duration(every), self.zone)
        until = told(again, self.zone, self.row.at)
        return f"came in last on {self._clock(last)}, and may come again from {until} (`reenter.every: {every}`)"

    def _clock(self, run: Row[Any]) -> str:
        return told(run.entered_at, self.zone)

    def _entry(self) -> Document:
        """The way in that the event stands for."""
        entries = entries_of(self.document) if self.document else []
        for entry in entries:
            names = entry.get("event", ())
            if self.cause is not None and self.cause.name in ([names] if isinstance(names, str) else names):
                return entry
        return next((entry for entry in entries if self.cause is None or "event" not in entry), {})


def _span(schedule: Document) -> str:
    said = [f"{word} {schedule[key]}" for word, key in (("from", "from"), ("until", "to")) if key in schedule]
    return " ".join(said)


def _spaced(code: str) -> str:
    return code.replace("_", " ")
