"""To whom rows belong when profiles were found to be one person: to the survivor of their first owner.

`profile_id` is who a row belongs to now, `origin_profile_id` who had it first where that is somebody else (and whose
key seals it). Merging and splitting only change who survives; `settle` then brings the rows into line, set by set, so
that it makes no difference in which order merges came and went.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Table, bindparam, exists, select, update
from sqlalchemy.orm import aliased

from core.database import batches
from customers.tables import consent_entry, customer_event, customer_order, identity, profile
from customers.task_tables import task
from customers.touches import TouchKind, touch

FOLLOWING = (customer_event, customer_order, consent_entry, task)  # identities do too, but for duplicates

_COPIED = (customer_event, customer_order)  # by readers who go by the position of a row
_BATCH = 5_000


@dataclass(frozen=True, slots=True)
class Move:
    """Rows of `first` that stand with `old` and belong to `new`."""

    first: int
    old: int
    new: int


def survivors_of(connection: Connection, profile_ids: Iterable[int]) -> dict[int, int]:
    """Who stands for each of `profile_ids` now: itself, unless it was merged; of two merges in a row the last one."""
    found: dict[int, int] = {}
    for some in batches(sorted(set(profile_ids)), _BATCH):
        start = select(profile.c.id.label("asked"), profile.c.id, profile.c.merged_into).where(profile.c.id.in_(some))
        chain = start.cte("chain", recursive=True)
        chain = chain.union_all(
            select(chain.c.asked, profile.c.id, profile.c.merged_into).join(chain, profile.c.id == chain.c.merged_into)
        )
        ends = select(chain.c.asked, chain.c.id).where(chain.c.merged_into.is_(None))
        found.update(connection.execute(ends).tuples().all())
    return found


def survivor_of(connection: Connection, profile_id: int) -> int:
    """Who stands for `profile_id` now; itself when it was never merged, or is not there."""
    return survivors_of(connection, [profile_id]).get(profile_id, profile_id)


def families_of(connection: Connection, profile_ids: Iterable[int]) -> dict[int, list[int]]:
    """Each profile and everything that was merged into it, directly or not; itself first."""
    families: dict[int, list[int]] = {}
    for some in batches(sorted(set(profile_ids)), _BATCH):
        tree = (
            select(profile.c.id.label("head"), profile.c.id).where(profile.c.id.in_(some)).cte("tree", recursive=True)
        )
        tree = tree.union_all(select(tree.c.head, profile.c.id).join(tree, profile.c.merged_into == tree.c.id))
        for head, member in connection.execute(select(tree.c.head, tree.c.id).order_by(tree.c.id)):
            families.setdefault(head, [head])
            if member != head:
                families[head].append(member)
    return families


def family_of(connection: Connection, profile_id: int) -> list[int]:
    """The profile first, then everything that was merged into it, directly or not: whose keys its data is under."""
    return families_of(connection, [profile_id]).get(profile_id, [profile_id])


def settle(connection: Connection, profile_ids: Collection[int]) -> None:
    """Bring the rows of the customer view that stand with `profile_ids` to those to whom they belong now."""
    settle_rows(connection, profile_ids)
    _settle_identities(connection, profile_ids)


def settle_rows(connection: Connection, profile_ids: Collection[int]) -> None:
    """`settle` for everything but identities."""
    for table in FOLLOWING:
        settle_table(connection, table, profile_ids)


def settle_table(connection: Connection, table: Table, profile_ids: Collection[int]) -> list[Move]:
    """`settle` for one table with `profile_id` and `origin_profile_id`; answers what was moved."""
    moves = find_moves(connection, table, profile_ids)
    _write(connection, table, moves)
    return moves


def find_moves(
    connection: Connection, table: Table, profile_ids: Collection[int], *where: ColumnElement[bool]
) -> list[Move]:
    """Which rows of `table` stand with one of `profile_ids` and belong to somebody else."""
    standing: list[tuple[int, int]] = []  # with whom, first owner
    for some in batches(sorted(profile_ids), _BATCH):
        pairs = select(table.c.profile_id, table.c.origin_profile_id).where(table.c.profile_id.in_(some), *where)
        standing += [(owner, first or owner) for owner, first in connection.execute(pairs.distinct())]
    survivors = survivors_of(connection, {first for _, first in standing})
    return [Move(first, owner, survivors[first]) for owner, first in sorted(standing) if survivors[first] != owner]


def _write(connection: Connection, table: Table, moves: Sequence[Move], *where: ColumnElement[bool]) -> None:
    if not moves:
        return
    kind = TouchKind.REWRITTEN if table in _COPIED else TouchKind.CHANGED
    touch(connection, {number for move in moves for number in (move.old, move.new)}, kind)
    first = table.c.origin_profile_id
    statement = update(table).where(
        table.c.profile_id == bindparam("old"), first.is_not_distinct_from(bindparam("was", type_=first.type)), *where
    )
    connection.execute(
        statement.values(profile_id=bindparam("new"), origin_profile_id=bindparam("becomes")),
        [
            {
                "old": move.old,
                "was": None if move.first == move.old else move.first,
                "new": move.new,
                "becomes": None if move.first == move.new else move.first,
            }
            for move in moves
        ],
    )


def _settle_identities(connection: Connection, profile_ids: Collection[int]) -> None:
    """Of one address that several of a family had, one row comes to the survivor; the others wait with whom they were
    first.
    """
    heads = set(survivors_of(connection, profile_ids).values())
    family = {member for members in families_of(connection, heads).values() for member in members}
    there = aliased(identity)
    is_there = exists().where(
        there.c.profile_id == bindparam("new"), there.c.kind == identity.c.kind, there.c.lookup == identity.c.lookup
    )
    moves = find_moves(connection, identity, family)
    # First everything goes home, where its place is always free; then it comes to the survivor, one of each.
    home = [Move(move.first, move.old, move.first) for move in moves if move.old != move.first]
    _write(connection, identity, home)
    away = [Move(first, first, new) for first, new in dict.fromkeys((move.first, move.new) for move in moves)]
    _write(connection, identity, [move for move in away if move.new != move.first], ~is_there)
