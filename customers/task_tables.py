"""The table of tasks for people, complaints and service requests among them."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, String, Table

from core.columns import Id, Instant
from core.database import metadata
from core.personal import OnErasure, personal


class TaskKind(StrEnum):
    TO_DO = "to_do"
    COMPLAINT = "complaint"
    SERVICE_REQUEST = "service_request"


class TaskStatus(StrEnum):
    OPEN = "open"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CANCELLED = "cancelled"


class Priority(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


CASES = frozenset({TaskKind.COMPLAINT, TaskKind.SERVICE_REQUEST})  # what the condition `case` asks about
UNFINISHED = frozenset({TaskStatus.OPEN, TaskStatus.IN_PROGRESS})

task = Table(
    "task",  # work for a person or a team; complaints and service requests are tasks too
    metadata,
    Column("id", String(36), primary_key=True),  # derived from what caused it, where something did
    Column("kind", String(30), nullable=False),  # a TaskKind
    Column("status", String(15), nullable=False),  # a TaskStatus
    Column("profile_id", Id, ForeignKey("profile.id")),  # None: about no customer
    Column("sealed_title", LargeBinary, nullable=False),  # under the profile, or for the workspace
    Column("sealed_body", LargeBinary),
    Column("team", String(100)),
    Column("assignee", String(100)),
    Column("priority", String(10), nullable=False),  # a Priority
    Column("due_at", Instant),
    Column("outcome", String(50)),
    Column("origin_kind", String(10)),  # journey; None: by hand
    Column("origin", String(100)),
    Column("origin_id", String(36)),
    Column("step", String(100)),
    Column("origin_profile_id", Id),  # before a merge: whose it was, and whose key seals it
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Index("ix_task_status_due_at", "status", "due_at"),
    Index("ix_task_profile_id", "profile_id", "created_at"),
    Index("ix_task_updated_at", "updated_at"),
    info=personal(
        "tasks, complaints and service requests about you",
        OnErasure.CLEAR,
        clears=("sealed_body",),
        sealed={"sealed_title": "task.title", "sealed_body": "task.body"},
        moves=True,
    ),
)
