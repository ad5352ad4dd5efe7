"""Drawing codes: one for each offer and owner, the same however often it is asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select

from core.bulk import among, update_rows
from core.clock import to_micros
from core.database import batches
from core.ids import derived_id
from core.vault import Vault
from recommender.codes.pools import SEALED
from recommender.tables import offer_code

_BATCH = 5_000
_COLUMNS = ("id", "draw_id", "offer", "owner", "profile_id", "drawn_at")


@dataclass(frozen=True, slots=True)
class Draw:
    """Somebody is to have a code of `pool` with an offer; `owner` is the enrolment that brings it about."""

    pool: str
    offer: str
    owner: str
    profile_id: int

    @property
    def id(self) -> str:
        return draw_id(self.offer, self.owner)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A code in clear, and since when its owner has it."""

    code: str = field(repr=False)
    drawn_at: datetime


def draw_id(offer: str, owner: str) -> str:
    """What is drawn for one offer and owner is one draw, whatever asks for it."""
    return derived_id("offer_code", offer, owner)


def draw_codes(connection: Connection, vault: Vault, wanted: Sequence[Draw], now: datetime) -> dict[str, Drawn]:
    """A code for each draw, by its id: the one it has, or the oldest free one of its pool.

    Draws for which the pool holds no code any more are left out. Two processes never draw the same one.
    """
    draws = {one.id: one for one in wanted}
    found: dict[str, Drawn] = {}
    for some in batches(list(draws.values()), _BATCH):
        standing = _standing(connection, [one.id for one in some])
        missing: dict[str, list[Draw]] = defaultdict(list)
        for one in some:
            if one.id not in standing:
                missing[one.pool].append(one)
        for pool, those in missing.items():
            standing |= _draw(connection, pool, those, now)
        found |= {
            number: Drawn(vault.open_for_workspace(SEALED, sealed), drawn_at)
            for number, (sealed, drawn_at) in standing.items()
            if sealed is not None  # else its person was erased
        }
    return found


def _standing(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[bytes | None, datetime]]:
    of = offer_code.c
    query = select(of.draw_id, of.code, of.drawn_at).where(among(connection, of.draw_id, ids))
    return {row.draw_id: (row.code, row.drawn_at) for row in connection.execute(query)}


def _draw(
    connection: Connection, pool: str, draws: Sequence[Draw], now: datetime
) -> dict[str, tuple[bytes | None, datetime]]:
    of = offer_code.c
    query = select(of.id, of.code).where(of.pool == pool, of.drawn_at.is_(None)).order_by(of.id).limit(len(draws))
    free = connection.execute(query.with_for_update(skip_locked=True)).all()
    at = to_micros(now)
    # Fewer codes than draws: the first who asked get them.
    pairs = list(zip(free, draws, strict=False))
    rows = [(code.id, one.id, one.offer, one.owner, one.profile_id, at) for code, one in pairs]
    taken = set(update_rows(connection, offer_code, _COLUMNS, rows, where="drawn_at IS NULL"))
    return {one.id: (code.code, now) for code, one in pairs if code.id in taken}
