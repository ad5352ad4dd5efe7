"""Events for a simulation from a file with one JSON object a line.

    {"external_id": "c-17", "name": "signed_up", "occurred_at": "2026-06-01T10:00Z", "properties": {"source": "web"}}

`profile` (its number) may stand for `external_id`; `received_at` is when it became known, the instant itself where it
is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from core.database import batches
from core.errors import InputError
from core.vault import Vault
from customers.identities import lookup_of
from customers.tables import IdentityKind, identity, profile
from journeys.questions import Event

_BATCH = 5_000


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    occurred_at: str
    profile: int | None = None
    external_id: str | None = None
    received_at: str | None = None
    properties: dict[str, Any] = msgspec.field(default_factory=dict)


def read_events(connection: Connection, vault: Vault, file: Path) -> dict[int, list[Event]]:
    """The events by profile. They are numbered by line, which is their order where they happened at one instant.

    Raises InputError naming the line for what cannot be read, and for people who are not known.
    """
    lines = list(_lines(file))
    people = _people(connection, vault, {line.external_id for _, line in lines if line.external_id is not None})
    stated = {line.profile for _, line in lines if line.profile is not None}
    known = {
        number
        for some in batches(sorted(stated), _BATCH)
        for number in connection.scalars(select(profile.c.id).where(profile.c.id.in_(some)))
    }
    events: dict[int, list[Event]] = defaultdict(list)
    for place, line in lines:
        who = line.profile if line.profile in known else people.get(line.external_id or "")
        if who is None:
            named = f"external id {line.external_id!r}" if line.external_id else f"number {line.profile}"
            raise InputError(f"{file}:{place}: there is no profile with the {named}.")
        at = _instant(file, place, line.occurred_at)
        received_at = _instant(file, place, line.received_at) if line.received_at else at
        events[who].append(Event(place, line.name, at, received_at, line.properties))
    return events


def _lines(file: Path) -> Iterator[tuple[int, _Line]]:
    decode = msgspec.json.Decoder(_Line).decode
    try:
        with file.open("rb") as opened:
            for place, text in enumerate(opened, start=1):
                if not text.strip():
                    continue
                line = decode(text)
                if (line.profile is None) == (line.external_id is None):
                    raise InputError(f"{file}:{place}: name the person by one of `profile` and `external_id`.")
                yield place, line
    except msgspec.DecodeError as error:
        raise InputError(f"{file}:{place}: this is no event: {error}.") from None
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from None


def _people(connection: Connection, vault: Vault, external_ids: set[str]) -> Mapping[str, int]:
    lookups = {lookup_of(vault, IdentityKind.EXTERNAL_ID, one): one for one in sorted(external_ids)}
    found: dict[str, int] = {}
    for some in batches(sorted(lookups), _BATCH):
        query = select(identity.c.lookup, identity.c.profile_id).where(
            identity.c.kind == IdentityKind.EXTERNAL_ID.value, identity.c.lookup.in_(some)
        )
        found |= {lookups[lookup]: number for lookup, number in connection.execute(query)}
    return found


def _instant(file: Path, place: int, text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{file}:{place}: {text!r} is no instant: write it as 2026-06-10T08:00+02:00.") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
