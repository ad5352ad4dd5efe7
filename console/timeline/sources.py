"""Where the entries of a timeline come from: the log above all, and the few tables that tell more than it does.

Each source reads at most one page, by an index on the profile (or on the addresses, which is what a consent binds), so
that a page costs the same for a long history as for a short one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Select, literal, select, tuple_, union

from console.timeline.entries import Entry, Group, Place, Source
from core.columns import Instant
from core.errors import NotFoundError
from core.vault import Vault
from customers.log import logged_event, open_properties
from customers.own_events import OWN_EVENTS
from customers.rights_tables import rights_request
from customers.tables import consent_entry, customer_event, import_batch, import_change, profile

_GROUPS: Mapping[Group, frozenset[str]] = {
    Group.ORDERS: frozenset({"order_placed", "order_returned"}),
    Group.MESSAGES: frozenset(name for name in OWN_EVENTS if name.startswith("message_")) | {"link_clicked"},
    Group.JOURNEYS: frozenset(
        {"segment_entered", "segment_left", "journey_started", "journey_entered", "journey_exited", "goal_reached"}
    ),
    Group.OFFERS: frozenset({"offer_shown", "offer_clicked"}),
    Group.TASKS: frozenset({"task_created", "task_closed"}),
    Group.PROFILE: frozenset({"profile_merged", "profile_split"}),
}
_GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names}
# The history of consents tells these with basis, source and text.
_TOLD_ELSEWHERE = frozenset({"unsubscribed", "consent_granted", "consent_withdrawn"})


def read_events(
    connection: Connection, vault: Vault, profile_id: int, after: Place | None, limit: int, group: Group | None
) -> list[Entry]:
    """The log's entries, with what is sealed in them opened; of an erased profile only the plain part."""
    event = customer_event.c
    names = _named(group)
    if names is None:
        return []
    query = select(customer_event).where(event.profile_id == profile_id, names)
    rows = connection.execute(_page(query, event.occurred_at, event.id, Source.LOG, after, limit))
    return [_logged(vault, row) for row in rows]


def read_consents(
    connection: Connection, lookups: Sequence[str], after: Place | None, limit: int, group: Group | None
) -> list[Entry]:
    """What was granted and withdrawn for the addresses `lookups`, each with its proof."""
    if group not in (None, Group.CONSENT) or not lookups:
        return []
    entry = consent_entry.c
    query = select(consent_entry).where(entry.lookup.in_(lookups))
    rows = connection.execute(_page(query, entry.occurred_at, entry.id, Source.CONSENT, after, limit))
    names = ("channel", "topic", "basis", "source", "text_version", "expires_at")
    return [
        Entry(row.occurred_at, Source.CONSENT, row.id, Group.CONSENT, f"consent_{row.status}", _known(row, names))
        for row in rows
    ]


def read_requests(
    connection: Connection, profile_id: int, after: Place | None, limit: int, group: Group | None
) -> list[Entry]:
    """What the customer asked for under the law."""
    if group not in (None, Group.PROFILE):
        return []
    request = rights_request.c
    query = select(rights_request).where(request.profile_id == profile_id)
    rows = connection.execute(_page(query, request.requested_at, request.id, Source.RIGHTS, after, limit))
    names = ("kind", "status", "due_at", "done_at", "requested_by")
    return [
        Entry(row.requested_at, Source.RIGHTS, row.id, Group.PROFILE, "rights_request", _known(row, names))
        for row in rows
    ]


def read_imports(
    connection: Connection, profile_id: int, after: Place | None, limit: int, group: Group | None
) -> list[Entry]:
    """The imports that made or changed the profile."""
    if group not in (None, Group.PROFILE):
        return []
    batch, change = import_batch.c, import_change.c
    made = select(profile.c.batch_id).where(profile.c.id == profile_id, profile.c.batch_id.is_not(None))
    ours = union(select(change.batch_id).where(change.profile_id == profile_id), made)
    query = select(import_batch).where(batch.id.in_(ours))
    rows = connection.execute(_page(query, batch.started_at, batch.id, Source.IMPORT, after, limit))
    return [
        Entry(
            row.started_at, Source.IMPORT, row.id, Group.PROFILE, "imported", _known(row, ("kind", "file", "undone_at"))
        )
        for row in rows
    ]


def _page(
    query: Select[Any],
    at: ColumnElement[Any],
    number: ColumnElement[int],
    source: Source,
    after: Place | None,
    limit: int,
) -> Select[Any]:
    """The rows behind `after`, newest first."""
    if after is not None:
        if source < after.source:
            query = query.where(at <= after.at)
        elif source > after.source:
            query = query.where(at < after.at)
        else:
            place = tuple_(literal(after.at, Instant()), literal(after.number, BigInteger()))
            query = query.where(tuple_(at, number) < place)
    return query.order_by(at.desc(), number.desc()).limit(limit)


def _named(group: Group | None) -> ColumnElement[bool] | None:
    """Which names of log events belong to `group`; None when none do."""
    name = customer_event.c.name
    if group is None:
        return name.not_in(sorted(_TOLD_ELSEWHERE))
    if group is Group.ACTIVITY:
        return name.not_in(sorted(OWN_EVENTS))
    names = _GROUPS.get(group)
    return name.in_(sorted(names)) if names else None


def _logged(vault: Vault, row: Row[Any]) -> Entry:
    event = logged_event(row)
    try:
        detail = open_properties(vault, event)
    except NotFoundError:  # erased: what was sealed is gone
        detail = dict(event.properties)
    group = _GROUP_OF.get(event.name, Group.ACTIVITY)
    return Entry(event.occurred_at, Source.LOG, event.id, group, event.name, detail)


def _known(row: Row[Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(row, name)) is not None}
