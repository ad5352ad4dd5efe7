"""Goes over every address once and proposes whoever may be the same person, for somebody to decide.

An address or number that many share (a company's switchboard, a family's tablet) says nothing about who is who, and
is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, select

from core.vault import Vault
from customers.proposals import ReviewReason, owners_of, propose, propose_plus_tags
from customers.tables import IdentityKind, ProfileStatus, identity, profile

MOST_SHARERS = 5  # more people than this behind one address are no sign of anything
BATCH = 2_000

_REASONS = {IdentityKind.EMAIL: ReviewReason.SAME_EMAIL, IdentityKind.PHONE: ReviewReason.SAME_PHONE}


@dataclass(frozen=True, slots=True)
class Looked:
    """One stretch: the last identity looked at (None when there are no more), and how many pairs are new."""

    last_id: int | None
    read_count: int
    proposed_count: int


def find_duplicates(connection: Connection, vault: Vault, after: int, now: datetime, *, limit: int = BATCH) -> Looked:
    """Look at the next `limit` addresses behind the identity `after`; call again with `last_id` until it is None."""
    query = (
        select(identity.c.id, identity.c.profile_id, identity.c.origin_profile_id, identity.c.kind, identity.c.lookup,
               identity.c.sealed)
        .join(profile)
        .where(
            identity.c.id > after,
            identity.c.kind.in_([kind.value for kind in _REASONS]),
            identity.c.is_synthetic.is_(False),
            profile.c.status == ProfileStatus.ACTIVE.value,
        )
    )  # fmt: skip
    rows = connection.execute(query.order_by(identity.c.id).limit(limit)).all()
    if not rows:
        return Looked(None, 0, 0)
    count = 0
    for kind, reason in _REASONS.items():
        owners = owners_of(connection, kind, {row.lookup for row in rows if row.kind == kind})
        pairs = [
            (sharers[0], other) for sharers in owners.values() if len(sharers) <= MOST_SHARERS for other in sharers[1:]
        ]
        count += propose(connection, pairs, reason, now)
    emails = [row for row in rows if row.kind == IdentityKind.EMAIL]
    vault.prepare(row.origin_profile_id or row.profile_id for row in emails)
    count += propose_plus_tags(connection, vault, [(row.profile_id, _opened(vault, row)) for row in emails], now)
    return Looked(rows[-1].id, len(rows), count)


def _opened(vault: Vault, row: Row[tuple[int, int, int | None, str, str, bytes]]) -> str:
    return vault.open(row.origin_profile_id or row.profile_id, f"identity.{row.kind}", row.sealed)
