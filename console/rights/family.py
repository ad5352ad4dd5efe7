"""All profiles of one person: whoever was merged with them is them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from core.errors import ConflictError, NotFoundError
from customers.ownership import family_of, survivor_of
from customers.tables import ProfileStatus, profile


def load_family(connection: Connection, profile_id: int) -> tuple[list[int], ProfileStatus]:
    """The ids of the person's profiles, who remains first, and how that one stands. Raises NotFoundError."""
    survivor = survivor_of(connection, profile_id)
    status = connection.scalar(select(profile.c.status).where(profile.c.id == survivor))
    if status is None:
        raise NotFoundError(f"there is no profile #{profile_id}.")
    return family_of(connection, survivor), ProfileStatus(status)


def load_living(connection: Connection, profile_id: int) -> tuple[list[int], ProfileStatus]:
    """As `load_family`. Raises ConflictError for somebody who was erased."""
    ids, status = load_family(connection, profile_id)
    if status is ProfileStatus.ERASED:
        raise ConflictError(f"profile #{ids[0]} was erased already: `postilion privacy requests` has the proof.")
    return ids, status
