"""An anonymous visitor turns out to be somebody: its history becomes that person's.

Only a profile that nothing but visitor ids ever named is taken over; the profile stays as a row that points to its
successor. A visitor id that belongs to a known person merely changes hands, as on a shared device: nothing else moves.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from core.vault import Vault
from customers.log import reseal_properties
from customers.tables import (
    IdentityKind,
    ProfileStatus,
    consent_entry,
    customer_event,
    customer_order,
    identity,
    profile,
)


def absorb(
    connection: Connection, vault: Vault, visitor: str, old_profile_id: int, new_profile_id: int, now: datetime
) -> bool:
    """Give the visitor id to `new_profile_id`, with everything that its old profile did while it was nobody.

    Answers whether the old profile was nobody, and is now merged.
    """
    if old_profile_id == new_profile_id:
        return False
    of_visitor = (identity.c.kind == IdentityKind.VISITOR) & (identity.c.lookup == visitor)
    connection.execute(update(identity).where(of_visitor).values(profile_id=new_profile_id))
    named = select(identity.c.id).where(identity.c.profile_id == old_profile_id).limit(1)
    if connection.execute(named).one_or_none() is not None:
        return False
    _reseal_events(connection, vault, old_profile_id, new_profile_id)
    for table in (customer_event, customer_order, consent_entry):
        connection.execute(update(table).where(table.c.profile_id == old_profile_id).values(profile_id=new_profile_id))
    merged = {"status": ProfileStatus.MERGED, "merged_into": new_profile_id, "updated_at": now}
    connection.execute(update(profile).where(profile.c.id == old_profile_id).values(**merged))
    connection.execute(update(profile).where(profile.c.id == new_profile_id).values(updated_at=now))
    return True


def _reseal_events(connection: Connection, vault: Vault, old_profile_id: int, new_profile_id: int) -> None:
    sealed = select(customer_event.c.id, customer_event.c.sealed_properties).where(
        customer_event.c.profile_id == old_profile_id, customer_event.c.sealed_properties.is_not(None)
    )
    rows = [
        {"event": event_id, "sealed": reseal_properties(vault, properties, old_profile_id, new_profile_id)}
        for event_id, properties in connection.execute(sealed)
    ]
    if rows:
        statement = update(customer_event).where(customer_event.c.id == bindparam("event"))
        connection.execute(statement.values(sealed_properties=bindparam("sealed")), rows)
