"""The tables of journeys: enrolments, their journal, timers, waits for events, and stored assignments.

A journey's version is its published definition (`core/definitions.py`). State, journal, timers, waits and messages of
one advance are committed in one transaction.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, text

from core.columns import Document, Id, Instant
from core.database import metadata
from core.personal import IMPERSONAL, OnErasure, personal


class EnrolmentStatus(StrEnum):
    ACTIVE = "active"
    HOLDOUT = "holdout"
    ENDED = "ended"


enrolment = Table(
    "enrolment",
    metadata,
    Column("id", Id, primary_key=True),  # as people come: those who came together lie together, and so do their timers
    Column("uid", String(36), nullable=False, unique=True),  # derived from the occurrence: no one enters by it twice
    Column("journey", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False),
    Column("key", String(200), nullable=False),  # one run per key: a cart, a subscription; "" where there is none
    Column("status", String(10), nullable=False),
    Column("position", Document),  # path of the step it stands at
    Column("step", String(100)),  # id of that step, for head-counts
    Column("state", Document, nullable=False, default=dict),  # visits, branches, step results: plain values only
    Column("sealed_state", LargeBinary),  # entry.* and vars
    Column("entered_at", Instant, nullable=False),
    Column("step_entered_at", Instant),
    Column("ended_at", Instant),
    Column("end_reason", String(30)),
    Column("goal_at", Instant),
    Column("journal_seq", Integer, nullable=False, default=0),
    Column("origin_profile_id", Id),  # whose it was before a merge
    Column("entry_event_id", Id),  # the log entry that let the person in
    Index("ix_enrolment_profile_id_journey_key", "profile_id", "journey", "key"),
    Index("ix_enrolment_journey_status_step", "journey", "status", "step"),
    Index(
        "ix_enrolment_kept",  # what retention has not emptied yet
        "ended_at",
        sqlite_where=text("sealed_state IS NOT NULL"),
        postgresql_where=text("sealed_state IS NOT NULL"),
    ),
    info=personal(
        "journeys you went through",
        OnErasure.CLEAR,
        clears=("sealed_state",),
        sealed={"sealed_state": "enrolment.sealed_state"},
        moves=True,
    ),
)

journal = Table(
    "journal",
    metadata,
    Column("enrolment_id", Id, ForeignKey("enrolment.id"), primary_key=True, autoincrement=False),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("kind", String(30), nullable=False),
    Column("data", Document, nullable=False, default=dict),  # plain values only
    sqlite_with_rowid=False,
    info=personal("each step of those journeys", OnErasure.KEEP, by="enrolment_id", parent="enrolment"),
)

timer = Table(
    "timer",
    metadata,
    Column("enrolment_id", Id, ForeignKey("enrolment.id"), primary_key=True, autoincrement=False),
    Column("kind", String(20), primary_key=True),  # step | max_stay | goal
    Column("due_at", Instant, nullable=False),
    Index("ix_timer_due_at", "due_at", "enrolment_id"),
    sqlite_with_rowid=False,
    info=personal("timers of those journeys", OnErasure.DELETE, by="enrolment_id", parent="enrolment"),
)

event_wait = Table(
    "event_wait",  # who waits for what, found by name and profile instead of by asking everybody
    metadata,
    Column("enrolment_id", Id, ForeignKey("enrolment.id"), primary_key=True, autoincrement=False),
    Column("item_no", Integer, primary_key=True, autoincrement=False),  # position within the step, from 1
    Column("event_name", String(100), nullable=False),
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False),
    Index("ix_event_wait_profile_id_event_name", "profile_id", "event_name"),
    sqlite_with_rowid=False,
    info=personal("events that those journeys wait for", OnErasure.DELETE),
)

assignment = Table(
    "assignment",
    metadata,
    Column("seed", String(150), primary_key=True),
    Column("test", String(200), primary_key=True),  # journey/step, or journey/holdout
    Column("profile_id", Id, ForeignKey("profile.id"), primary_key=True),
    Column("arm", String(50), nullable=False),
    Column("version", Integer, nullable=False),
    Column("is_contaminated", Boolean, nullable=False, default=False),
    sqlite_with_rowid=False,
    info=personal("experiments you took part in", OnErasure.KEEP),
)

bandit_draw = Table(
    "bandit_draw",  # which arm was drawn when; what it earned stands in the log
    metadata,
    Column("id", String(36), primary_key=True),  # of the visit at the step
    Column("test", String(200), nullable=False),  # journey/step
    Column("reward", String(12), nullable=False),  # digest of what counts as success
    Column("arm", String(50), nullable=False),
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False),
    Column("enrolment_uid", String(36), nullable=False),
    Column("drawn_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),  # a reward counts in [drawn_at, ends_at)
    Column("origin_profile_id", Id),  # whose it was before a merge
    Index("ix_bandit_draw_test_reward_ends_at", "test", "reward", "ends_at"),
    Index("ix_bandit_draw_profile_id", "profile_id"),
    info=personal("variants chosen for you by their success", OnErasure.KEEP, moves=True),
)

bandit_tally = Table(
    "bandit_tally",  # what draws have earned whose windows ended some days ago; they themselves are gone
    metadata,
    Column("test", String(200), primary_key=True),
    Column("reward", String(12), primary_key=True),
    Column("arm", String(50), primary_key=True),
    Column("success_count", Integer, nullable=False),
    Column("failure_count", Integer, nullable=False),
    sqlite_with_rowid=False,
    info=IMPERSONAL,
)

entry_refusal = Table(
    "entry_refusal",  # who did not enter, and why: the answer to `why-not`
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("journey", String(100), nullable=False),
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False),
    Column("reason", String(30), nullable=False),
    Column("version", Integer),  # of the journey, whose words say what was asked for
    Column("event_id", Id),  # of the log: what brought them, where an event did
    Column("at", Instant, nullable=False),
    Index("ix_entry_refusal_profile_id_journey", "profile_id", "journey"),
    info=personal("journeys you did not enter, and why", OnErasure.KEEP),
)

entry_slot = Table(
    "entry_slot",  # how far people were let in at one moment of a schedule, a date or a start, see entries/slots.py
    metadata,
    Column("journey", String(100), primary_key=True),
    Column("trigger", String(150), primary_key=True),
    Column("occurrence", String(200), primary_key=True),
    Column("due_at", Instant, primary_key=True, autoincrement=False),
    Column("last_profile_id", Id, nullable=False),
    Column("finished_at", Instant),
    sqlite_with_rowid=False,
    info=IMPERSONAL,
)

entry_settling = Table(
    "entry_settling",  # whose condition did not hold yet, and is asked again when the profile changes
    metadata,
    Column("enrolment_uid", String(36), primary_key=True),  # of the run that it would be
    Column("journey", String(100), nullable=False),
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False),
    Column("event_id", Id, nullable=False),  # of the log: what brought them
    Column("asked_at", Instant, nullable=False),  # the last time
    Column("until", Instant, nullable=False),
    Index("ix_entry_settling_profile_id", "profile_id"),
    Index("ix_entry_settling_until", "until"),
    sqlite_with_rowid=False,
    info=personal("journeys you may still enter", OnErasure.DELETE),
)
