"""The tables of accounts: companies, and which customers belong to them."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text

from core.columns import Document, Id, Instant
from core.database import metadata
from core.personal import IMPERSONAL, OnErasure, personal

account = Table(
    "account",  # a company that customers belong to
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(200), nullable=False, unique=True),  # the shop's own id of it
    Column("name", Text, nullable=False),
    Column("country", String(2)),
    Column("attributes", Document, nullable=False, default=dict),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    info=IMPERSONAL,
)

account_member = Table(
    "account_member",
    metadata,
    Column("account_id", Id, ForeignKey("account.id"), primary_key=True),
    Column("profile_id", Id, ForeignKey("profile.id"), primary_key=True),
    Column("role", String(20)),  # in the buying centre, see customers/accounts.py; None is unknown
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    Index("ix_account_member_profile_id", "profile_id"),
    sqlite_with_rowid=False,
    info=personal("companies you belong to", OnErasure.DELETE),
)
