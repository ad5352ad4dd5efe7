"""The tables of delivery: the send ledger, its attempts, what providers reported, and what is paused.

A message row exists before a provider hears of it; its id is derived from what caused it, so that causing it again
changes nothing. `docs/delivery.md` draws the states.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    text,
)

from core.columns import Document, Id, Instant
from core.cursors import transaction_column
from core.database import metadata
from core.personal import IMPERSONAL, OnErasure, personal


class MessageStatus(StrEnum):
    DUE = "due"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class MessageKind(StrEnum):
    MARKETING = "marketing"
    TRANSACTIONAL = "transactional"


class OriginKind(StrEnum):
    CAMPAIGN = "campaign"
    JOURNEY = "journey"
    API = "api"  # a call of the transactional API
    REPLY = "reply"  # an answer to STOP, START or HELP
    SYSTEM = "system"  # a mail of our own: a sign-up to confirm, or the link to somebody's data
    TEST = "test"  # a marked copy for whoever made the template; in no statistics


message = Table(
    "message",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("kind", String(15), nullable=False),
    Column("channel", String(10), nullable=False),
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False),
    Column("topic", String(50), nullable=False),
    Column("template", String(100), nullable=False),
    Column("template_hash", String(64)),  # the content that was really rendered
    Column("sender", String(50)),
    Column("opens", String(10)),  # what the mail's picture tells: individual | aggregate | off; None before sending
    # Where it comes from: a launch of a campaign or a step run of a journey.
    Column("origin_kind", String(10), nullable=False),
    Column("origin", String(100), nullable=False),  # slug of the campaign or journey, else of the template
    Column("origin_id", String(36), nullable=False),  # launch or enrolment; of the API a keyed hash of the request
    Column("step", String(100)),  # step id within a journey, None for a campaign
    Column("variant", String(50)),
    Column("decision_id", String(36)),  # the offers it carries
    Column("priority", SmallInteger, nullable=False, default=50),
    # The frozen context that composing needs beside the profile: entry, steps, offers. Sealed under the profile.
    Column("context", LargeBinary),
    Column("links", LargeBinary),  # destinations of links that were made for this message alone, sealed
    Column("policy", Document, nullable=False, default=dict),  # what its campaign or journey says of hours and limits
    # Progress
    Column("status", String(10), nullable=False, default=MessageStatus.DUE),
    Column("reason", String(30)),  # why it was not sent
    Column("detail", String(500)),  # the cause in words, without personal data
    Column("due_at", Instant, nullable=False),  # moves when a message is held
    Column("holds", Document),  # what held it and until when, oldest first, kept when it went out; None: nothing did
    Column("asks_again", Boolean),  # true: it was held, and its journey must say that it is still wanted; else None
    Column("first_due_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("claimed_by", String(60)),
    Column("claimed_at", Instant),
    Column("lease_until", Instant),
    Column("sending_at", Instant),
    Column("attempt_count", Integer, nullable=False, default=0),
    Column("sent_at", Instant),
    Column("ended_at", Instant),  # when it reached sent, unknown, failed, skipped or cancelled
    Column("provider", String(20)),
    Column("provider_id", String(120)),
    # Who it went to, without saying who
    Column("lookup", String(200)),
    Column("recipient_domain", String(100)),
    Column("token_id", BigInteger, nullable=False, unique=True),
    Column("origin_profile_id", Id),  # whose it was before a merge
    Column("created_at", Instant, nullable=False),
    # What the provider and the recipient answered; instants are those of the first such event.
    Column("delivered_at", Instant),
    Column("bounced_at", Instant),
    Column("complained_at", Instant),
    Index(
        "ix_message_open",
        "status",
        "due_at",
        sqlite_where=text("status IN ('due', 'claimed', 'sending')"),
        postgresql_where=text("status IN ('due', 'claimed', 'sending')"),
    ),
    Index(
        "ix_message_asks_again",
        "due_at",
        sqlite_where=text("asks_again IS NOT NULL AND status = 'due'"),
        postgresql_where=text("asks_again IS NOT NULL AND status = 'due'"),
    ),
    Index("ix_message_profile_id_sent_at", "profile_id", "sent_at"),
    Index("ix_message_origin_id", "origin_id"),
    Index("ix_message_provider_id", "provider_id"),
    Index(
        "ix_message_kept",  # what retention has not emptied yet
        "ended_at",
        sqlite_where=text("context IS NOT NULL OR lookup IS NOT NULL"),
        postgresql_where=text("context IS NOT NULL OR lookup IS NOT NULL"),
    ),
    info=personal(
        "messages to you, sent or not",
        OnErasure.CLEAR,
        clears=("context", "links", "lookup", "recipient_domain"),
        sealed={"context": "message.context", "links": "message.links"},
        moves=True,
    ),
)

delivery_attempt = Table(
    "delivery_attempt",
    metadata,
    Column("message_id", String(36), ForeignKey("message.id"), primary_key=True),
    Column("attempt_no", Integer, primary_key=True, autoincrement=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("outcome", String(15)),  # accepted | retry | failed | unknown
    Column("error_code", String(100)),
    sqlite_with_rowid=False,
    info=personal("attempts to reach you", OnErasure.KEEP, by="message_id", parent="message"),
)

delivery_event = Table(
    "delivery_event",
    metadata,
    Column("id", Id, primary_key=True),
    transaction_column(),
    Column("key", String(200), nullable=False, unique=True),
    Column("message_id", String(36)),  # None while unknown
    Column("provider_id", String(120)),
    Column("kind", String(20), nullable=False),  # our word; `unknown` for one we do not know
    Column("sub_kind", String(50)),  # Permanent/General, Transient …
    Column("occurred_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("sealed_document", LargeBinary),  # the provider's own words, sealed for the workspace
    Index("ix_delivery_event_message_id", "message_id"),
    Index("ix_delivery_event_transaction_no_id", "transaction_no", "id"),
    Index(
        "ix_delivery_event_kept",
        "received_at",
        sqlite_where=text("sealed_document IS NOT NULL"),
        postgresql_where=text("sealed_document IS NOT NULL"),
    ),
    info=personal(
        "what providers reported about messages to you",
        OnErasure.CLEAR,
        by="message_id",
        parent="message",
        clears=("sealed_document",),
        sealed={"sealed_document": "delivery_event.document"},
    ),
)

pause = Table(
    "pause",
    metadata,
    Column("scope", String(100), primary_key=True),  # everything | channel:email | sender:x | campaign:x | webhook:x
    Column("cause", String(300), nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    info=IMPERSONAL,
)

# What all workers share about a provider's rate; delivery/throttle.py says what the columns mean.
send_rate = Table(
    "send_rate",
    metadata,
    Column("scope", String(150), primary_key=True),  # email, sms … | domain:gmail.com | warm_up:email
    Column("quota", Float),  # recipients a second; None is unlimited
    Column("slowed_to", Float),
    Column("slowed_at", Instant),
    Column("next_at", Instant, nullable=False),
    Column("day_left", BigInteger),  # of the recipients of 24 hours; None is unlimited
    Column("read_at", Instant),
    info=IMPERSONAL,
)

alarm = Table(
    "alarm",  # what somebody should look at, told once when it begins
    metadata,
    Column("name", String(150), primary_key=True),  # silence:email | feedback:campaign:x | webhook:x
    Column("cause", String(300), nullable=False),
    Column("since", Instant, nullable=False),
    info=IMPERSONAL,
)

feedback_count = Table(
    "feedback_count",  # what was reported about the messages of a campaign or a journey, by the day they were sent
    metadata,
    Column("origin_kind", String(10), primary_key=True),
    Column("origin", String(100), primary_key=True),
    Column("day", String(10), primary_key=True),  # ISO date, UTC
    Column("arrived", BigInteger, nullable=False, default=0),  # delivered or bounced
    Column("bounced", BigInteger, nullable=False, default=0),
    Column("can_complain", BigInteger, nullable=False, default=0),  # delivered to providers that tell of complaints
    Column("complained", BigInteger, nullable=False, default=0),
    sqlite_with_rowid=False,
    info=IMPERSONAL,
)

refused_callback = Table(
    "refused_callback",  # what came out of a queue again and again and could not be taken
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("reason", String(300), nullable=False),
    Column("sealed_document", LargeBinary, nullable=False),  # under the key of its day, which is destroyed a day later
    Column("received_at", Instant, nullable=False, index=True),
    info=IMPERSONAL,
)
