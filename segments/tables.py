"""The tables of segments: who is in one now, and how its last refresh went."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table

from core.columns import Id, Instant
from core.database import metadata
from core.personal import IMPERSONAL, OnErasure, personal

membership = Table(
    "membership",
    metadata,
    Column("segment", String(100), primary_key=True),
    Column("profile_id", Id, ForeignKey("profile.id"), primary_key=True),
    Column("entered_at", Instant, nullable=False),
    Index("ix_membership_profile_id", "profile_id"),
    sqlite_with_rowid=False,
    info=personal("segments you are in", OnErasure.DELETE),
)

segment_refresh = Table(
    "segment_refresh",
    metadata,
    Column("segment", String(100), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("refreshed_at", Instant, nullable=False),
    Column("member_count", BigInteger, nullable=False),
    Column("entered_count", BigInteger, nullable=False),
    Column("left_count", BigInteger, nullable=False),
    Column("seconds", Float, nullable=False),
    info=IMPERSONAL,
)
