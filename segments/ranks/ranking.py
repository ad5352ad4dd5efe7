"""Rankings brought up to date: everybody's place by each thing that published files rank by, stored with its date.

One query ranks everybody inside the database, and only places that moved are written. Touched are the people for whom
the answer to a published condition became another, not all who moved: one newcomer at the top moves everybody.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    update,
)

from core.columns import Id
from core.database import insert_ignore
from core.definitions import definition, list_definitions
from core.runtime import Runtime
from customers.tables import profile
from customers.touches import touch
from customers.workspace import Workspace, get_workspace
from segments.compiling.leaves.rank import lies_in
from segments.compiling.values import Predicate, definite
from segments.language.rules import RankBasis, RankRule, Share
from segments.language.wording import describe_basis
from segments.ranks.bases import find_ranks, name_of
from segments.ranks.query import rank_query
from segments.tables import segment_rank, segment_rank_run

_IN_FORCE = ("segment", "campaign", "offer")
_AT_ONCE = 20_000  # people: half a second for each basis
_JOURNEY = "journey"  # people go on in the version in which they entered

# Lives as long as the ranking by one basis.
_found = Table(
    "segment_rank_found",
    MetaData(),
    Column("profile_id", Id, primary_key=True, autoincrement=False),
    Column("place", BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
)


@dataclass(frozen=True, slots=True)
class RankRun:
    """What one ranking did: `counted` people have a place, `touched` of all came into or out of a share."""

    basis: str
    words: str
    counted: int
    touched: int
    seconds: float


@dataclass(slots=True)
class RankInUse:
    """A basis and every share that some published file asks for."""

    basis: RankBasis
    shares: set[Share] = field(default_factory=set)


def ranks_in_use(connection: Connection) -> dict[str, RankInUse]:
    """What segments, campaigns, offers and journeys rank by, under the name of each basis."""
    return _group(rank for document in _documents(connection) for rank in find_ranks(document))


def refresh_ranks(
    connection: Connection, workspace: Workspace, now: datetime, only: Collection[str] | None = None
) -> list[RankRun]:
    """Rank everybody as of `now` by everything that published files ask for, or by the bases named in `only`.

    Rankings that nobody asks for any more are forgotten. The order is that of the names.
    """
    in_use = ranks_in_use(connection)
    _forget_unused(connection, in_use)
    wanted = sorted(in_use if only is None else set(in_use) & set(only))
    return [refresh_rank(connection, in_use[name].basis, workspace, now, in_use[name].shares) for name in wanted]


def refresh_missing_ranks(connection: Connection, workspace: Workspace, now: datetime) -> list[RankRun]:
    """Rank everybody by what was published since, and leave the rest to its own hour."""
    missing = missing_ranks(connection)
    return refresh_ranks(connection, workspace, now, missing) if missing else []


def missing_ranks(connection: Connection) -> list[str]:
    """The bases that published files ask for and by which nobody was ever ranked."""
    in_use = ranks_in_use(connection)
    known = set(connection.scalars(select(segment_rank_run.c.basis))) if in_use else set()
    return sorted(set(in_use) - known)


def rank_everybody(runtime: Runtime, now: datetime | None = None, *, missing_only: bool = False) -> list[RankRun]:
    """What a command or a flow calls: `refresh_ranks`, but with a transaction for each basis."""
    instant = now or runtime.clock.now()
    with runtime.database.read() as connection:
        in_use = ranks_in_use(connection)
        wanted = missing_ranks(connection) if missing_only else sorted(in_use)
        workspace = get_workspace(connection)
    runs = []
    for name in wanted:
        with runtime.database.transaction() as connection:
            runs.append(refresh_rank(connection, in_use[name].basis, workspace, instant, in_use[name].shares))
    if not missing_only:
        with runtime.database.transaction() as connection:
            _forget_unused(connection, ranks_in_use(connection))
    return runs


def rank_at_once(runtime: Runtime) -> list[RankRun]:
    """What publishing calls: rank by what is new, unless there are so many people that the first refresh should."""
    with runtime.database.read() as connection:
        highest = connection.scalar(select(func.max(profile.c.id))) or 0
    return rank_everybody(runtime, missing_only=True) if highest <= _AT_ONCE else []


def refresh_rank(
    connection: Connection, basis: RankBasis, workspace: Workspace, now: datetime, shares: Iterable[Share] = ()
) -> RankRun:
    """Rank everybody by `basis` as of `now`; who comes into or out of one of `shares` is touched."""
    started = time.perf_counter()
    name, words = name_of(basis), describe_basis(basis)
    before = _lock(connection, name, words, now)
    _found.create(connection)
    connection.execute(insert(_found).from_select(["profile_id", "place"], rank_query(basis, now, workspace)))
    counted = connection.scalar(select(func.count()).select_from(_found)) or 0
    movers = _movers(connection, name, list(shares), before, counted)
    _write_places(connection, name)
    _found.drop(connection)
    touch(connection, movers)
    connection.execute(
        update(segment_rank_run)
        .where(segment_rank_run.c.basis == name)
        .values(words=words, revision=segment_rank_run.c.revision + 1, counted=counted, computed_at=now)
    )
    return RankRun(name, words, counted, len(movers), time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class Place:
    """How one person stands in a ranking: `place` of `counted` as of `computed_at`; None is without a value then."""

    place: int | None
    counted: int
    computed_at: datetime

    def __str__(self) -> str:
        when = f"as of {self.computed_at:%Y-%m-%d %H:%M} UTC"
        if self.place is None:
            return f"no place among {self.counted:,}, {when}"
        return f"place {self.place:,} of {self.counted:,}, {when}"


def find_place(connection: Connection, basis: RankBasis, profile_id: int) -> Place | None:
    """The place of one person; None when nobody was ever ranked by `basis`."""
    run, placed, name = segment_rank_run.c, segment_rank.c, name_of(basis)
    place = select(placed.place).where(placed.basis == name, placed.profile_id == profile_id).scalar_subquery()
    row = connection.execute(select(place, run.counted, run.computed_at).where(run.basis == name)).one_or_none()
    return None if row is None else Place(*row)


def tell_place(connection: Connection, rank: RankRule, profile_id: int) -> str:
    """The place in words, for `explain`."""
    place = find_place(connection, rank.basis, profile_id)
    return "not ranked yet: run `postilion segments rank`" if place is None else str(place)


def _documents(connection: Connection) -> Iterable[object]:
    for kind in _IN_FORCE:
        yield from (published.document for published in list_definitions(connection, kind))
    versions = select(definition.c.document).where(definition.c.kind == _JOURNEY, definition.c.withdrawn_at.is_(None))
    yield from connection.scalars(versions)


def _group(ranks: Iterable[RankRule]) -> dict[str, RankInUse]:
    in_use: dict[str, RankInUse] = {}
    for rank in ranks:
        in_use.setdefault(name_of(rank.basis), RankInUse(rank.basis)).shares.add(rank.share)
    return in_use


def _lock(connection: Connection, name: str, words: str, now: datetime) -> int:
    """Make a second ranking by the same basis wait for this one; answers how many had a place before."""
    row = {"basis": name, "words": words, "revision": 0, "counted": 0, "computed_at": now}
    insert_ignore(connection, segment_rank_run, [row])
    query = select(segment_rank_run.c.counted).where(segment_rank_run.c.basis == name).with_for_update()
    counted: int = connection.execute(query).scalar_one()
    return counted


def _movers(connection: Connection, name: str, shares: Sequence[Share], before: int, counted: int) -> list[int]:
    """Everybody for whom the answer to a condition about one of `shares` becomes another."""
    if not shares:
        return []
    old, new = segment_rank.c, _found.c
    was_ranked, is_ranked = and_(old.basis == name, old.profile_id == new.profile_id), new.profile_id == old.profile_id
    becomes = [_differs(_holds(share, new.place, counted), _holds(share, old.place, before)) for share in shares]
    ranked_now = select(new.profile_id).select_from(_found.outerjoin(segment_rank, was_ranked)).where(or_(*becomes))
    gone = select(old.profile_id).where(
        old.basis == name,
        ~exists().where(is_ranked),
        or_(*(_holds(share, old.place, before) for share in shares)),
    )
    return list(connection.scalars(ranked_now)) + list(connection.scalars(gone))


def _holds(share: Share, place: ColumnElement[int], counted: int) -> Predicate:
    return definite(lies_in(share, place, literal(counted, BigInteger())))


def _differs(one: Predicate, other: Predicate) -> Predicate:
    return or_(and_(one, not_(other)), and_(not_(one), other))


def _write_places(connection: Connection, name: str) -> None:
    """Bring the stored places to those found, and leave alone what stayed."""
    old, new = segment_rank.c, _found.c
    still = exists().where(new.profile_id == old.profile_id)
    connection.execute(delete(segment_rank).where(old.basis == name, ~still))
    connection.execute(
        update(segment_rank)
        .where(old.basis == name, old.profile_id == new.profile_id, old.place != new.place)
        .values(place=new.place)
    )
    known = exists().where(old.basis == name, old.profile_id == new.profile_id)
    fresh = select(literal(name), new.profile_id, new.place).where(~known).order_by(new.profile_id)
    connection.execute(insert(segment_rank).from_select(["basis", "profile_id", "place"], fresh))


def _forget_unused(connection: Connection, in_use: Mapping[str, RankInUse]) -> None:
    for table in (segment_rank, segment_rank_run):
        connection.execute(delete(table).where(table.c.basis.not_in(sorted(in_use))))
