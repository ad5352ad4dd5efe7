"""The proof behind a state of consent: every entry of some addresses, as they were recorded.

Reads only. Whether somebody may be written to is asked in `consent.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from customers.consent import Basis, ConsentStatus
from customers.tables import consent_entry


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """Who (by lookup), when, what, by which words, on what ground and through which source; `key` names the proof."""

    id: int
    key: str
    lookup: str
    profile_id: int | None
    channel: str
    topic: str
    status: ConsentStatus
    basis: Basis | None
    source: str
    text_version: str | None
    occurred_at: datetime
    recorded_at: datetime
    expires_at: datetime | None


def list_history(connection: Connection, lookups: Sequence[str]) -> list[ConsentEntry]:
    """Every entry of these addresses, whoever shares them, oldest first."""
    columns = [consent_entry.c[name] for name in ConsentEntry.__dataclass_fields__]
    query = select(*columns).order_by(consent_entry.c.occurred_at, consent_entry.c.id)
    return [_entry(row) for row in connection.execute(query.where(consent_entry.c.lookup.in_(lookups)))]


def _entry(row: Any) -> ConsentEntry:
    return ConsentEntry(
        **{
            **row._mapping,
            "status": ConsentStatus(row.status),
            "basis": Basis(row.basis) if row.basis else None,
        }
    )
