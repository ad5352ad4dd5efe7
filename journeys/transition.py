"""One passage through a journey as a value, and what one step forward makes of it: new state, journal and effects.

Nothing here touches a database; `enrolments` and `effects` write what stands here. `state` and the journal hold only
ids, branches and instants; what people wrote or did (`entry`, `results`) is kept apart, because it is sealed.

What is made at every move is a struct, because a frozen dataclass takes many times as long to make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from journeys.questions import Earned, Event, Question
from journeys.tables import EnrolmentStatus


class TimerKind(StrEnum):
    STEP = "step"
    MAX_STAY = "max_stay"
    GOAL = "goal"


class JournalKind(StrEnum):
    """What can stand in a journal; `explain` says each in prose."""

    ENTERED = "entered"
    HELD_OUT = "held_out"
    STEP = "step"
    WAITING = "waiting"
    RESCHEDULED = "rescheduled"
    QUEUED = "queued"
    GOAL = "goal"
    ERROR = "error"
    MIGRATED = "migrated"
    BEST_TIME = "best_time"
    CAPPED = "capped"
    LATE_FOR_WAIT = "late_for_wait"
    TIMEZONE_FALLBACK = "timezone_fallback"
    DRAWN = "drawn"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a run is over; an `exit` step may give a reason of its own instead."""

    COMPLETED = "completed"
    GOAL = "goal"
    EXIT = "exit"
    TIMED_OUT = "timed_out"
    DATE_PAST = "date_past"
    SKIPPED = "skipped"
    CAP = "cap"
    ERROR = "error"
    LOOP = "failed: loop"
    EXPIRED = "expired"
    HOLDOUT = "holdout"
    RESTARTED = "restarted"
    STOPPED = "stopped"
    ERASED = "erased"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One profile's passage through one journey version. `step` is where it stands."""

    id: int  # the row's
    uid: str  # derived from what let the person in
    journey: str
    version: int
    profile_id: int
    key: str
    entered_at: datetime
    status: EnrolmentStatus = EnrolmentStatus.ACTIVE
    step: str | None = None
    state: Mapping[str, Any] = field(default_factory=dict)
    entry: Mapping[str, Any] = field(default_factory=dict, repr=False)
    results: Mapping[str, Any] = field(default_factory=dict, repr=False)
    step_entered_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    goal_at: datetime | None = None
    journal_seq: int = 0
    origin_profile_id: int | None = None  # whose it was before a merge, and whose key seals it
    entry_event_id: int | None = None  # of the log; `entry` has its properties


# -- why the engine is called ------------------------------------------------------------------------------------------


class Entered(Struct, frozen=True, gc=False):
    """The person has just been let in."""

    trigger: str


class Nudged(Struct, frozen=True, gc=False):
    """These events became known, or (without any) something about the profile changed.

    While the journey is paused only goals and exits are looked at.
    """

    events: tuple[Event, ...] = ()
    is_paused: bool = False


class Due(Struct, frozen=True, gc=False):
    """A timer has run out."""

    timer: TimerKind


class HoldEnded(Struct, frozen=True, gc=False):
    """A message that was held may go now: its step's `if` is asked once more."""


