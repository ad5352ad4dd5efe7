"""Scores kept: one number a person under a name, with the instant for which it was reckoned.

Whoever reckons them hands over everybody at once; segments read them by the condition `score`. No formula stands here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, delete, select, update

from core.bulk import among, insert_rows
from core.clock import to_micros
from core.database import insert_ignore
from core.errors import InputError, NotFoundError
from customers.touches import touch
from insights.tables import score, score_run

_BATCH = 10_000
_REPLACE = "(name, profile_id) DO UPDATE SET value = excluded.value, computed_at = excluded.computed_at"


@dataclass(frozen=True, slots=True)
class Score:
    """`value` has the unit of whoever reckoned it; `computed_at` is in UTC."""

    name: str
    value: float
    computed_at: datetime

    def __str__(self) -> str:
        return f"{self.value:.15g}, as of {self.computed_at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class ScoresRecorded:
    """How many scores were handed over, and how many of them are new or differ from what was known."""

    recorded: int
    changed: int


def record_scores(
    connection: Connection, name: str, values: Iterable[tuple[int, float]], now: datetime
) -> ScoresRecorded:
    """Keep `values` (profile ids, each once, and finite numbers) as the score `name` reckoned at `now`.

    Whose number is new or another is touched, so that segments ask again; a mere new date touches nobody, because
    conditions with a `max_age` are asked again by the clock. Nobody's score is forgotten: see `forget_score`. Raises
    InputError for a value that is not finite. Memory does not grow with the number of people.
    """
    recorded = changed = 0
    _begin_run(connection, name, now)
    for some in _batches(values):
        for profile_id, value in some:
            if not math.isfinite(value):
                raise InputError(f"the score '{name}' of profile {profile_id} is {value}: a score is a finite number.")
        movers = _changed(connection, name, some)
        rows = [(name, profile_id, float(value), to_micros(now)) for profile_id, value in some]
        insert_rows(connection, score, ["name", "profile_id", "value", "computed_at"], rows, on_conflict=_REPLACE)
        touch(connection, movers)
        recorded, changed = recorded + len(some), changed + len(movers)
    return ScoresRecorded(recorded, changed)


def forget_score(connection: Connection, name: str) -> int:
    """Forget the score `name` of everybody, who are touched; answers how many had one."""
    had = sorted(connection.scalars(delete(score).where(score.c.name == name).returning(score.c.profile_id)))
    connection.execute(delete(score_run).where(score_run.c.name == name))
    touch(connection, had)
    return len(had)


def forget_others(connection: Connection, name: str, now: datetime) -> int:
    """Forget the score `name` of whoever got none in the recording of `now`; they are touched. Answers how many."""
    old = delete(score).where(score.c.name == name, score.c.computed_at < now)
    had = sorted(connection.scalars(old.returning(score.c.profile_id)))
    touch(connection, had)
    return len(had)


def find_score(connection: Connection, name: str, profile_id: int) -> Score | None:
    """The score of one person, however old."""
    query = select(score.c.name, score.c.value, score.c.computed_at)
    row = connection.execute(query.where(score.c.name == name, score.c.profile_id == profile_id)).one_or_none()
    return None if row is None else Score(*row)


def get_score(connection: Connection, name: str, profile_id: int) -> Score:
    """As `find_score`; raises NotFoundError where there is none."""
    found = find_score(connection, name, profile_id)
    if found is None:
        raise NotFoundError(f"profile {profile_id} has no score '{name}'.")
    return found


def list_score_names(connection: Connection) -> list[str]:
    """Every name under which scores were recorded, in order."""
    return list(connection.scalars(select(score_run.c.name).order_by(score_run.c.name)))


def _begin_run(connection: Connection, name: str, now: datetime) -> None:
    """Note a new revision; a second recording under the same name waits for the end of this one."""
    insert_ignore(connection, score_run, [{"name": name, "revision": 0, "computed_at": now}])
    run = update(score_run).where(score_run.c.name == name)
    connection.execute(run.values(revision=score_run.c.revision + 1, computed_at=now))


def _changed(connection: Connection, name: str, some: Sequence[tuple[int, float]]) -> list[int]:
    """Those of whom no score is known, or another."""
    ids = [profile_id for profile_id, _value in some]
    query = select(score.c.profile_id, score.c.value).where(
        score.c.name == name, among(connection, score.c.profile_id, ids)
    )
    known = dict(connection.execute(query).tuples().all())
    return [profile_id for profile_id, value in some if known.get(profile_id) != value]


def _batches(values: Iterable[tuple[int, float]]) -> Iterator[list[tuple[int, float]]]:
    waiting = iter(values)
    while some := list(islice(waiting, _BATCH)):
        yield some
