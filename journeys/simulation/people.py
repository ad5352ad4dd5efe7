"""The people of one chunk as they are stored: what conditions and admission ask of them, read in a few queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from core.database import batches
from core.vault import Vault
from customers.event_departures import fits
from customers.log import logged_event
from customers.own_events import OWN_EVENTS
from customers.tables import ProfileStatus, customer_event, profile
from customers.workspace import Workspace
from journeys.answers import as_event
from journeys.people import find_unreachable
from journeys.questions import Event, Person
from journeys.simulation.memory import Known
from segments.compiling.attributes import COLUMNS

_BATCH = 5_000


@dataclass(slots=True)
class Customer:
    """One profile: `attributes` are those in clear, with the columns that conditions call attributes too."""

    person: Person
    attributes: dict[str, Any] = field(default_factory=dict)
    has_objected: bool = False
    is_unreachable: bool = False


def load_customers(connection: Connection, ids: Collection[int]) -> dict[int, Customer]:
    """The profiles that are there, by id and in its order."""
    unreachable = find_unreachable(connection, ids)
    found: dict[int, Customer] = {}
    for some in batches(sorted(ids), _BATCH):
        for row in connection.execute(select(profile).where(profile.c.id.in_(some)).order_by(profile.c.id)):
            values = row._mapping
            columns = {name: _plain(values[name]) for name in COLUMNS if values[name] is not None}
            found[row.id] = Customer(
                Person(row.id, ProfileStatus(row.status), row.timezone, row.merged_into),
                {**row.attributes, **columns},
                row.objected_at is not None,
                row.id in unreachable,
            )
    return found


def load_events(
    connection: Connection,
    vault: Vault,
    ids: Sequence[int],
    names: Iterable[str] | None,
    since: datetime | None,
    until: datetime,
) -> dict[int, list[Known]]:
    """What these people did in [since, until), by person, in the order in which it happened; `names` None is all."""
    event = customer_event.c
    found: dict[int, list[Known]] = defaultdict(list)
    for some in batches(sorted(ids), _BATCH):
        query = select(customer_event).where(event.profile_id.in_(some), event.occurred_at < until)
        if names is not None:
            query = query.where(event.name.in_(sorted(names)))
        if since is not None:
            query = query.where(event.occurred_at >= since)
        for row in connection.execute(query.order_by(event.profile_id, event.occurred_at, event.id)):
            found[row.profile_id].append(Known(as_event(vault, logged_event(row)), row.properties))
    return found


def known_event(workspace: Workspace, event: Event) -> Known:
    """`event` as it would stand in the log: what is not declared would be sealed."""
    declared = OWN_EVENTS.get(event.name) or workspace.events.get(event.name)
    kinds = declared.properties if declared is not None else {}
    plain = {name: value for name, value in event.properties.items() if name in kinds and fits(kinds[name], value)}
    return Known(event, plain)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
