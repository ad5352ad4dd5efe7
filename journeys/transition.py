"""One passage through a journey as a value, and what one step forward makes of it: new state, journal and effects.

Nothing here touches a database; `enrolments` and `effects` write what stands here. `state` and the journal hold only
ids, branches and instants; what people wrote or did (`entry`, `results`) is kept apart, because it is sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from journeys.questions import Event, Question
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
    LATE_FOR_WAIT = "late_for_wait"
    TIMEZONE_FALLBACK = "timezone_fallback"
    ENDED = "ended"


class EndReason(StrEnum):
    """Why a run is over; an `exit` step may give a reason of its own instead."""

    COMPLETED = "completed"
    GOAL = "goal"
    EXIT = "exit"
    TIMED_OUT = "timed_out"
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


# -- why the engine is called ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entered:
    """The person has just been let in."""

    trigger: str


@dataclass(frozen=True, slots=True)
class Nudged:
    """These events became known, or (without any) something about the profile changed.

    While the journey is paused only goals and exits are looked at.
    """

    events: tuple[Event, ...] = ()
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """A timer has run out."""

    timer: TimerKind


@dataclass(frozen=True, slots=True)
class HoldEnded:
    """A message that was held may go now: its step's `if` is asked once more."""


@dataclass(frozen=True, slots=True)
class Resumed:
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


Wake = Entered | Nudged | Due | HoldEnded | Resumed | Broken | Ended | Succeeded


# -- what comes out ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JournalEntry:
    kind: JournalKind
    data: Mapping[str, Any] = field(default_factory=dict)


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


@dataclass(frozen=True, slots=True)
class DecideOffer:
    """Choose products; the answer becomes the result of `step`. `key` names the cause, with the profile."""

    step: str
    offers: tuple[str, ...]
    count: int | None
    key: str


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


@dataclass(frozen=True, slots=True)
class Assign:
    """Store the arm that was drawn."""

    seed: str
    test: str
    arm: str


@dataclass(frozen=True, slots=True)
class SetTimer:
    kind: TimerKind
    due_at: datetime


@dataclass(frozen=True, slots=True)
class ClearTimers:
    kinds: tuple[TimerKind, ...]


@dataclass(frozen=True, slots=True)
class WaitFor:
    """Who waits for what, so that an event finds its waiters by name; replaces what was waited for before."""

    names: tuple[tuple[int, str], ...]


Effect = (
    EnqueueMessage
    | CancelMessages
    | SetAttributes
    | EmitEvent
    | DecideOffer
    | CreateTask
    | Assign
    | SetTimer
    | ClearTimers
    | WaitFor
)

# After these the world is another: whatever is asked next must be asked anew.
CHANGES_FACTS = (SetAttributes, EmitEvent, DecideOffer, CreateTask)


@dataclass(frozen=True, slots=True)
class Transition:
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
