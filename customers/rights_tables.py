"""The tables of people's rights: what they asked for, links that serve once, and the marks of addresses once erased."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table

from core.columns import Document, Id, Instant
from core.database import metadata
from core.personal import IMPERSONAL, OnErasure, personal

tombstone = Table(
    "tombstone",  # an address whose owner was erased: it makes nobody, until a fresh opt-in
    metadata,
    Column("lookup", String(200), primary_key=True),  # keyed hash of kind and address, under a key of its own
    Column("kind", String(20), nullable=False),  # email | phone | external_id | visitor
    Column("erased_at", Instant, nullable=False),
    Column("lifted_at", Instant),
    info=IMPERSONAL,
)

rights_request = Table(
    "rights_request",  # what somebody asked for under the law, with deadline and proof
    metadata,
    Column("id", Id, primary_key=True),
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False, index=True),
    Column("kind", String(15), nullable=False),  # export | rectify | restrict | unrestrict | object | unobject | erase
    Column("status", String(10), nullable=False),  # open | done | refused
    Column("requested_at", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),  # the law's deadline
    Column("done_at", Instant),
    Column("requested_by", String(100), nullable=False),
    Column("proof", Document, nullable=False, default=dict),  # counts and hashes, nothing personal
    Index("ix_rights_request_status_due_at", "status", "due_at"),
    info=personal("what you asked for under the law", OnErasure.KEEP),
)

single_use_link = Table(
    "single_use_link",  # a link that lets its holder have a copy of, change or erase a profile's data, once
    metadata,
    Column("lookup", String(64), primary_key=True),  # keyed hash: the token itself is in the link alone
    Column("kind", String(15), nullable=False),  # export | rectify | erase
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False, index=True),
    Column("request_id", Id, ForeignKey("rights_request.id")),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    info=personal("links that were made for you", OnErasure.DELETE),
)
