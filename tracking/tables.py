"""The tables of tracking: what recipients did with a message, who gave it away, and orders credited to a message."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, text

from core.columns import Document, Id, Instant
from core.cursors import transaction_column
from core.database import metadata
from core.personal import IMPERSONAL, OnErasure, personal

engagement_event = Table(
    "engagement_event",
    metadata,
    Column("id", Id, primary_key=True),
    transaction_column(),
    Column("message_id", String(36), ForeignKey("message.id"), nullable=False),
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False),
    Column("kind", String(15), nullable=False),  # opened | clicked | probed (a HEAD: evidence only) | unsubscribed
    Column("link_no", Integer),
    Column("link_tag", String(100)),
    Column("occurred_at", Instant, nullable=False),
    Column("human_probability", Float, nullable=False),
    Column("reasons", Document, nullable=False, default=list),
    Column("agent", String(300)),
    Column("origin_profile_id", Id),  # whose it was before a merge
    Index("ix_engagement_event_message_id", "message_id", "kind"),
    Index("ix_engagement_event_profile_id", "profile_id", "occurred_at"),
    Index("ix_engagement_event_transaction_no_id", "transaction_no", "id"),
    Index(
        "ix_engagement_event_kept",  # what retention has not emptied yet
        "occurred_at",
        sqlite_where=text("agent IS NOT NULL"),
        postgresql_where=text("agent IS NOT NULL"),
    ),
    info=personal("what you opened and clicked", OnErasure.CLEAR, clears=("agent",), moves=True),
)

consent_handle = Table(
    "consent_handle",  # what an unsubscribe token names; it outlives the message
    metadata,
    Column("handle", BigInteger, primary_key=True, autoincrement=False),
    Column("lookup", String(200), nullable=False),
    Column("channel", String(20), nullable=False),
    Column("topic", String(50), nullable=False),
    Column("profile_id", Id, ForeignKey("profile.id")),
    Column("message_id", String(36)),
    Column("created_at", Instant, nullable=False),
    Index("uq_consent_handle_message_id", "message_id", unique=True),
    Index("ix_consent_handle_profile_id", "profile_id"),
    Index("ix_consent_handle_lookup", "lookup"),  # a rotated key takes entries over by address
    info=personal("unsubscribe links that were sent to you", OnErasure.CLEAR, clears=("profile_id",)),
)

conversion = Table(
    "conversion",  # an order credited to a message; never more than the order's value in total
    metadata,
    Column("order_id", Id, ForeignKey("customer_order.id", ondelete="CASCADE"), primary_key=True),
    Column("message_id", String(36), ForeignKey("message.id"), nullable=False),
    Column("rule", String(20), nullable=False),  # clicked | delivered
    Column("amount", BigInteger, nullable=False),  # minor units
    Column("currency", String(3), nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Index("ix_conversion_message_id", "message_id"),
    info=personal("orders credited to a message", OnErasure.KEEP, by="message_id", parent="message"),
)

open_origin = Table(
    "open_origin",  # what a picture without a name stands for: a launch's variant or a journey's step
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),  # a hash of the rest, in the picture's token
    Column("origin_kind", String(10), nullable=False),
    Column("origin", String(100), nullable=False),  # slug of the campaign or journey
    Column("launch_id", String(36)),
    Column("step", String(100)),
    Column("variant", String(50)),
    info=IMPERSONAL,
)

open_count = Table(
    "open_count",  # how often such a picture was fetched
    metadata,
    Column("origin_id", BigInteger, ForeignKey("open_origin.id"), primary_key=True, autoincrement=False),
    Column("day", String(10), primary_key=True),  # ISO date, UTC
    Column("people", BigInteger, nullable=False, default=0),
    Column("machines", BigInteger, nullable=False, default=0),
    sqlite_with_rowid=False,
    info=IMPERSONAL,
)

quarantine = Table(
    "quarantine",  # events that could not be taken, for whoever mends their sender
    metadata,
    Column("id", Id, primary_key=True),
    Column("source", String(50), nullable=False),  # the write key's name
    Column("reason", String(300), nullable=False),
    Column("sealed_document", LargeBinary, nullable=False),  # under the key of its day, which is destroyed a day later
    Column("received_at", Instant, nullable=False, index=True),
    info=IMPERSONAL,
)
