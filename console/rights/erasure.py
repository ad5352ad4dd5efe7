"""Erasing a person: everything that leads to them goes, and what remains is true without them.

The order, and what somebody else could see between the steps:

1. **The request is opened, and the key store learns who is to be erased**, with the tombstones of every identifier.
   From here on nothing is lost: whoever dies now is followed by `replay_erasures`, which begins with step 2. Others
   still see the person whole.
2. **One transaction in the database** sets the tombstones, answers old grants, ends journeys, cancels messages and
   clears every table. Others see the person whole before it and gone after it, never half; a second run finds nothing.
   On PostgreSQL it holds the lock under which people are made and found, so that no event or import that has already
   found the person can still be writing.
3. **The data keys are destroyed.** Not earlier, because readers in step 1 would meet values that do not open, and a
   whole batch of messages would fail for one person; not left out, because backups of the database hold sealed copies.
4. **The database's position moves past the erasure, and the request is closed with its proof**, in one transaction.
   Until then everything above is done again at the next start, which changes nothing that is done already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, text

from console.rights.export_files import delete_exports_of
from console.rights.family import load_living
from console.rights.forgetting import forget
from core.cursors import Position, get_position, save_position
from core.erasures import CURSOR, Erasure, read_erasures, record_erasure
from core.errors import NotFoundError
from core.runtime import Runtime
from core.vault import Vault
from customers.identities import lock_people, normalise
from customers.rights import Request, Right, complete, find_open, get_request, note_proof, receive
from customers.tables import IdentityKind, identity, profile
from customers.workspace import get_workspace

_LOCK = 7_204_414  # any number, so long as every process uses the same and nothing else does
_REPLAY = "replay"


@dataclass(frozen=True, slots=True)
class Extent:
    """What an erasure would reach: the person's profiles, and how many identifiers lead to them."""

    profile_ids: tuple[int, ...]
    identifier_count: int


def measure(connection: Connection, profile_id: int) -> Extent:
    """What erasing would reach. Raises NotFoundError, and ConflictError for somebody who is erased already."""
    ids, _status = load_living(connection, profile_id)
    return Extent(tuple(ids), len(_identities(connection, ids)))


def erase_profile(runtime: Runtime, profile_id: int, *, requested_by: str, now: datetime) -> Request:
    """Erase a person, with every profile merged into them; answers the request, done, with its proof.

    The proof holds counts by table, the erasure's number and its instant. Raises what `measure` raises.
    """
    with runtime.database.transaction() as connection:
        extent = measure(connection, profile_id)
        marks = _marks(connection, runtime.vault, extent.profile_ids)
        request = find_open(connection, extent.profile_ids, Right.ERASE)
        if request is None:
            survivor, zone = extent.profile_ids[0], _zone(connection)
            request = receive(connection, survivor, Right.ERASE, requested_by=requested_by, at=now, zone=zone)
    record_erasure(runtime.vault.store, extent.profile_ids, marks, now)
    carry_out(runtime, now)
    with runtime.database.read() as connection:
        return get_request(connection, request.id)


def carry_out(runtime: Runtime, now: datetime) -> int:
    """Do steps 2 to 4 for every erasure behind the database's position, in order; answers how many there were."""
    with runtime.database.read() as connection:
        position = get_position(connection, CURSOR).row_id
    erasures = read_erasures(runtime.vault.store, after=position)
    for erasure in erasures:
        _carry_out_one(runtime, erasure, now)
    if erasures:
        runtime.database.drop_traces()
    return len(erasures)


def _carry_out_one(runtime: Runtime, erasure: Erasure, now: datetime) -> None:
    with runtime.database.transaction() as connection:
        if _is_behind(connection, erasure):
            return  # another process was faster
        lock_people(connection)
        _note(connection, erasure, forget(connection, erasure))
    for number in erasure.profile_ids:
        runtime.vault.destroy(number)
    proof = {
        "keys_destroyed": len(erasure.profile_ids),
        "files_deleted": delete_exports_of(runtime.settings, erasure.profile_ids),
    }
    with runtime.database.transaction() as connection:
        if _is_behind(connection, erasure):
            return
        if find_open(connection, erasure.profile_ids, Right.ERASE) is not None:
            ids, zone = erasure.profile_ids, _zone(connection)
            complete(connection, ids, Right.ERASE, requested_by=_REPLAY, proof=proof, now=now, zone=zone)
        save_position(connection, CURSOR, Position(0, erasure.no))


def _is_behind(connection: Connection, erasure: Erasure) -> bool:
    """Whether the database is past this erasure; holds the lock under which its position moves."""
    if connection.dialect.name == "postgresql":  # on SQLite writers queue anyway
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    return get_position(connection, CURSOR).row_id >= erasure.no


def _note(connection: Connection, erasure: Erasure, changed: Counter[str]) -> None:
    """Keep the counts beside the request while it is open: a second run of step 2 would find nothing to count.

    A database that was restored has no request; it gets one, as far as it knows the person at all.
    """
    request = find_open(connection, erasure.profile_ids, Right.ERASE)
    if request is None:
        known = list(connection.scalars(select(profile.c.id).where(profile.c.id.in_(erasure.profile_ids))))
        if not known:
            return
        survivor, at, zone = _survivor(connection, known), erasure.erased_at, _zone(connection)
        request = receive(connection, survivor, Right.ERASE, requested_by=_REPLAY, at=at, zone=zone)
    before: Mapping[str, int] = request.proof.get("rows", {})
    proof = {
        "erasure": erasure.no,
        "erased_at": erasure.erased_at.isoformat(),
        "profiles": len(erasure.profile_ids),
        "tombstones": len(erasure.marks),
        "rows": dict(sorted((changed + Counter(before)).items())),
    }
    note_proof(connection, request.id, {**request.proof, **proof})


def _survivor(connection: Connection, profile_ids: Sequence[int]) -> int:
    """Who remained of those merged; the request is about that one."""
    query = select(profile.c.id).where(profile.c.id.in_(profile_ids), profile.c.merged_into.is_(None))
    return connection.scalar(query.order_by(profile.c.id).limit(1)) or min(profile_ids)


def _marks(connection: Connection, vault: Vault, profile_ids: Sequence[int]) -> dict[str, str]:
    """The tombstone of every identifier: the newest of each, because whoever looks asks for older ones too."""
    marks: dict[str, str] = {}
    for row in _identities(connection, profile_ids):
        kind = IdentityKind(row.kind)
        if row.sealed is None:
            value = row.lookup
        else:
            owner = row.origin_profile_id or row.profile_id
            value = normalise(kind, vault.open(owner, f"identity.{kind}", row.sealed))
        marks[vault.tombstones(kind, value)[0]] = kind.value
    return marks


def _identities(connection: Connection, profile_ids: Sequence[int]) -> Sequence[Any]:
    query = select(identity).where(identity.c.profile_id.in_(profile_ids)).order_by(identity.c.id)
    return connection.execute(query).all()


def _zone(connection: Connection) -> ZoneInfo:
    try:
        return ZoneInfo(get_workspace(connection).timezone)
    except NotFoundError:  # restored before anything was published
        return ZoneInfo("UTC")
