"""Every table of the application in one metadata, for Alembic and for the documentation."""

from __future__ import annotations

import tracking.tables  # noqa: F401  (imported for the tables they declare)
from core.database import metadata

__all__ = ["metadata"]
