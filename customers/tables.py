"""The tables of the customer view: profiles, identities, the log, orders, products, consent, imports, merges.

Addresses stand in them only sealed and as blind index; money is an integer in minor units; instants are UTC.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from core.columns import Document, Id, Instant
from core.cursors import transaction_column
from core.database import metadata
from core.personal import IMPERSONAL, OnErasure, personal


class ProfileStatus(StrEnum):
    ACTIVE = "active"
    MERGED = "merged"
    ERASED = "erased"
    RESTRICTED = "restricted"  # kept, and used for nothing until the restriction is lifted


class IdentityKind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    EXTERNAL_ID = "external_id"
    VISITOR = "visitor"


class OrderKind(StrEnum):
    ORDER = "order"
    RETURN = "return"


class LineKind(StrEnum):
    PRODUCT = "product"
    FEE = "fee"


class BatchStatus(StrEnum):
    """How far an import has come."""

    RUNNING = "running"  # or killed, and waiting to be started again
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


class ImportChangeKind(StrEnum):
    """What a row of `import_change` tells; `before` is a document with the values before and after."""

    ATTRIBUTES = "attributes"  # of a profile that was there before the import; ref is its id
    CHANGED_SINCE = "changed_since"  # an attribute of a profile that the import made; ref is "id:name", no document
    PRODUCT = "product"  # made or changed; ref is its sku
    ORDER_LINE = "order_line"  # added to an order of others; ref is "order id:line number", no document
    LIST_LEFT = "list_left"  # taken off a list; ref is "profile id:list", no document
    MEMBER = "member"  # of an account, made or changed; ref is "account id:profile id"


profile = Table(
    "profile",
    metadata,
    Column("id", Id, primary_key=True),
    Column("status", String(10), nullable=False, default=ProfileStatus.ACTIVE),
    Column("merged_into", Id, ForeignKey("profile.id")),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False, index=True),
    Column("timezone", String(50)),  # IANA name, None when unknown
    Column("country", String(2)),  # ISO 3166 alpha-2
    Column("locale", String(20)),  # BCP 47
    # Derived from sealed values, so that segments can select by them.
    Column("has_email", Boolean, nullable=False, default=False),
    Column("email_provider", String(100)),  # the domain
    Column("has_phone", Boolean, nullable=False, default=False),
    Column("phone_country", String(2)),
    Column("birth_month", SmallInteger),
    Column("birth_day", SmallInteger),
    Column("objected_at", Instant),  # left marketing, scores, segments and recommendations
    Column("attributes", Document, nullable=False, default=dict),
    Column("sealed_attributes", LargeBinary),  # one sealed document with every personal attribute
    Column("batch_id", Id),  # the import that made it
    Index(
        "ix_profile_timezone",  # which zones anybody lives in
        "timezone",
        sqlite_where=text("timezone IS NOT NULL"),
        postgresql_where=text("timezone IS NOT NULL"),
    ),
    Index(
        "ix_profile_merged_into",
        "merged_into",
        sqlite_where=text("merged_into IS NOT NULL"),
        postgresql_where=text("merged_into IS NOT NULL"),
    ),
    sqlite_autoincrement=True,  # the id of an erased profile must never return
    info=personal(
        "who you are to us",
        OnErasure.CLEAR,
        by="id",
        clears=(
            "timezone",
            "country",
            "locale",
            "email_provider",
            "phone_country",
            "birth_month",
            "birth_day",
            "attributes",
            "sealed_attributes",
            "has_email",
            "has_phone",
        ),
        sealed={"sealed_attributes": "profile.sealed_attributes"},
    ),
)

identity = Table(
    "identity",
    metadata,
    Column("id", Id, primary_key=True),
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("lookup", String(200), nullable=False),  # blind index of an address; the value itself for other kinds
    Column("sealed", LargeBinary),  # the address, as written to
    Column("is_verified", Boolean, nullable=False, default=False),
    Column("origin_profile_id", Id),  # before a merge: whose it was, and whose key seals it; None is the same
    Column("is_synthetic", Boolean, nullable=False, default=False),  # made up by an import; only the sandbox accepts it
    Column(
        "is_claimed", Boolean, nullable=False, default=False, server_default=text("false")
    ),  # only a public key says so
    Column("created_at", Instant, nullable=False),
    Column("batch_id", Id),  # the import that brought it
    Index("uq_identity_lookup", "kind", "lookup", "profile_id", unique=True),
    # An address may be shared by two people, a name for one person may not.
    Index(
        "uq_identity_own",
        "kind",
        "lookup",
        unique=True,
        sqlite_where=text("kind IN ('external_id', 'visitor')"),
        postgresql_where=text("kind IN ('external_id', 'visitor')"),
    ),
    info=personal(
        "addresses and names we know you by", OnErasure.DELETE, sealed={"sealed": "identity.{kind}"}, moves=True
    ),
)

visitor_link = Table(
    "visitor_link",  # append-only: what calls said of whose a visitor is, see customers/visitor_links.py
    metadata,
    Column("id", Id, primary_key=True),
    Column("visitor_id", Id, nullable=False),  # of its identity
    Column("kind", String(10), nullable=False),  # LinkKind
    Column("profile_id", Id, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("key", String(200), nullable=False),  # of the call, or a constant where only the earliest is kept
    Column("said_by", String(200), nullable=False),  # the key of the call; settles ties
    Index("uq_visitor_link_visitor_id", "visitor_id", "kind", "profile_id", "key", unique=True),
    Index("ix_visitor_link_profile_id", "profile_id", "kind"),
    info=personal("which browsers were found to be yours", OnErasure.DELETE),
)

visitor_tenure = Table(
    "visitor_tenure",  # derived from visitor_link; only of visitors who have had several owners
    metadata,
    Column("visitor_id", Id, primary_key=True, autoincrement=False),
    Column("since", Instant, primary_key=True, autoincrement=False),  # the first one began at all times
    Column("profile_id", Id, nullable=False),
    Index("ix_visitor_tenure_profile_id", "profile_id"),
    sqlite_with_rowid=False,
    info=personal("from when to when a shared browser was yours", OnErasure.DELETE),
)

stated_attribute = Table(
    "stated_attribute",  # what identify calls said, so that the newest word holds in whichever order they come
    metadata,
    Column("id", Id, primary_key=True),
    Column("profile_id", Id, nullable=False),
    Column("visitor_id", Id),  # said by a visitor alone: the row follows whose the visitor is
    Column("name", String(100), nullable=False),
    Column("is_claimed", Boolean, nullable=False),  # by a public key, whose word yields to a secret one's
    Column("occurred_at", Instant, nullable=False),
    Column("key", String(200), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("ix_stated_attribute_profile_id", "profile_id", "name"),
    Index("ix_stated_attribute_visitor_id", "visitor_id"),
    info=personal(
        "what you told the website about yourself", OnErasure.DELETE, sealed={"sealed": "stated_attribute.value"}
    ),
)

sealed_attribute = Table(
    "sealed_attribute",  # which sealed attributes a profile has, and their blind index for `eq` and `in`
    metadata,
    Column("profile_id", Id, primary_key=True),  # no foreign key: four rows a person
    Column("name", String(100), primary_key=True),
    Column("lookup", String(50), nullable=False),
    Index("ix_sealed_attribute_name_lookup", "name", "lookup"),
    info=personal("keyed hashes of your sealed attributes", OnErasure.DELETE),
)

event_key = Table(
    "event_key",  # apart from the log, because the log is partitioned by month where it grows
    metadata,
    Column("key", String(200), primary_key=True),
    Column("received_at", Instant, nullable=False),
    Column("batch_id", Id),  # the import that brought it
    info=IMPERSONAL,
)

customer_event = Table(
    "customer_event",
    metadata,
    Column("id", Id, primary_key=True),
    transaction_column(),
    Column("profile_id", Id, ForeignKey("profile.id")),  # None while nobody is known
    Column("name", String(100), nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("source", String(50), nullable=False),
    Column("is_historical", Boolean, nullable=False, default=False),  # imported: starts no journey
    Column("properties", Document, nullable=False, default=dict),
    Column("sealed_properties", LargeBinary),  # what workspace.yaml does not declare
    Column("origin_profile_id", Id),  # before a merge: whose it was, and whose key seals it; None is the same
    Column("visitor_id", Id),  # the identity of the visitor by whom alone it became somebody's
    Column("batch_id", Id),  # the import that brought it
    Index("ix_customer_event_transaction_no_id", "transaction_no", "id"),
    Index("ix_customer_event_profile_id_name_occurred_at", "profile_id", "name", "occurred_at"),
    Index("ix_customer_event_profile_id_occurred_at_id", "profile_id", "occurred_at", "id"),
    Index("ix_customer_event_name_occurred_at", "name", "occurred_at"),  # in this order windows close
    sqlite_autoincrement=True,  # cursors would pass over a row that got the number of a deleted one
    info=personal(
        "what you did, and what was sent to you",
        OnErasure.CLEAR,
        clears=("sealed_properties",),
        sealed={"sealed_properties": "customer_event.properties"},
        moves=True,
    ),
)

profile_touch = Table(
    "profile_touch",  # whose rows changed without a word in the log, see customers/touches.py
    metadata,
    Column("id", Id, primary_key=True),
    transaction_column(),
    Column("first_id", Id, nullable=False),  # of profiles: everybody from here ...
    Column("last_id", Id, nullable=False),  # ... to here, included
    Column("kind", String(10), nullable=False),  # TouchKind
    Column("touched_at", Instant, nullable=False),
    Index("ix_profile_touch_transaction_no_id", "transaction_no", "id"),
    sqlite_autoincrement=True,  # cursors would pass over a row that got the number of a deleted one
    info=IMPERSONAL,
)

customer_order = Table(
    "customer_order",
    metadata,
    Column("id", Id, primary_key=True),
    transaction_column(),
    Column("key", String(200), nullable=False, unique=True),  # source and the shop's order number
    Column("kind", String(10), nullable=False, default=OrderKind.ORDER),
    Column("profile_id", Id, ForeignKey("profile.id")),  # None for an anonymous basket
    Column("placed_at", Instant, nullable=False, index=True),
    Column("currency", String(3), nullable=False),
    Column("total", BigInteger, nullable=False, default=0),  # minor units; negative for a return
    Column("line_count", Integer, nullable=False, default=0),
    Column("decision_id", String(36)),  # the offer decision it is credited to by the shop
    Column("origin_profile_id", Id),  # whose it was before a merge
    Column("visitor_id", Id),  # as in customer_event
    Column("batch_id", Id),
    Index("ix_customer_order_profile_id_placed_at", "profile_id", "placed_at"),
    Index("ix_customer_order_transaction_no_id", "transaction_no", "id"),
    sqlite_autoincrement=True,  # cursors would pass over a row that got the number of a deleted one
    info=personal("your orders", OnErasure.KEEP, moves=True),
)

order_line = Table(
    "order_line",
    metadata,
    Column("order_id", Id, ForeignKey("customer_order.id"), primary_key=True),
    Column("line_no", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(10), nullable=False, default=LineKind.PRODUCT),
    Column("sku", String(100), nullable=False),
    Column("quantity", Integer, nullable=False),  # negative in a return
    Column("amount", BigInteger, nullable=False),  # minor units for the whole line
    sqlite_with_rowid=False,
    info=personal("what you ordered", OnErasure.KEEP, by="order_id", parent="customer_order"),
)

product = Table(
    "product",
    metadata,
    Column("sku", String(100), primary_key=True),
    Column("name", Text, nullable=False),
    Column("category", String(100)),
    Column("price", BigInteger),  # minor units
    Column("currency", String(3)),
    Column("stock", Integer),  # None: not counted, always there
    Column("url", Text),
    Column("image_url", Text),
    Column("is_hidden", Boolean, nullable=False, default=False),
    Column("is_replenishable", Boolean, nullable=False, default=False),
    Column("attributes", Document, nullable=False, default=dict),
    Column("updated_at", Instant, nullable=False),
    Index("ix_product_updated_at", "updated_at"),
    info=IMPERSONAL,
)

consent_entry = Table(
    "consent_entry",  # append-only; the state is derived from it, see customers/consent.py
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(200), nullable=False, unique=True),  # what happened once is recorded once
    Column("lookup", String(200), nullable=False),  # blind index of the address it binds
    Column("profile_id", Id, ForeignKey("profile.id")),
    Column("channel", String(20), nullable=False),
    Column("topic", String(50), nullable=False),  # "*" is the whole channel
    Column("status", String(10), nullable=False),  # granted | withdrawn
    Column("basis", String(20)),
    Column("source", String(100), nullable=False),
    Column("text_version", String(50)),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("origin_profile_id", Id),  # whose it was before a merge
    Column("batch_id", Id),
    Index("ix_consent_entry_lookup", "lookup", "channel", "topic", "occurred_at", "status", "expires_at"),
    Index("ix_consent_entry_profile_id", "profile_id"),
    Index(
        "ix_consent_entry_expires_at",
        "expires_at",
        sqlite_where=text("expires_at IS NOT NULL"),
        postgresql_where=text("expires_at IS NOT NULL"),
    ),
    info=personal("what you agreed to and what you withdrew", OnErasure.KEEP, moves=True),
)

suppression = Table(
    "suppression",
    metadata,
    Column("channel", String(20), primary_key=True),
    Column("lookup", String(200), primary_key=True),
    Column("reason", String(30), nullable=False),  # bounced | complained | opted_out | manual
    Column("source", String(100), nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("batch_id", Id),
    info=IMPERSONAL,
)

import_batch = Table(
    "import_batch",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),  # hash of kind, file content and mapping
    Column("kind", String(20), nullable=False),
    Column("file", String(300), nullable=False),
    Column("status", String(10), nullable=False),  # BatchStatus
    Column("rows_done", BigInteger, nullable=False, default=0),  # the checkpoint
    Column("counts", Document, nullable=False, default=dict),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("undone_at", Instant),
    info=IMPERSONAL,
)

event_departure = Table(
    "event_departure",  # what events bring that workspace.yaml does not declare, see customers/event_departures.py
    metadata,
    Column("event", String(100), primary_key=True),
    Column("property", String(100), primary_key=True),  # "" is the event itself
    Column("found", String(10), primary_key=True),  # the kind of its values
    Column("event_count", BigInteger, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    sqlite_with_rowid=False,
    info=IMPERSONAL,
)

write_key = Table(
    "write_key",
    metadata,
    Column("lookup", String(64), primary_key=True),  # keyed hash: the key itself is shown once and not kept
    Column("kind", String(10), nullable=False),  # public | secret | read
    Column("name", String(50), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),  # in the future while a rotated key is still good
    Column("events_per_second", Integer),  # the key's own limit
    info=IMPERSONAL,
)

import_change = Table(
    "import_change",  # what an import made or changed, and what stood there before: the way to undo it
    metadata,
    Column("batch_id", Id, ForeignKey("import_batch.id"), primary_key=True),
    Column("kind", String(15), primary_key=True),  # ImportChangeKind
    Column("ref", String(200), primary_key=True),
    Column("profile_id", Id, ForeignKey("profile.id"), index=True),
    Column("before", LargeBinary),  # values before the import, sealed where they are a profile's
    sqlite_with_rowid=False,
    info=personal(
        "what an import changed about you",
        OnErasure.DELETE,
        sealed={"before": "import_change.before"},
    ),
)

static_list_member = Table(
    "static_list_member",
    metadata,
    Column("list", String(100), primary_key=True),
    Column("profile_id", Id, ForeignKey("profile.id"), primary_key=True),
    Column("added_at", Instant, nullable=False),
    Column("batch_id", Id),
    Index("ix_static_list_member_profile_id", "profile_id"),
    sqlite_with_rowid=False,
    info=personal("lists you are on", OnErasure.DELETE),
)

frozen_list = Table(
    "frozen_list",  # where a static list comes from that was frozen from a segment
    metadata,
    Column("list", String(100), primary_key=True),
    Column("segment", String(100), nullable=False),
    Column("version", Integer, nullable=False),
    Column("as_of", Instant, nullable=False),
    Column("frozen_at", Instant, nullable=False),
    info=IMPERSONAL,
)

profile_merge = Table(
    "profile_merge",  # append-only: a merge is undone by a row of kind "split"
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", String(10), nullable=False),  # merge | split
    Column("profile_id", Id, ForeignKey("profile.id"), nullable=False),  # who remains
    Column("merged_profile_id", Id, ForeignKey("profile.id"), nullable=False),
    Column("cause", String(20), nullable=False),  # visitor | review | manual
    Column("source", String(100), nullable=False),  # who decided
    Column("splits", Id, ForeignKey("profile_merge.id")),  # the merge that this row undoes
    Column("sealed_document", LargeBinary),  # what the survivor gained beside rows, sealed under the survivor
    Column("occurred_at", Instant, nullable=False),
    Index("uq_profile_merge_splits", "splits", unique=True),
    Index("ix_profile_merge_profile_id", "profile_id"),
    Index("ix_profile_merge_merged_profile_id", "merged_profile_id"),
    info=personal(
        "profiles found to be the same person",
        OnErasure.CLEAR,
        clears=("sealed_document",),
        sealed={"sealed_document": "profile_merge.document"},
        also_by=("merged_profile_id",),
    ),
)

merge_review = Table(
    "merge_review",  # two profiles that may be one person, for somebody to decide
    metadata,
    Column("id", Id, primary_key=True),
    Column("first_profile_id", Id, ForeignKey("profile.id"), nullable=False),  # the smaller id
    Column("second_profile_id", Id, ForeignKey("profile.id"), nullable=False),
    Column("reason", String(30), nullable=False),
    Column("status", String(10), nullable=False),  # open | merged | apart
    Column("found_at", Instant, nullable=False),
    Column("decided_at", Instant),
    Column("decided_by", String(100)),
    Index("uq_merge_review_first_profile_id", "first_profile_id", "second_profile_id", unique=True),
    Index("ix_merge_review_second_profile_id", "second_profile_id"),
    Index("ix_merge_review_status", "status", "id"),
    info=personal(
        "profiles that may be the same person",
        OnErasure.DELETE,
        by="first_profile_id",
        also_by=("second_profile_id",),
    ),
)
