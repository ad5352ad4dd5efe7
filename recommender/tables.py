"""The tables of the recommender: rule sets, what was decided for whom, what was shown, and voucher codes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table, text

from core.columns import Document, Id, Instant
from core.cursors import transaction_column
from core.database import metadata
from core.personal import IMPERSONAL, OnErasure, personal

rule_set = Table(
    "rule_set",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mined_at", Instant, nullable=False),
    Column("status", String(10), nullable=False),  # candidate | published | replaced | refused
    Column("basket_count", Integer, nullable=False),
    Column("item_count", Integer, nullable=False),
    Column("rule_count", Integer, nullable=False),
    Column("parameters", Document, nullable=False),
    Column("evaluation", Document, nullable=False, default=dict),
    info=IMPERSONAL,
)

association_rule = Table(
    "association_rule",
    metadata,
    Column("rule_set_id", Id, ForeignKey("rule_set.id"), primary_key=True),
    Column("rule_no", Integer, primary_key=True, autoincrement=False),
    Column("antecedent", Document, nullable=False),  # list of skus
    Column("consequent", String(100), nullable=False),  # sku
    Column("basket_count", Integer, nullable=False),  # baskets that hold all of it
    Column("support", Float, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("lift", Float, nullable=False),
    sqlite_with_rowid=False,
    info=IMPERSONAL,
)

related_item = Table(
    "related_item",  # the ranking index: for each item its best companions
    metadata,
    Column("rule_set_id", Id, ForeignKey("rule_set.id"), primary_key=True),
    Column("sku", String(100), primary_key=True),  # also "*" and "*category": best sellers
    Column("rank", Integer, primary_key=True, autoincrement=False),
    Column("related_sku", String(100), nullable=False),
    Column("score", Float, nullable=False),
    sqlite_with_rowid=False,
    info=IMPERSONAL,
)

offer_decision = Table(
    "offer_decision",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("offer", String(100), nullable=False),
    Column("surface", String(10), nullable=False),  # email | sms | widget
    Column("profile_id", Id, ForeignKey("profile.id")),
    Column("is_holdout", Boolean, nullable=False),  # gets best sellers instead
    Column("rule_set_id", BigInteger),
    Column("fallback_level", String(20), nullable=False),
    Column("items", Document, nullable=False),  # sku, reason and score of each, in the order shown
    Column("decided_at", Instant, nullable=False),
    Column("origin_profile_id", Id),  # whose it was before a merge
    Index("ix_offer_decision_profile_id", "profile_id", "decided_at"),
    Index(
        "ix_offer_decision_kept",  # whose person retention has not taken away yet
        "decided_at",
        sqlite_where=text("profile_id IS NOT NULL"),
        postgresql_where=text("profile_id IS NOT NULL"),
    ),
    info=personal("offers chosen for you", OnErasure.KEEP, moves=True),
)

offer_impression = Table(
    "offer_impression",
    metadata,
    Column("id", Id, primary_key=True),
    transaction_column(),
    Column("decision_id", String(36), ForeignKey("offer_decision.id"), nullable=False),
    Column("kind", String(10), nullable=False),  # shown | clicked
    Column("sku", String(100)),
    Column("occurred_at", Instant, nullable=False),
    Index("ix_offer_impression_decision_id", "decision_id"),
    Index("ix_offer_impression_transaction_no_id", "transaction_no", "id"),
    info=personal("offers you saw", OnErasure.KEEP, by="decision_id", parent="offer_decision"),
)

offer_code = Table(
    "offer_code",  # the voucher codes of a pool: free, or drawn once for an offer and whoever runs through a journey
    metadata,
    Column("id", Id, primary_key=True),  # as they were imported, and so they are drawn
    Column("pool", String(100), nullable=False),
    Column("lookup", String(64), nullable=False),  # keyed hash of the code, so that none is imported twice
    Column("code", LargeBinary),  # whoever reads it can spend it; gone once its person was erased
    Column("added_at", Instant, nullable=False),
    Column("draw_id", String(36), unique=True),  # derived from offer and owner; None while the code is free
    Column("offer", String(100)),
    Column("owner", String(36)),  # the enrolment
    Column("profile_id", Id, ForeignKey("profile.id")),
    Column("drawn_at", Instant),
    Column("message_id", String(36)),  # the message that carries it
    Column("given_at", Instant),  # since when it is certain that somebody has it: it never returns
    Column("origin_profile_id", Id),  # whose it was before a merge
    Index("ix_offer_code_pool_lookup", "pool", "lookup", unique=True),
    Index("ix_offer_code_pool_drawn_at_id", "pool", "drawn_at", "id"),
    Index("ix_offer_code_profile_id", "profile_id"),
    Index(
        "ix_offer_code_kept",  # whose person retention has not taken away yet
        "drawn_at",
        sqlite_where=text("profile_id IS NOT NULL"),
        postgresql_where=text("profile_id IS NOT NULL"),
    ),
    Index(
        "ix_offer_code_open",  # drawn, and perhaps never given
        "owner",
        sqlite_where=text("draw_id IS NOT NULL AND given_at IS NULL"),
        postgresql_where=text("draw_id IS NOT NULL AND given_at IS NULL"),
    ),
    info=personal(
        "voucher codes drawn for you",
        OnErasure.CLEAR,
        clears=("code",),
        sealed={"code": "offer_code.code"},  # by the workspace: before it is drawn it is nobody's
        moves=True,
    ),
)
