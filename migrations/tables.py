"""Every table of the application in one metadata, for Alembic and for the documentation."""

from __future__ import annotations

# Imported for the tables that they declare.
import campaigns.tables
import core.claims
import core.cursors
import core.definitions
import customers.account_tables
import customers.rights_tables
import customers.tables
import customers.task_tables
import delivery.tables
import insights.tables
import journeys.tables
import recommender.tables
import segments.tables
import tracking.tables
from core.database import metadata

__all__ = ["metadata"]
