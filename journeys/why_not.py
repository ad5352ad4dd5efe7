"""Why somebody is not in a journey: it was not live, they never came to its door, or they were refused or held out.

From what is recorded: refusals, runs, and the log. The one thing that is asked again is whether an event that came had
the properties that the file wants.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from core.definitions import definition
from core.vault import Vault
from customers.log import logged_event
from customers.profiles import load_profiles
from customers.tables import customer_event
from customers.workspace import Workspace
from journeys.answers import as_event
from journeys.explaining.clock import told
from journeys.explaining.lines import sentence
from journeys.explaining.story import Passage, Story, read_story
from journeys.model import JourneyStatus
from journeys.tables import EnrolmentStatus, entry_settling
from journeys.transition import EndReason, JournalKind
from journeys.wording.conditions import matcher_in_words
from journeys.wording.entries import entries_of, entry_in_words
from segments.language.matcher import match_value
from segments.language.matcher_parser import parse_where
from segments.tables import membership

_MEASURED = "so that the effect can be measured"
_LATEST = 5  # of the events that came and did not fit


class Why(StrEnum):
    """What a reason is about."""

    INSIDE = "inside"
    HELD_OUT = "held_out"
    NOT_LIVE = "not_live"
    REFUSED = "refused"
    NEVER_CAME = "never_came"
    DID_NOT_FIT = "did_not_fit"
    BEFORE = "before"
    HISTORICAL = "historical"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, in a sentence without a full stop; `at` is when it came to bear, None where it always does."""

    why: Why
    text: str
    at: datetime | None = None
    code: str | None = None  # of a refusal


def why_not(
    connection: Connection, vault: Vault, workspace: Workspace, profile_id: int, journey: str
) -> tuple[Story, Sequence[Reason]]:
    """The story so far, and every reason: what holds always first, then by time.

    Raises NotFoundError when no journey of that name was ever published.
    """
    story = read_story(connection, workspace, profile_id, journey)
    versions = _versions(connection, journey)
    reasons = [*_runs(story), *_not_live(versions, story.zone)]
    reasons += [Reason(Why.REFUSED, said, row.at, row.reason) for row, said in story.refusals]
    reasons += _still_asked(connection, story)
    newest = versions[-1]
    asking = _Asking(connection, vault, ZoneInfo(workspace.timezone), story, _live_since(versions))
    for entry in entries_of(newest.document):
        reasons += asking.about(entry)
    return story, sorted(reasons, key=lambda one: (one.at is not None, one.at or newest.published_at))


def _versions(connection: Connection, journey: str) -> Sequence[Row[Any]]:
    query = select(definition).where(definition.c.kind == "journey", definition.c.slug == journey)
    return connection.execute(query.order_by(definition.c.version)).all()


def _runs(story: Story) -> Iterator[Reason]:
    for passage in story.passages:
        row = passage.row
        if row.status == EnrolmentStatus.HOLDOUT or row.end_reason == EndReason.HOLDOUT:
            text = f"chance{_holdout(passage)} put them among the held out: they came in, and get nothing, {_MEASURED}"
            yield Reason(Why.HELD_OUT, text, row.entered_at)
        elif row.status == EnrolmentStatus.ACTIVE:
            yield Reason(Why.INSIDE, f"is inside since {told(row.entered_at, story.zone)}", row.entered_at)
        else:
            span = f"was inside from {told(row.entered_at, story.zone)} to {told(row.ended_at, story.zone)}"
            yield Reason(Why.INSIDE, f"{span}: {_left(story, passage)}", row.entered_at)


def _holdout(passage: Passage) -> str:
    said = passage.version.document.get("holdout") if passage.version is not None else None
    percent = said.get("percent") if isinstance(said, Mapping) else said
    return f" (`holdout: {percent}`)" if percent is not None else ""


def _left(story: Story, passage: Passage) -> str:
    """How a run ended, as its journal tells it."""
    for then, entry in passage.chapters():
        if entry.kind == JournalKind.ENDED:
            said = sentence(then, entry, story.zone)
            return f"{said[:1].lower()}{said[1:]}"
    return str(passage.row.end_reason).replace("_", " ")


def _not_live(versions: Sequence[Row[Any]], zone: ZoneInfo) -> Iterator[Reason]:
    newest = versions[-1]
    if newest.withdrawn_at is not None:
        since = told(newest.withdrawn_at, zone)
        gone = "it was stopped, or its file was taken away; `postilion apply` with its file makes it live again"
        yield Reason(Why.NOT_LIVE, f"the journey lets nobody in since {since}: {gone}")
        return
    status = newest.document.get("status", JourneyStatus.DRAFT)
    if status != JourneyStatus.LIVE:
        since = told(newest.published_at, zone)
        yield Reason(Why.NOT_LIVE, f"the journey lets nobody in: its file says `status: {status}` since {since}")


def _still_asked(connection: Connection, story: Story) -> Iterator[Reason]:
    """Events whose condition did not hold, and which `settle` gives more time."""
    table = entry_settling.c
    query = select(table.asked_at, table.until).where(
        table.profile_id == story.profile_id, table.journey == story.journey
    )
    for row in connection.execute(query.order_by(table.until)):
        until = told(row.until, story.zone)
        text = (
            f"the condition of the way in does not hold yet; it is asked at every change of the profile until {until}"
        )
        yield Reason(Why.OPEN, text, row.asked_at)


