"""Filling pools with codes, and how each pool stands. Codes are sealed: whoever reads one can spend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import BigInteger, Connection, case, func, select, type_coerce

from core.bulk import among, insert_missing
from core.clock import from_micros, to_micros
from core.errors import InputError
from core.vault import Vault
from recommender.tables import offer_code

SEALED = "offer_code.code"
PACE = timedelta(days=7)

_BATCH = 5_000
_LONGEST_CODE = 64
_LONGEST_NAME = 100
_COLUMNS = ("pool", "lookup", "code", "added_at")


@dataclass(frozen=True, slots=True)
class Imported:
    """How many codes were new to the pool, and how many it had already, drawn or free."""

    new_count: int
    known_count: int


@dataclass(frozen=True, slots=True)
class Pool:
    """How a pool stands. `given_count` of the drawn are certain to be with somebody; the others may still return."""

    name: str
    code_count: int
    free_count: int
    drawn_count: int
    given_count: int
    drawn_lately: int  # in the last seven days
    last_drawn_at: datetime | None = None

    @property
    def days_left(self) -> float | None:
        """How long the free codes last at the pace of the last seven days; None where none was drawn."""
        return self.free_count * (PACE / timedelta(days=1)) / self.drawn_lately if self.drawn_lately else None


def import_codes(connection: Connection, vault: Vault, pool: str, codes: Iterable[str], now: datetime) -> Imported:
    """Add `codes` to a pool, which is made where there is none; a code that it has already is passed over.

    Raises InputError for a code that is empty, longer than 64 characters, or holds spaces or control characters.
    """
    if not 0 < len(pool) <= _LONGEST_NAME or not pool.isprintable():
        raise InputError(f"a pool has a name of 1 to {_LONGEST_NAME} characters.")
    new_count = count = 0
    waiting = _checked(codes)
    while some := list(dict.fromkeys(islice(waiting, _BATCH))):
        fresh = _unknown(connection, vault, pool, some)
        at = to_micros(now)
        rows = [(pool, lookup, vault.seal_for_workspace(SEALED, code), at) for lookup, code in fresh]
        new_count += len(insert_missing(connection, offer_code, _COLUMNS, rows, key="id"))
        count += len(some)
    return Imported(new_count, count - new_count)


def list_pools(connection: Connection, now: datetime) -> list[Pool]:
    """Every pool that has, or had, a code, by name."""
    of = offer_code.c
    drawn_at = type_coerce(of.drawn_at, BigInteger)
    query = (
        select(
            of.pool,
            func.count(),
            func.count(of.drawn_at),
            func.count(case((drawn_at >= to_micros(now - PACE), 1))),
            func.max(drawn_at),
        )
        .group_by(of.pool)
        .order_by(of.pool)
    )
    given = dict(
        connection.execute(
            select(of.pool, func.count()).where(of.given_at.is_not(None)).group_by(of.pool)
        ).tuples().all()
    )  # fmt: skip
    return [
        Pool(name, count, count - drawn, drawn, given.get(name, 0), lately, from_micros(last) if last else None)
        for name, count, drawn, lately, last in connection.execute(query)
    ]


def _checked(codes: Iterable[str]) -> Iterator[str]:
    for number, written in enumerate(codes, start=1):
        code = written.strip()
        if not code:
            raise InputError(f"code {number} is empty.")
        if len(code) > _LONGEST_CODE or not code.isprintable() or any(map(str.isspace, code)):
            raise InputError(f"code {number} is no code: it has 1 to {_LONGEST_CODE} characters and no spaces.")
        yield code


def _unknown(connection: Connection, vault: Vault, pool: str, codes: Sequence[str]) -> list[tuple[str, str]]:
    """Those that the pool does not have under an older version of the key, each behind its keyed hash."""
    kind = f"{SEALED}:{pool}"
    old: set[str] = set()
    if vault.key_version > 1:
        by_hash = {lookup: code for code in codes for lookup in vault.blind_indexes(kind, code)}
        query = select(offer_code.c.lookup).where(
            offer_code.c.pool == pool, among(connection, offer_code.c.lookup, list(by_hash))
        )
        old = {by_hash[lookup] for lookup in connection.execute(query).scalars()}
    index = vault.indexer(kind)
    return [(index(code), code) for code in codes if code not in old]
