"""The tables of segments: who is in one now, and how its last refresh went."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text

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

# A ranking: `basis` is the hash of what people are ranked by (see `rank_bases`), place 1 is the highest.
segment_rank = Table(
    "segment_rank",
    metadata,
    Column("basis", String(16), primary_key=True),
    Column("profile_id", Id, ForeignKey("profile.id"), primary_key=True),
    Column("place", BigInteger, nullable=False),
    Index("ix_segment_rank_profile_id", "profile_id"),
    sqlite_with_rowid=False,
    info=personal("your places in rankings", OnErasure.DELETE),
)

segment_rank_run = Table(
    "segment_rank_run",
    metadata,
    Column("basis", String(16), primary_key=True),
    Column("words", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),  # rises with each ranking, so that copies know theirs is old
    Column("counted", BigInteger, nullable=False),  # how many have a place
    Column("computed_at", Instant, nullable=False),
    info=IMPERSONAL,
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
    Column("asked", String(64), nullable=False, server_default=""),  # hash of the rule as it was asked, see `following`
    info=IMPERSONAL,
)

segment_follow = Table(
    "segment_follow",  # how far memberships follow what happens, beside the cursors; one row
    metadata,
    Column("name", String(20), primary_key=True),
    Column("followed_to", Instant, nullable=False),  # no membership is older than this
    Column("asked_at", Instant, nullable=False),  # none is of a later instant than this
    Column("ticked_at", Instant, nullable=False),  # when somebody last looked
    info=IMPERSONAL,
)

segment_fault = Table(
    "segment_fault",  # who could not be asked about, and why; 0 is everybody in that segment
    metadata,
    Column("segment", String(100), primary_key=True),
    Column("profile_id", Id, primary_key=True, autoincrement=False),
    Column("cause", Text, nullable=False),
    Column("found_at", Instant, nullable=False),
    sqlite_with_rowid=False,
    info=personal("segments that we could not tell whether you are in", OnErasure.DELETE),
)

segment_audit = Table(
    "segment_audit",  # what the last comparison with a full rebuild found
    metadata,
    Column("segment", String(100), primary_key=True),
    Column("profile_id", Id, primary_key=True, autoincrement=False),
    Column("kind", String(10), nullable=False),  # missing | extra
    Column("found_at", Instant, nullable=False),
    sqlite_with_rowid=False,
    info=personal("segments that you were wrongly in or out of", OnErasure.DELETE),
)
