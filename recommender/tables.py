"""The tables of the recommender: rule sets, what was decided for whom, and what was shown."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, text

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
