"""New people and their new identities as rows: a profile is written once and whole, whoever it turns out to be.

Who is meant by an identifier is decided in `identities`; here nothing is decided any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, update

from core.bulk import insert_fresh, insert_rows, reserve_ids
from core.clock import to_micros
from core.vault import Vault
from customers.addresses import email_domain, phone_country
from customers.proposals import propose_plus_tags
from customers.reindex import adopt_old_lookups
from customers.tables import IdentityKind, ProfileStatus, identity, profile
from customers.touches import touch

_LONGEST_PROVIDER = 100
_EMAIL, _PHONE = _SEALED_KINDS = (IdentityKind.EMAIL, IdentityKind.PHONE)
_COLUMNS_OF = {kind: f"identity.{kind}" for kind in IdentityKind}  # what an address is sealed as
_PROFILE_COLUMNS = (
    *("id", "status", "created_at", "updated_at", "has_email", "email_provider", "has_phone", "phone_country"),
    *("batch_id", "timezone", "country", "locale", "birth_month", "birth_day", "attributes", "sealed_attributes"),
)
_IDENTITY_COLUMNS = (
    *("profile_id", "kind", "lookup", "sealed", "is_verified", "is_synthetic", "is_claimed", "created_at", "batch_id"),
)

Gained = tuple[int, IdentityKind, str, str]  # profile (negative: yet to be made), kind, lookup, value


@dataclass(slots=True)  # not frozen: it is made by the hundred thousand, and freezing doubles its price
class ProfileStart:
    """What a profile knows from its first moment; `attributes` is the JSON of the plain ones."""

    timezone: str | None = None
    country: str | None = None
    locale: str | None = None
    birth_month: int | None = None
    birth_day: int | None = None
    attributes: str = "{}"
    sealed_attributes: bytes | None = None


@dataclass(frozen=True, slots=True)
class _Derived:
    """The plain columns that segments select by; a newer address takes the place of an older one."""

    providers: Mapping[int, str]
    phone_countries: Mapping[int, str | None]


def write_identities(
    connection: Connection,
    vault: Vault,
    gained: Sequence[Gained],
    makers: Sequence[int],
    now: datetime,
    *,
    synthetic: bool = False,
    claimed: bool = False,
    start: Callable[[int, int], ProfileStart] | None = None,
    batch_id: int | None = None,
) -> dict[int, int]:
    """Write the profiles that the rows `makers` make, and all identities; answers the id of each negative number."""
    for kind in _SEALED_KINDS:
        adopt_old_lookups(connection, vault, kind, [value for _, of_kind, _, value in gained if of_kind is kind])
    ids = reserve_ids(connection, profile, len(makers)) if makers else []
    made = {-number: profile_id for number, profile_id in enumerate(ids, start=1)}
    gained = [(made.get(owner, owner), kind, lookup, value) for owner, kind, lookup, value in gained]
    sealed_for = ids if start is not None else []
    vault.prepare([*sealed_for, *(owner for owner, kind, *_ in gained if kind in _SEALED_KINDS)])
    derived = _derive(gained)
    blank = ProfileStart()
    starts = [blank if start is None else start(number, row) for number, row in zip(ids, makers, strict=True)]
    _write_profiles(connection, ids, starts, derived, to_micros(now), batch_id)
    new = frozenset(ids)
    rows: dict[bool, list[tuple[Any, ...]]] = {True: [], False: []}
    created_at = to_micros(now)
    for owner, kind, lookup, value in gained:
        is_address = kind in _SEALED_KINDS
        sealed = vault.seal(owner, _COLUMNS_OF[kind], value) if is_address else None
        row = (owner, kind.value, lookup, sealed, False, synthetic and is_address, claimed, created_at, batch_id)
        rows[owner in new].append(row)
    insert_fresh(connection, identity, _IDENTITY_COLUMNS, rows[True])
    insert_rows(connection, identity, _IDENTITY_COLUMNS, rows[False])
    _update_profiles(connection, derived, now, without=new)
    touch(connection, [*ids, *(owner for owner, *_ in gained)])
    if not synthetic:
        propose_plus_tags(
            connection, vault, [(owner, value) for owner, kind, _, value in gained if kind is _EMAIL], now
        )
    return made


def _write_profiles(
    connection: Connection,
    ids: Sequence[int],
    starts: Sequence[ProfileStart],
    derived: _Derived,
    now: int,
    batch_id: int | None,
) -> None:
    providers, countries = derived.providers, derived.phone_countries
    rows = [
        (
            number,
            ProfileStatus.ACTIVE.value,
            now,
            now,
            number in providers,
            providers.get(number),
            number in countries,
            countries.get(number),
            batch_id,
            start.timezone,
            start.country,
            start.locale,
            start.birth_month,
            start.birth_day,
            start.attributes,
            start.sealed_attributes,
        )
        for number, start in zip(ids, starts, strict=True)
    ]
    insert_fresh(connection, profile, _PROFILE_COLUMNS, rows)


def _derive(gained: Sequence[Gained]) -> _Derived:
    return _Derived(
        {owner: email_domain(value)[:_LONGEST_PROVIDER] for owner, kind, _, value in gained if kind is _EMAIL},
        {owner: phone_country(value) for owner, kind, _, value in gained if kind is _PHONE},
    )


def _update_profiles(connection: Connection, derived: _Derived, now: datetime, *, without: frozenset[int]) -> None:
    """The plain columns of profiles that were there before."""
    emails = [{"owner": o, "provider": name} for o, name in derived.providers.items() if o not in without]
    phones = [{"owner": o, "country_code": code} for o, code in derived.phone_countries.items() if o not in without]
    of_profile = update(profile).where(profile.c.id == bindparam("owner"))
    if emails:
        statement = of_profile.values(has_email=True, email_provider=bindparam("provider"), updated_at=now)
        connection.execute(statement, emails)
    if phones:
        statement = of_profile.values(has_phone=True, phone_country=bindparam("country_code"), updated_at=now)
        connection.execute(statement, phones)
