"""What journeys must know of profiles at every step, without opening anything that is sealed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Connection, select

from core.bulk import among
from core.database import batches
from customers.suppression import find_suppressed
from customers.tables import IdentityKind, ProfileStatus, identity, profile
from journeys.questions import Person

_BATCH = 5_000
_STATUS = {status.value: status for status in ProfileStatus}
_CHANNELS = {IdentityKind.EMAIL: "email", IdentityKind.PHONE: "sms"}


def load_people(connection: Connection, profile_ids: Collection[int]) -> dict[int, Person]:
    people: dict[int, Person] = {}
    columns = (profile.c.id, profile.c.status, profile.c.timezone, profile.c.merged_into)
    for some in batches(sorted(set(profile_ids)), _BATCH):
        for number, status, timezone, merged_into in connection.execute(
            select(*columns).where(among(connection, profile.c.id, some))
        ):
            people[number] = person_of(number, status, timezone, merged_into)
    return people


def person_of(number: int, status: str, timezone: str | None, merged_into: int | None) -> Person:
    """The person whose profile has these columns."""
    return Person(number, _STATUS[status], timezone, merged_into)


def find_unreachable(connection: Connection, profile_ids: Collection[int]) -> set[int]:
    """Those who have addresses, all of which are suppressed."""
    lookups: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for some in batches(sorted(set(profile_ids)), _BATCH):
        query = select(identity.c.profile_id, identity.c.kind, identity.c.lookup).where(
            identity.c.profile_id.in_(some), identity.c.kind.in_([kind.value for kind in _CHANNELS])
        )
        for profile_id, kind, lookup in connection.execute(query):
            lookups[profile_id].add((_CHANNELS[IdentityKind(kind)], lookup))
    stopped: set[tuple[str, str]] = set()
    for channel in _CHANNELS.values():
        known = sorted({lookup for some_of in lookups.values() for of, lookup in some_of if of == channel})
        stopped |= {(channel, lookup) for lookup in find_suppressed(connection, channel, known)}
    return {profile_id for profile_id, addresses in lookups.items() if addresses <= stopped}
