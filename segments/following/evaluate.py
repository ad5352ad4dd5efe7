"""Asking many rules about some people in one query; one person or one rule that fails does not stop the others."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from queue import SimpleQueue
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Connection, Select, Text, bindparam, func, select
from sqlalchemy.exc import DBAPIError

from core.bulk import among
from core.database import Database, batches
from core.vault import Vault
from customers.workspace import Workspace
from segments.compiling.compiler import compile_rules
from segments.following.faults import EVERYBODY, Fault
from segments.language.rules import Rule
from segments.membership_writes import Moves
from segments.tables import membership

log = logging.getLogger("postilion.segments")

BATCH = 2_500
_READERS = 4  # more than a small machine has cores: where pages must come from a disk, they wait for them together
_FEW = 250  # people, for whom one is enough
_MOST_FAULTS = 10  # of one rule in one tick; then it is the rule
_GIVEN = "given_people"


@dataclass(slots=True)
class Answers:
    """What differs from the memberships as they stand, by segment, and what could not be asked."""

    moves: dict[str, Moves] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


@contextmanager
def readers(connection: Connection, database: Database, people: int) -> Iterator[list[Connection]]:
    """`connection`, and for many people some more, to be asked beside it: they see what was committed."""
    with ExitStack() as stack:
        count = min(_READERS, people // _FEW)
        yield [connection, *(stack.enter_context(database.read()) for _ in range(count - 1))]


class Questions:
    """Some rules (by slug, of those in `segments`) as of one instant, to be asked of each of `connections`."""

    def __init__(
        self,
        connections: Sequence[Connection],
        slugs: Sequence[str],
        *,
        now: datetime,
        workspace: Workspace,
        segments: Mapping[str, Rule],
        vault: Vault | None,
    ) -> None:
        self._connections = connections
        self._is_sqlite = connections[0].dialect.name == "sqlite"
        self._now, self._workspace, self._segments, self._vault = now, workspace, segments, vault
        self._rules = {slug: segments[slug] for slug in slugs}
        self._queries: dict[tuple[str, ...], Select[Any]] = {}
        self._faults: dict[str, list[Fault]] = {}
        self._slugs = self._compilable(tuple(slugs))

    def ask(self, profile_ids: Sequence[int]) -> Answers:
        """Whose answer is another than their membership."""
        people = sorted(profile_ids)
        size = max(1, min(BATCH, -(-len(people) // len(self._connections))))
        idle: SimpleQueue[Connection] = SimpleQueue()
        for connection in self._connections:
            idle.put(connection)

        def compare(some: Sequence[int]) -> dict[str, tuple[set[int], set[int]]]:
            connection = idle.get()
            try:
                return self._compare(connection, some)
            finally:
                idle.put(connection)

        entering: dict[str, list[int]] = defaultdict(list)
        leaving: dict[str, list[int]] = defaultdict(list)
        with ThreadPoolExecutor(len(self._connections)) as pool:
            for compared in pool.map(compare, batches(people, size)):
                for slug, (enter, leave) in compared.items():
                    entering[slug] += enter
                    leaving[slug] += leave
        moves = {slug: Moves(entering[slug], leaving[slug]) for slug in entering if entering[slug] or leaving[slug]}
        return Answers(moves, [fault for some in self._faults.values() for fault in some])

    def _compare(self, connection: Connection, ids: Sequence[int]) -> dict[str, tuple[set[int], set[int]]]:
        """By rule, who shall enter and who shall leave."""
        members = self._members(connection, ids)
        return {
            slug: (found - members[slug], (members[slug] & asked) - found)
            for slug, (asked, found) in self._holds(connection, self._slugs, ids).items()
        }

    def _holds(
        self, connection: Connection, slugs: tuple[str, ...], ids: Sequence[int]
    ) -> dict[str, tuple[set[int], set[int]]]:
        """By rule, who could be asked about, and for whom of them it holds."""
        slugs = tuple(slug for slug in slugs if len(self._faults.get(slug, ())) < _MOST_FAULTS)
        if not slugs or not ids:
            return {}
        try:
            with connection.begin_nested():
                rows = connection.execute(self._query(slugs), {_GIVEN: self._given(ids)}).all()
        except DBAPIError as error:
            return self._apart(connection, slugs, ids, error)
        return {slug: (set(ids), {row[0] for row in rows if row[place]}) for place, slug in enumerate(slugs, start=1)}

    def _apart(
        self, connection: Connection, slugs: tuple[str, ...], ids: Sequence[int], error: DBAPIError
    ) -> dict[str, tuple[set[int], set[int]]]:
        """First find the rule, then the person; both by halves."""
        if len(slugs) > 1:
            half = len(slugs) // 2
            return self._holds(connection, slugs[:half], ids) | self._holds(connection, slugs[half:], ids)
        [slug] = slugs
        if len(ids) > 1:
            half = len(ids) // 2
            found: tuple[set[int], set[int]] = (set(), set())
            for some in (ids[:half], ids[half:]):
                for asked, holds in self._holds(connection, slugs, some).values():
                    found = found[0] | asked, found[1] | holds
            return {slug: found}
        faults = self._faults.setdefault(slug, [])
        faults.append(Fault(slug, ids[0], _cause_of(error)))
        if len(faults) == _MOST_FAULTS:
            faults.append(Fault(slug, EVERYBODY, _cause_of(error)))
        return {}

    def _compilable(self, slugs: tuple[str, ...]) -> tuple[str, ...]:
        """Those that become SQL; the others are faults."""
        try:
            self._query(slugs)
        except Exception as error:  # one rule must not stop the others; which one it is shows alone
            if len(slugs) == 1:
                log.exception("segment %s cannot be compiled", slugs[0])
                self._faults[slugs[0]] = [Fault(slugs[0], EVERYBODY, f"{type(error).__name__}: {error}")]
                return ()
            return tuple(slug for slug in slugs if self._compilable((slug,)))
        return slugs

    def _query(self, slugs: tuple[str, ...]) -> Select[Any]:
        if slugs not in self._queries:
            self._queries[slugs] = self._compile(slugs)
        return self._queries[slugs]

    def _compile(self, slugs: tuple[str, ...]) -> Select[Any]:
        rules = {slug: self._rules[slug] for slug in slugs}
        return compile_rules(
            rules,
            now=self._now,
            workspace=self._workspace,
            segments=self._segments,
            batch=self._batch(),
            vault=self._vault,
        )

    def _batch(self) -> Any:
        """The people as one parameter: the statement is the same for however many."""
        if self._is_sqlite:
            each = func.json_each(bindparam(_GIVEN, type_=Text())).table_valued("value")
            return select(each.c.value)
        return select(func.unnest(bindparam(_GIVEN, type_=ARRAY(BigInteger()))))

    def _given(self, ids: Sequence[int]) -> Any:
        return f"[{','.join(map(str, ids))}]" if self._is_sqlite else list(ids)

    def _members(self, connection: Connection, ids: Sequence[int]) -> dict[str, set[int]]:
        member = membership.c
        query = select(member.segment, member.profile_id).where(
            member.segment.in_(self._slugs), among(connection, member.profile_id, ids)
        )
        members: dict[str, set[int]] = defaultdict(set)
        for slug, number in connection.execute(query).all():
            members[slug].add(number)
        return members


def _cause_of(error: DBAPIError) -> str:
    """The driver's words without the values of the row."""
    return str(error.orig).strip().splitlines()[0] if error.orig else type(error).__name__
