"""A few members to look at: enough to see whether the rule finds the right people, and not enough to write to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from core.vault import Vault
from customers.imports.dry_examples import masked_address
from customers.profiles import load_profiles
from customers.tables import IdentityKind
from segments.preview.members import spread_sample


@dataclass(frozen=True, slots=True)
class Person:
    """A member; addresses are masked (a***@example.org), None where there is none."""

    id: int
    external_id: str | None
    email: str | None
    phone: str | None
    country: str | None


def pick_people(connection: Connection, vault: Vault, ids: Sequence[int], size: int) -> list[Person]:
    """`size` of `ids`, always the same ones, spread over all of them."""
    profiles = load_profiles(connection, vault, spread_sample(ids, size))
    return [
        Person(
            one.id,
            one.external_id,
            masked_address(IdentityKind.EMAIL, one.email.value) if one.email else None,
            masked_address(IdentityKind.PHONE, one.phone.value) if one.phone else None,
            one.country,
        )
        for one in profiles.values()
    ]
