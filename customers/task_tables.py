"""The table of tasks for people, complaints and service requests among them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, String, Table

from core.columns import Id, Instant
from core.database import metadata
from core.personal import OnErasure, personal

task = Table(
    "task",  # work for a person or a team; complaints and service requests are tasks too
    metadata,
    Column("id", String(36), primary_key=True),  # derived from what caused it, where something did
    Column("kind", String(30), nullable=False),  # to_do | complaint | service_request …
    Column("status", String(15), nullable=False),  # open | in_progress | done | cancelled
    Column("profile_id", Id, ForeignKey("profile.id")),  # None: about no customer
    Column("sealed_title", LargeBinary, nullable=False),  # under the profile, or for the workspace
    Column("sealed_body", LargeBinary),
    Column("team", String(100)),
    Column("assignee", String(100)),
    Column("priority", String(10), nullable=False),  # low | normal | high
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
    info=personal(
        "tasks, complaints and service requests about you",
        OnErasure.CLEAR,
        clears=("sealed_body",),
        sealed={"sealed_title": "task.title", "sealed_body": "task.body"},
        moves=True,
    ),
)
