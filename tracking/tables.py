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
    Column("kind", String(15), nullable=False),  # opened | clicked | probed and decoyed (evidence only) | unsubscribed
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
    "conversion",  # an order credited to a message, never more than its value in total; and what came back of it
    metadata,
    Column("order_id", Id, ForeignKey("customer_order.id", ondelete="CASCADE"), primary_key=True),
    Column("message_id", String(36), ForeignKey("message.id"), nullable=False),
    Column("rule", String(20), nullable=False),  # clicked | delivered | returned
    Column("amount", BigInteger, nullable=False),  # minor units; negative for a return
    Column("currency", String(3), nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("returns_order_id", Id),  # the credited order that a return takes from
    Index("ix_conversion_message_id", "message_id"),
    Index("ix_conversion_returns_order_id", "returns_order_id"),
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

webhook_endpoint = Table(
    "webhook_endpoint",  # how it stands with each webhook of workspace.yaml; its places in the log are cursors
    metadata,
    Column("name", String(50), primary_key=True),
    Column("batch_id", String(36)),  # being sent, or waiting to be sent again; None between two batches
    Column("attempt_count", Integer, nullable=False, default=0),  # failed ones in a row
    Column("retry_at", Instant),
    Column("failing_since", Instant),
    Column("cause", String(300)),  # of the last failure
    Column("event_count", BigInteger, nullable=False, default=0),  # delivered so far
    Column("delivered_at", Instant),
    info=IMPERSONAL,
)

ingest_position = Table(
    "ingest_position",  # how far each slot of the ingestion log is loaded
    metadata,
    Column("slot", String(32), primary_key=True),
    Column("segment", BigInteger, nullable=False),
    Column("byte", BigInteger, nullable=False),  # in the segment's file
    info=IMPERSONAL,
)

sign_up = Table(
    "sign_up",  # who filled in a form: waiting for the confirmation by mail, then the proof of it
    metadata,
    Column("id", Id, primary_key=True),
    Column("token_id", BigInteger, nullable=False, unique=True),  # in the link of the mail
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False),  # of its own until it is confirmed
    Column("form", String(100), nullable=False),
    Column("form_version", Integer, nullable=False),
    Column("status", String(10), nullable=False),  # waiting | confirmed
    Column("lookup", String(200), nullable=False),  # blind index of the address
    Column("topics", Document, nullable=False),
    Column("text_version", String(50), nullable=False),
    Column("language", String(10), nullable=False),
    Column("sealed_document", LargeBinary),  # the address and what was entered, until it is confirmed
    Column("network", String(64)),  # keyed hash of the client's network
    Column("requested_at", Instant, nullable=False),
    Column("mailed_at", Instant, nullable=False),
    Column("mail_count", Integer, nullable=False),
    Column("confirmed_at", Instant),
    Column("confirmed_network", String(64)),
    Index("ix_sign_up_profile_id", "profile_id"),
    Index("ix_sign_up_lookup", "lookup", "mailed_at"),
    Index("ix_sign_up_network", "network", "requested_at"),
    Index("ix_sign_up_status", "status", "requested_at"),
    info=personal(
        "forms that you signed up by",
        OnErasure.CLEAR,
        clears=("sealed_document", "network", "confirmed_network"),
        sealed={"sealed_document": "sign_up.document"},
    ),
)
