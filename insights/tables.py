"""The tables of insights: one number a person under each name, and how often and when they were reckoned."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, String, Table

from core.columns import Id, Instant
from core.database import metadata
from core.personal import IMPERSONAL, OnErasure, personal

score = Table(
    "score",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("profile_id", Id, ForeignKey("profile.id"), primary_key=True),
    Column("value", Float(53), nullable=False),
    Column("computed_at", Instant, nullable=False),
    Index("ix_score_profile_id", "profile_id"),
    sqlite_with_rowid=False,
    info=personal("scores that were reckoned of you", OnErasure.DELETE),
)

score_run = Table(
    "score_run",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("revision", BigInteger, nullable=False),  # rises with each recording, so that copies know theirs is old
    Column("computed_at", Instant, nullable=False),
    info=IMPERSONAL,
)