class Resumed(Struct, frozen=True, gc=False):
    """The effects of the transition before were applied: go on."""

    steps_done: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The last call ended in an error that nobody foresaw."""

    cause: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Somebody outside ends the run."""

    reason: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The run has come over to another profile that is the same person: what that one did counts from now on.

    While the journey is paused only goals and exits are looked at.
    """

    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Migrated:
    """The run goes on in another version of its journey, which `Enrolment.version` names already.

    `step` is where it stands there (None for a run that is held out); with `keeps_place` that is the very step at which
    it stood, `has_new_stay` where `max_stay` is another. While the journey is paused nobody goes on from there.
    """

    from_version: int
    step: str | None
    keeps_place: bool
    has_new_stay: bool = False
    is_paused: bool = False


Wake = Entered | Nudged | Due | HoldEnded | Resumed | Broken | Ended | Succeeded | Migrated


# -- what comes out ----------------------------------------------------------------------------------------------------


class JournalEntry(Struct, frozen=True, gc=False):
    kind: JournalKind
    data: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class EnqueueMessage:
    """Write a message into the send ledger; the fields are those of `delivery.outbox.NewMessage`."""

    id: str
    channel: str
    template: str
    topic: str
    kind: str
    sender: str | None
    step: str
    due_at: datetime
    expires_at: datetime | None
    context: Mapping[str, Any] = field(repr=False)
    policy: Mapping[str, Any] = field(default_factory=dict)
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class CancelMessages:
    """Cancel what was not claimed yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class SetAttributes:
    values: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class EmitEvent:
    name: str
    key: str
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Strategy(StrEnum):
    """How products are taken from several offers: from the first that has any, or the best of all of them."""

    FIRST = "first"
    BEST = "best"


@dataclass(frozen=True, slots=True)
class DecideOffer:
    """Choose products; the answer becomes the result of `step`. `key` names the cause, with the profile.

    Where `offers` have nothing (left), the offer `fallback` takes their place.
    """

    step: str
    offers: tuple[str, ...]
    count: int | None
    key: str
    strategy: Strategy = Strategy.FIRST
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Ask a person to do something; the fields are those of `customers.tasks.NewTask`."""

    id: str
    kind: str
    title: str = field(repr=False)
    body: str = field(repr=False)
    team: str | None
    assignee: str | None
    priority: str
    due_at: datetime | None
    step: str


class ListChange(StrEnum):
    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class ChangeList:
    """Put the profile on a static list, or take it off."""

    list: str
    change: ListChange


STARTED: Final = "journey_started"  # the log event that brings somebody to the door of the journey that is to start


@dataclass(frozen=True, slots=True)
class StartJourney:
    """Bring the profile to the door of another journey; `entry` is what that one reads as `entry.*`.

    `id` names the cause, `chain` counts the starts that followed from each other without a pause, this one included.
    """

    id: str
    journey: str
    chain: int
    entry: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class NoteDraw:
    """Keep that a bandit drew an arm, by what it had `earned`: a reward in `[drawn_at, ends_at)` is its success."""

    id: str
    arm: str
    drawn_at: datetime
    ends_at: datetime
    earned: Earned


@dataclass(frozen=True, slots=True)
class Assign:
    """Store the arm that was drawn."""

    seed: str
    test: str
    arm: str


class SetTimer(Struct, frozen=True, gc=False):
    kind: TimerKind
    due_at: datetime


class ClearTimers(Struct, frozen=True, gc=False):
    kinds: tuple[TimerKind, ...]


class WaitFor(Struct, frozen=True, gc=False):
    """Who waits for what, so that an event finds its waiters by name; replaces what was waited for before."""

    names: tuple[tuple[int, str], ...]

    def events(self) -> Iterator[tuple[int, str]]:
        """Each name once, with a number."""
        return enumerate(dict.fromkeys(name for _, name in self.names), start=1)


Effect = (
    EnqueueMessage
    | CancelMessages
    | SetAttributes
    | EmitEvent
    | DecideOffer
    | CreateTask
    | ChangeList
    | StartJourney
    | NoteDraw
    | Assign
    | SetTimer
    | ClearTimers
    | WaitFor
)

# After these the world is another: whatever is asked next must be asked anew.
CHANGES_FACTS: Final = frozenset({SetAttributes, EmitEvent, DecideOffer, CreateTask, ChangeList})


class Transition(Struct, frozen=True, gc=False):
    """One step forward. `is_unfinished`: apply it, then call again with `Resumed(steps_done)` and fresh facts."""

    enrolment: Enrolment
    journal: tuple[JournalEntry, ...] = ()
    effects: tuple[Effect, ...] = ()
    steps_done: int = 0
    is_unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """The engine lacks these answers; call it again with them."""

    questions: frozenset[Question]
