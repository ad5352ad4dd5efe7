"""Two people who may be one, opened and laid beside each other, so that somebody can decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from core.vault import Vault
from customers.profiles import Profile, load_profiles
from customers.tables import IdentityKind, customer_event, customer_order, identity


@dataclass(frozen=True, slots=True)
class Line:
    """One thing about both; `is_same` where both say the same."""

    what: str
    first: str
    second: str

    @property
    def is_same(self) -> bool:
        return self.first == self.second


def compare(connection: Connection, vault: Vault, first_id: int, second_id: int) -> list[Line]:
    """What is known of the two, line by line. Personal values are opened: show them to nobody but who decides."""
    ids = (first_id, second_id)
    people = load_profiles(connection, vault, ids)
    first, second = (
        {
            "profile": str(number),
            **_identifiers(connection, vault, number),
            **_values(people[number]),
            **_deeds(connection, number),
        }
        for number in ids
    )
    lines = [Line(what, first.get(what, ""), second.get(what, "")) for what in dict.fromkeys([*first, *second])]
    return [line for line in lines if line.first or line.second]


def _identifiers(connection: Connection, vault: Vault, profile_id: int) -> dict[str, str]:
    found: dict[str, list[str]] = {kind.value: [] for kind in IdentityKind}
    query = select(identity).where(identity.c.profile_id == profile_id).order_by(identity.c.id)
    for row in connection.execute(query):
        owner = row.origin_profile_id or row.profile_id
        value = row.lookup if row.sealed is None else vault.open(owner, f"identity.{row.kind}", row.sealed)
        found[row.kind].append(value)
    return {kind: ", ".join(values) for kind, values in found.items()}


def _values(person: Profile) -> dict[str, str]:
    columns = {name: getattr(person, name) for name in ("timezone", "country", "locale")}
    values = {**columns, **dict(sorted(person.attributes.items()))}
    return {name: "" if value is None else str(value) for name, value in values.items()} | {
        "known since": _instant(person.created_at)
    }


def _deeds(connection: Connection, profile_id: int) -> dict[str, str]:
    event, order = customer_event.c, customer_order.c
    happened = select(func.count(), func.max(event.occurred_at)).where(event.profile_id == profile_id)
    count, last = connection.execute(happened).one()
    orders = connection.execute(select(func.count()).where(order.profile_id == profile_id)).scalar_one()
    return {"events": f"{count:,}", "last event": _instant(last), "orders": f"{orders:,}"}


def _instant(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
