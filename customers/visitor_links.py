"""What calls said of whose a visitor is, and what follows from it: who owned the visitor when.

A visitor is an id without a name: a browser's or a device's. Each call that names a visitor and a person leaves a fact,
and owners are always worked out from all facts in the order in which they happened, never in which they arrived. So
any order and any repetition of the same calls gives the same owners.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, select

from core.bulk import among
from core.database import batches, insert_ignore, upsert
from customers.tables import visitor_link

ALWAYS = datetime.min.replace(tzinfo=UTC)  # since when the first owner owns: what a visitor did before comes along

_BATCH = 5_000
_KEY = ("visitor_id", "kind", "profile_id", "key")
_COLUMNS = tuple(visitor_link.c[name] for name in (*_KEY, "occurred_at", "said_by"))
_EARLIEST = "earliest"


class LinkKind(StrEnum):
    """How much a fact weighs."""

    HOME = "home"  # the profile that stands for the visitor while it is nobody
    STRONG = "strong"  # identify: this visitor is that person from now on
    ALIAS = "alias"  # the same, unless what was taken for a visitor is itself a user
    WEAK = "weak"  # track, page: only where nothing contradicts
    CLAIMED = "claimed"  # said by a public key: only while neither visitor nor person is known otherwise


LASTING = (LinkKind.STRONG, LinkKind.ALIAS)  # of the others only the earliest for each visitor and person counts


@dataclass(frozen=True, slots=True)
class Link:
    """One fact: the visitor (id of its identity) was `profile_id` at an instant. `key` settles ties."""

    visitor_id: int
    kind: LinkKind
    profile_id: int
    occurred_at: datetime
    key: str


@dataclass(frozen=True, slots=True)
class Tenure:
    """From `since` until the next tenure begins, the visitor is `profile_id`."""

    since: datetime
    profile_id: int


def derive_tenures(
    links: Iterable[Link], *, void: Collection[LinkKind] = (), known: Collection[int] = ()
) -> list[Tenure]:
    """Who owned one visitor when, by the facts about it; without any owner it is its home's.

    `void` are kinds that count for nothing; `known` are the people whom more than a public key names. Pure.
    """
    facts = sorted((link for link in links if link.kind not in void), key=lambda link: (link.occurred_at, link.key))
    believed = [link for link in facts if link.kind in (*LASTING, LinkKind.WEAK)]
    if not believed:
        claimed = [link for link in facts if link.kind is LinkKind.CLAIMED and link.profile_id not in known]
        believed = claimed[:1] or [link for link in facts if link.kind is LinkKind.HOME][:1]
    tenures: list[Tenure] = []
    for link in believed:
        if not tenures:
            tenures.append(Tenure(ALWAYS, link.profile_id))
        elif link.kind in LASTING and link.profile_id != tenures[-1].profile_id:
            tenures.append(Tenure(link.occurred_at, link.profile_id))
    return tenures


def owner_at(tenures: Sequence[Tenure], instant: datetime) -> int:
    """Whose the visitor was at `instant`; `tenures` are in order and not empty."""
    owner = tenures[0].profile_id
    for tenure in tenures:
        if tenure.since <= instant:
            owner = tenure.profile_id
    return owner


def add_links(connection: Connection, links: Sequence[Link]) -> list[Link]:
    """Record the facts that may count one day; answers those that are new."""
    lasting = {_row_key(link): link for link in links if link.kind in LASTING}
    new = insert_ignore(connection, visitor_link, [_row(link) for link in lasting.values()], returning=_KEY)
    return [lasting[tuple(row)] for row in new] + _lower(connection, [one for one in links if one.kind not in LASTING])


def load_links(connection: Connection, visitor_ids: Collection[int]) -> dict[int, list[Link]]:
    """All facts about each visitor."""
    found: dict[int, list[Link]] = {}
    for some in batches(sorted(visitor_ids), _BATCH):
        query = select(*_COLUMNS).where(among(connection, visitor_link.c.visitor_id, some))
        for row in connection.execute(query):
            found.setdefault(row.visitor_id, []).append(_link(row))
    return found


def _lower(connection: Connection, links: Sequence[Link]) -> list[Link]:
    """Keep of each visitor, kind and person the earliest fact: a later one of the same kind adds nothing to it."""
    earliest: dict[tuple[int, str, int], Link] = {}
    for key, same in groupby(sorted(links, key=_rank), key=_pair):
        earliest[key] = next(same)
    if not earliest:
        return []
    kinds = sorted({link.kind.value for link in earliest.values()})
    visitor_ids = sorted({link.visitor_id for link in earliest.values()})
    standing: dict[tuple[int, str, int], Link] = {}
    for some in batches(visitor_ids, _BATCH):
        query = select(*_COLUMNS).where(
            among(connection, visitor_link.c.visitor_id, some), visitor_link.c.kind.in_(kinds)
        )
        standing |= {_pair(link): link for link in map(_link, connection.execute(query))}
    new = [link for key, link in earliest.items() if key not in standing or _rank(link) < _rank(standing[key])]
    # One row for each: its key column holds a constant, and the call's own key stands behind it.
    rows = [_row(link) | {"key": _EARLIEST, "said_by": link.key} for link in new]
    upsert(connection, visitor_link, rows, key=_KEY, update=["occurred_at", "said_by"])
    return new


def _row(link: Link) -> dict[str, object]:
    return {
        "visitor_id": link.visitor_id,
        "kind": link.kind.value,
        "profile_id": link.profile_id,
        "occurred_at": link.occurred_at,
        "key": link.key,
        "said_by": link.key,
    }


def _link(row: Row[Any]) -> Link:
    return Link(row.visitor_id, LinkKind(row.kind), row.profile_id, row.occurred_at, row.said_by)


def _row_key(link: Link) -> tuple[object, ...]:
    return (link.visitor_id, link.kind.value, link.profile_id, link.key)


def _pair(link: Link) -> tuple[int, str, int]:
    return (link.visitor_id, link.kind.value, link.profile_id)


def _rank(link: Link) -> tuple[object, ...]:
    return (*_pair(link), link.occurred_at, link.key)
