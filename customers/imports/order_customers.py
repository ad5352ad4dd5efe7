"""The people behind order lines: found or made, and where the mapping says so, given an address of the sandbox.

Made-up addresses are marked as such, and so are the grants that come with them: source "synthetic", basis soft opt-in,
as from somebody who bought. An address that somebody has is never replaced.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select

from core.bulk import among
from core.clock import from_micros
from core.database import batches
from customers.addresses import normalise
from customers.attribute_rows import write_attributes
from customers.consent import Basis, ConsentStatus, NewConsent, import_consents
from customers.identities import lookup_of, resolve_all, resolve_each
from customers.identity_rows import ProfileStart
from customers.imports.changes import note_attributes
from customers.imports.job import Job
from customers.imports.order_lines import Customer, Head
from customers.tables import IdentityKind, profile

_REMEMBERED = 200_000


class OrderCustomers:
    """Profile ids of the customers of one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._known: dict[Customer, int] = {}

    def resolve(self, connection: Connection, heads: Mapping[str, Head]) -> dict[Customer, int]:
        """The profile of every customer among `heads`."""
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        first: dict[Customer, Head] = {}
        for head in heads.values():
            if head.customer is not None and head.customer not in self._known:
                first.setdefault(head.customer, head)
        if first:
            self._resolve_new(connection, first)
        return self._known

    def _resolve_new(self, connection: Connection, first: Mapping[Customer, Head]) -> None:
        people = [_identifiers(customer) for customer in first]
        countries = [head.country for head in first.values()]
        resolved = resolve_each(
            connection,
            self._job.vault,
            people,
            self._job.now,
            start=lambda _, place: ProfileStart(country=countries[place]),
            batch_id=self._job.batch_id,
        )
        found: dict[Customer, int] = {}
        known: dict[int, dict[str, str]] = {}
        for customer, country, one in zip(first, countries, resolved, strict=True):
            if one.profile_id is not None:
                found[customer] = one.profile_id
                if country and not one.is_made:
                    known.setdefault(one.profile_id, {"country": country})
        self._set_countries(connection, known)
        synthesise = self._job.mapping.synthesise
        if synthesise is not None and synthesise.email:
            self._synthesise(connection, synthesise.email, found, first)
        self._known.update(found)

    def _set_countries(self, connection: Connection, countries: Mapping[int, Mapping[str, str]]) -> None:
        """The country of the first order, for those of whom none is known."""
        job = self._job
        unknown: set[int] = set()
        for some in batches(list(countries), 5_000):
            query = select(profile.c.id).where(among(connection, profile.c.id, some), profile.c.country.is_(None))
            unknown.update(connection.execute(query).scalars())
        chosen = {number: country for number, country in countries.items() if number in unknown}
        changes = write_attributes(connection, job.vault, job.workspace, chosen, job.now, batch_id=job.batch_id)
        note_attributes(connection, job.vault, job.batch_id, changes)

    def _synthesise(
        self, connection: Connection, pattern: str, found: Mapping[Customer, int], first: Mapping[Customer, Head]
    ) -> None:
        without = _without_email(connection, list(found.values()))
        chosen = {
            customer: normalise(IdentityKind.EMAIL, pattern.replace("{external_id}", customer[0]))
            for customer, number in found.items()
            if number in without and customer[0] is not None
        }
        people = [
            {IdentityKind.EXTERNAL_ID: name, IdentityKind.EMAIL: email}
            for (name, _), email in chosen.items()
            if name is not None
        ]
        resolve_all(connection, self._job.vault, people, self._job.now, synthetic=True, batch_id=self._job.batch_id)
        entries = [
            entry
            for customer, email in chosen.items()
            for entry in self._grants(email, found[customer], from_micros(first[customer].placed_at))
        ]
        import_consents(connection, entries, self._job.now, batch_id=self._job.batch_id)

    def _grants(self, email: str, profile_id: int, at: datetime) -> list[NewConsent]:
        synthesise = self._job.mapping.synthesise
        assert synthesise is not None
        lookup = lookup_of(self._job.vault, IdentityKind.EMAIL, email)
        return [
            NewConsent(
                lookup=lookup,
                channel=channel,
                topic=topic,
                status=ConsentStatus.GRANTED,
                basis=Basis.SOFT_OPT_IN,
                source="synthetic",
                occurred_at=at,
                profile_id=profile_id,
                key=f"synthetic:{channel}:{topic}:{lookup}",
            )
            for channel, topic in synthesise.consents
            if channel == "email"
        ]


def _identifiers(customer: Customer) -> dict[IdentityKind, str]:
    external_id, email = customer
    pairs = ((IdentityKind.EXTERNAL_ID, external_id), (IdentityKind.EMAIL, email))
    return {kind: value for kind, value in pairs if value is not None}


def _without_email(connection: Connection, profile_ids: list[int]) -> set[int]:
    found: set[int] = set()
    for some in batches(profile_ids, 5_000):
        query = select(profile.c.id).where(profile.c.id.in_(some), profile.c.has_email.is_(False))
        found.update(connection.execute(query).scalars())
    return found