def _live_since(versions: Sequence[Row[Any]]) -> datetime:
    """When the last unbroken row of live versions began; of one that is not live, when it was published."""
    since: datetime = versions[-1].published_at
    for row in reversed(versions[:-1]):
        if row.document.get("status") != JourneyStatus.LIVE or row.withdrawn_at is not None:
            break
        since = row.published_at
    return since


@dataclass(frozen=True, slots=True)
class _Asking:
    """One person at the doors of one journey. `zone` is the workspace's, in which dates of events are read."""

    connection: Connection
    vault: Vault
    zone: ZoneInfo
    story: Story
    live_since: datetime

    def about(self, entry: Mapping[str, Any]) -> Iterator[Reason]:
        if "event" in entry:
            yield from self._event(entry)
        elif "segment" in entry and not {"schedule", "at"} & entry.keys():
            yield from self._segment(entry)
        elif not self.story.passages and not self.story.refusals:
            yield Reason(Why.NEVER_CAME, self._never_brought(entry))

    def _never_brought(self, entry: Mapping[str, Any]) -> str:
        """By a date, a schedule or a call."""
        said = entry.get("date")
        attribute = said.get("attribute") if isinstance(said, Mapping) else said
        if attribute is None:
            return f"was not brought in by: {entry_in_words(entry)}"
        found = load_profiles(self.connection, self.vault, [self.story.profile_id]).get(self.story.profile_id)
        if found is None or found.attributes.get(attribute) is None:
            return f"has no date in {attribute}, by which people come in"
        return f"was not brought in by {entry_in_words(entry)}: it has not come round since the journey went live"

    def _event(self, entry: Mapping[str, Any]) -> Iterator[Reason]:
        names = [entry["event"]] if isinstance(entry["event"], str) else list(entry["event"])
        came = list(self._log(names))
        if not came:
            yield Reason(Why.NEVER_CAME, f"never met {' or '.join(names)}, by which people come in")
        handled = {row.event_id for row, _said in self.story.refusals} | self._settling()
        entered = {passage.row.entered_at for passage in self.story.passages}
        for row in came:
            if row.id not in handled and row.occurred_at not in entered:
                yield from self._did_not_fit(entry, row)

    def _settling(self) -> set[int]:
        query = select(entry_settling.c.event_id).where(entry_settling.c.profile_id == self.story.profile_id)
        return set(self.connection.execute(query.where(entry_settling.c.journey == self.story.journey)).scalars())

    def _did_not_fit(self, entry: Mapping[str, Any], row: Row[Any]) -> Iterator[Reason]:
        at = f"the event {row.name} of {told(row.occurred_at, self.story.zone)}"
        if row.is_historical:
            yield Reason(Why.HISTORICAL, f"{at} was imported as history, which brings nobody in", row.occurred_at)
            return
        if row.occurred_at < self.live_since:
            live = told(self.live_since, self.story.zone)
            yield Reason(Why.BEFORE, f"{at} was before the journey went live ({live})", row.occurred_at)
            return
        properties = as_event(self.vault, logged_event(row)).properties
        for test in parse_where(entry.get("where", {}), _ignore, ()):
            value = properties.get(test.name)
            if not match_value(test.matcher, value, now=row.received_at, zone=self.zone):
                was = "is missing" if value is None else f"was {value}"
                wanted = matcher_in_words(test.matcher)
                text = f"{at} did not fit: {test.name} {was}, and the file wants that it {wanted}"
                yield Reason(Why.DID_NOT_FIT, text, row.occurred_at)

    def _segment(self, entry: Mapping[str, Any]) -> Iterator[Reason]:
        segment, is_exit = str(entry["segment"]), entry.get("when") == "exit"
        name = "segment_left" if is_exit else "segment_entered"
        crossings = [row for row in self._log([name], limit=200) if row.properties.get("segment") == segment]
        member = self.connection.execute(
            select(membership.c.entered_at).where(
                membership.c.segment == segment, membership.c.profile_id == self.story.profile_id
            )
        ).scalar()
        ask = f"`postilion segments explain '#{self.story.profile_id}' {segment}` says why"
        if not crossings and member is None:
            verb = "left" if is_exit else "was in"
            yield Reason(Why.NEVER_CAME, f"never {verb} the segment {segment}; {ask}")
        before = [
            row.occurred_at for row in crossings if row.occurred_at < self.live_since or row.properties.get("initial")
        ]
        if (before or (member is not None and not crossings)) and not is_exit and not entry.get("backfill"):
            since = told(max([*before, *([member] if member is not None else [])]), self.story.zone)
            text = f"was in the segment {segment} since {since} already, and `backfill: true` would let such people in"
            yield Reason(Why.BEFORE, text, max(before, default=member))

    def _log(self, names: Sequence[str], limit: int = _LATEST) -> Sequence[Row[Any]]:
        """The latest entries of the log with these names."""
        event = customer_event.c
        query = select(customer_event).where(event.profile_id == self.story.profile_id, event.name.in_(names))
        return self.connection.execute(query.order_by(event.occurred_at.desc(), event.id.desc()).limit(limit)).all()


def _ignore(*_place: Any, **_more: Any) -> None:
    """Faults were told when the file was checked."""
