"""Anonymous visitors who turn out to be somebody: their history becomes that person's.

Only a profile that nothing but its visitor id ever named is taken over; it stays as a row that points to its survivor.
A visitor id that belongs to a known person merely changes hands, as on a shared device: nothing else moves. Works on
whole batches, because every sign-in of a shop passes here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from core.database import batches
from customers.merge_rows import MergeCause, NewMerge, record_merges
from customers.ownership import settle_rows
from customers.tables import IdentityKind, ProfileStatus, identity, profile

_BATCH = 5_000
_SOURCE = "identities"


@dataclass(frozen=True, slots=True)
class HandOver:
    """A visitor id that goes from one profile to another."""

    visitor: str
    old: int
    new: int


def hand_over(connection: Connection, moves: Sequence[HandOver], now: datetime) -> dict[int, int]:
    """Give each visitor id to its new profile, in the order given, with what its old one did while it was nobody.

    Answers which profiles were nobody, and into whom each was merged.
    """
    moves = [move for move in moves if move.old != move.new]
    if not moves:
        return {}
    left_by: dict[int, HandOver] = {}
    for move in moves:
        left_by.setdefault(move.old, move)
    named = _named(connection, left_by, {move.visitor for move in moves})
    merged = {old: move.new for old, move in left_by.items() if old not in named}
    _give(connection, moves, merged)
    if merged:
        _merge(connection, merged, now)
    return merged


def _named(connection: Connection, profile_ids: Collection[int], leaving: Collection[str]) -> set[int]:
    """Those of `profile_ids` who have more than the visitor ids that are leaving."""
    named: set[int] = set()
    for some in batches(sorted(profile_ids), _BATCH):
        query = select(identity.c.profile_id, identity.c.kind, identity.c.lookup).where(identity.c.profile_id.in_(some))
        named.update(
            owner
            for owner, kind, lookup in connection.execute(query)
            if kind != IdentityKind.VISITOR or lookup not in leaving
        )
    return named


def _give(connection: Connection, moves: Sequence[HandOver], merged: Mapping[int, int]) -> None:
    """Write each visitor id's last owner; one that came along with its whole profile remembers whose it was."""
    last = {move.visitor: move for move in moves}
    of_visitor = (identity.c.kind == IdentityKind.VISITOR) & (identity.c.lookup == bindparam("visitor"))
    statement = update(identity).where(of_visitor)
    connection.execute(
        statement.values(profile_id=bindparam("new"), origin_profile_id=bindparam("origin")),
        [
            {
                "visitor": move.visitor,
                "new": move.new,
                "origin": move.old if merged.get(move.old) == move.new else None,
            }
            for move in last.values()
        ],
    )


def _merge(connection: Connection, merged: Mapping[int, int], now: datetime) -> None:
    statement = update(profile).where(profile.c.id == bindparam("old"))
    connection.execute(
        statement.values(status=ProfileStatus.MERGED, merged_into=bindparam("new"), updated_at=now),
        [{"old": old, "new": new} for old, new in merged.items()],
    )
    for some in batches(sorted(set(merged.values())), _BATCH):
        connection.execute(update(profile).where(profile.c.id.in_(some)).values(updated_at=now))
    settle_rows(connection, merged)
    found = [NewMerge(new, old, MergeCause.VISITOR, _SOURCE) for old, new in merged.items()]
    record_merges(connection, found, now)
