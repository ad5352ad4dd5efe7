"""One profile a customer: its attributes and addresses, opened from under their seals for whoever composes a message.

Personal attributes are kept in one sealed document; beside it stand only what segments may select by: whether there is
an address, its provider, a number's country, the birthday's month and day, and a blind index of each sealed value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from core.database import batches
from core.errors import InputError, NotFoundError
from core.vault import Vault
from core.zones import find_zone
from customers.addresses import email_domain, normalise, phone_country
from customers.attribute_rows import COLUMN_ATTRIBUTES, SEALED_COLUMN, UNDECLARED, write_attributes
from customers.attributes import coerce
from customers.countries import find_country
from customers.identities import lookup_of
from customers.tables import IdentityKind, ProfileStatus, identity, profile
from customers.workspace import ValueKind, Workspace

__all__ = [
    "COLUMN_ATTRIBUTES",
    "Address",
    "Profile",
    "check_attributes",
    "find_profile",
    "get_profile",
    "load_profiles",
    "set_attributes",
    "set_attributes_of_all",
]

_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Address:
    """`value` is what is written to, `lookup` its blind index, `domain` the domain or the number's country."""

    value: str = field(repr=False)
    lookup: str
    domain: str
    is_synthetic: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile with everything opened; of an erased one only id and status are left."""

    id: int
    status: ProfileStatus
    timezone: str | None = None
    country: str | None = None
    locale: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    email: Address | None = None
    phone: Address | None = None
    external_id: str | None = None
    has_email: bool = False
    has_phone: bool = False
    created_at: datetime | None = None
    objected_at: datetime | None = None  # to marketing, scores, segments and recommendations

    @property
    def is_active(self) -> bool:
        return self.status is ProfileStatus.ACTIVE


def load_profiles(connection: Connection, vault: Vault, ids: Iterable[int]) -> dict[int, Profile]:
    """The profiles that exist among `ids`, in two queries a batch."""
    loaded: dict[int, Profile] = {}
    for some in batches(list(dict.fromkeys(ids)), _BATCH):
        rows = connection.execute(select(profile).where(profile.c.id.in_(some))).all()
        identities = _identities(connection, [row.id for row in rows if row.status != ProfileStatus.ERASED])
        vault.prepare(
            row.id
            for row in rows
            if row.status != ProfileStatus.ERASED
            and (row.sealed_attributes is not None or row.has_email or row.has_phone)
        )
        vault.prepare(row.origin_profile_id for those in identities.values() for row in those if row.origin_profile_id)
        for row in rows:
            loaded[row.id] = _open(vault, row, identities.get(row.id, ()))
    return loaded


def get_profile(connection: Connection, vault: Vault, profile_id: int) -> Profile:
    loaded = load_profiles(connection, vault, [profile_id])
    if profile_id not in loaded:
        raise NotFoundError(f"there is no profile {profile_id}.")
    return loaded[profile_id]


def find_profile(connection: Connection, vault: Vault, kind: str, value: str, region: str | None = None) -> int | None:
    """The profile with this identifier; of several that share an address, the oldest. Never one that was merged."""
    lookup = lookup_of(vault, kind, normalise(kind, value, region))
    query = (
        select(identity.c.profile_id)
        .join(profile)
        .where(
            identity.c.kind == IdentityKind(kind).value,
            identity.c.lookup == lookup,
            profile.c.status != ProfileStatus.MERGED.value,
        )
    )
    return connection.execute(query.order_by(identity.c.profile_id).limit(1)).scalar_one_or_none()


def set_attributes(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    profile_id: int,
    values: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Set some attributes of one profile (None takes one away); answers whether anything changed.

    Raises InputError when a value does not fit its declared kind.
    """
    return bool(set_attributes_of_all(connection, vault, workspace, {profile_id: values}, now))


def check_attributes(workspace: Workspace, values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` in their declared kinds. Raises InputError naming the attribute. Undeclared ones are personal text."""
    checked = {}
    for name, value in values.items():
        try:
            checked[name] = None if value is None else _checked(workspace, name, value)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
    return checked


def set_attributes_of_all(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    values_by_profile: Mapping[int, Mapping[str, Any]],
    now: datetime,
) -> set[int]:
    """`set_attributes` for many profiles in a few statements; answers the profiles that changed."""
    checked = {number: check_attributes(workspace, values) for number, values in values_by_profile.items()}
    return set(write_attributes(connection, vault, workspace, checked, now))


def _checked(workspace: Workspace, name: str, value: Any) -> Any:
    if name == "timezone":
        if find_zone(str(value)) is None:
            raise InputError("this is no time zone: write a name such as Europe/London.")
        return str(value)
    if name == "country":
        code = find_country(str(value))
        if code is None:
            raise InputError("this is no country: write its ISO 3166 code, such as GB.")
        return code
    if name == "locale":
        return coerce(ValueKind.TEXT, value)[:20]
    return coerce(workspace.attributes.get(name, UNDECLARED).kind, value)


def _identities(connection: Connection, profile_ids: Sequence[int]) -> dict[int, list[Row[Any]]]:
    """The identities of each profile, oldest first, and those that came with a merge before its own."""
    by_profile: dict[int, list[Row[Any]]] = {}
    query = select(identity).where(identity.c.profile_id.in_(profile_ids), identity.c.kind != IdentityKind.VISITOR)
    for row in connection.execute(query.order_by(identity.c.origin_profile_id.is_(None), identity.c.id)):
        by_profile.setdefault(row.profile_id, []).append(row)
    return by_profile


def _open(vault: Vault, row: Row[Any], identities: Sequence[Row[Any]]) -> Profile:
    status = ProfileStatus(row.status)
    if status is ProfileStatus.ERASED:
        return Profile(row.id, status)
    newest = {found.kind: found for found in identities}
    return Profile(
        id=row.id,
        status=status,
        timezone=row.timezone,
        country=row.country,
        locale=row.locale,
        attributes={**row.attributes, **vault.open_document(row.id, SEALED_COLUMN, row.sealed_attributes)},
        email=_address(vault, newest.get(IdentityKind.EMAIL)),
        phone=_address(vault, newest.get(IdentityKind.PHONE)),
        external_id=newest[IdentityKind.EXTERNAL_ID].lookup if IdentityKind.EXTERNAL_ID in newest else None,
        has_email=row.has_email,
        has_phone=row.has_phone,
        created_at=row.created_at,
        objected_at=row.objected_at,
    )


def _address(vault: Vault, found: Row[Any] | None) -> Address | None:
    if found is None:
        return None
    value = vault.open(found.origin_profile_id or found.profile_id, f"identity.{found.kind}", found.sealed)
    domain = email_domain(value) if found.kind == IdentityKind.EMAIL else phone_country(value) or ""
    return Address(value, found.lookup, domain, found.is_synthetic)
