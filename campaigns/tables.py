"""The tables of campaigns: launches, and the frozen audience of each."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table

from core.columns import Document, Id, Instant
from core.database import metadata
from core.personal import IMPERSONAL, OnErasure, personal


class LaunchStatus(StrEnum):
    FREEZING = "freezing"  # the audience is being written
    SENDING = "sending"
    DONE = "done"
    STOPPED = "stopped"
    MISSED = "missed"  # fell between a backup and its restore, and was left out


launch = Table(
    "launch",
    metadata,
    Column("id", String(36), primary_key=True),  # derived from campaign and occurrence
    Column("campaign", String(100), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("occurrence", String(60), nullable=False),  # the instant, or the local date of a local send
    Column("status", String(10), nullable=False),
    Column("last_profile_id", Id, nullable=False, default=0),  # keyset position of the freezing
    Column("counts", Document, nullable=False, default=dict),
    Column("launched_at", Instant, nullable=False),
    Column("finished_at", Instant),
    info=IMPERSONAL,
)

audience_member = Table(
    "audience_member",
    metadata,
    Column("launch_id", String(36), ForeignKey("launch.id"), primary_key=True),
    Column("profile_id", Id, ForeignKey("profile.id"), primary_key=True),
    Column("is_holdout", Boolean, nullable=False),
    Column("variant", String(50)),
    Column("message_id", String(36)),  # None for the holdout and for somebody without an address
    Column("reason", String(30)),  # why no message was made
    Index("ix_audience_member_profile_id", "profile_id"),
    sqlite_with_rowid=False,
    info=personal("campaigns you were chosen for", OnErasure.KEEP),
)
