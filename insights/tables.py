"""The tables of insights: one number a person under each name, what the models behind them are worth, and how long
products last.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table

from core.columns import Document, Id, Instant
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

model_card = Table(
    "model_card",
    metadata,
    Column("id", Id, primary_key=True),
    Column("made_at", Instant, nullable=False),
    Column("document", Document, nullable=False),  # counts and parameters, see insights/model_card.py
    info=IMPERSONAL,
)

repurchase_interval = Table(
    "repurchase_interval",  # after how long a product that runs out is bought again
    metadata,
    Column("sku", String(100), primary_key=True),
    Column("gap_count", Integer, nullable=False),
    Column("median_days", Float(53), nullable=False),
    Column("low_days", Float(53), nullable=False),  # a quarter of the gaps is shorter
    Column("high_days", Float(53), nullable=False),  # a quarter is longer
    Column("computed_at", Instant, nullable=False),
    sqlite_with_rowid=False,
    info=IMPERSONAL,
)
