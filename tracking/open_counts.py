"""Opens without a name: how often the picture of a launch or a step was fetched, by day, and no more than that.

The address of such a picture names its launch and variant, or its journey and step; neither a message nor a person, and
what fetched it is not kept. Everybody in one launch has the same picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, select, update

from core.database import insert_ignore
from core.ids import content_hash
from delivery.tables import OriginKind
from tracking.classify import Act, Evidence, judge
from tracking.tables import open_count, open_origin

_ID_BITS = 63  # a signed BIGINT


@dataclass(frozen=True, slots=True)
class OpenOrigin:
    """Where mails with one picture come from; `launch_id` and `variant` of a campaign, `step` of a journey."""

    origin_kind: str
    origin: str
    launch_id: str | None = None
    step: str | None = None
    variant: str | None = None

    @property
    def id(self) -> int:
        """The number that the picture's token carries: the same for the same origin."""
        parts = (self.origin_kind, self.origin, self.launch_id, self.step, self.variant)
        digest = content_hash("\x1f".join("" if part is None else f"={part}" for part in parts))
        return int(digest[:16], 16) >> (64 - _ID_BITS)


@dataclass(frozen=True, slots=True)
class CountedOpen:
    """One fetch of such a picture; the act's agent tells machines apart and is forgotten."""

    origin_id: int
    act: Act


@dataclass(frozen=True, slots=True)
class OpenCounts:
    by_people: int = 0
    by_machines: int = 0


def origin_of(row: Any) -> OpenOrigin:
    """The origin of a message's row. A journey's `origin_id` is one person's enrolment and stays out of it."""
    is_campaign = row.origin_kind == OriginKind.CAMPAIGN
    return OpenOrigin(row.origin_kind, row.origin, row.origin_id if is_campaign else None, row.step, row.variant)


def ensure_origins(connection: Connection, origins: Collection[OpenOrigin]) -> None:
    """Have a row for each origin, so that its picture can be counted."""
    rows = [
        {
            "id": one.id,
            "origin_kind": one.origin_kind,
            "origin": one.origin,
            "launch_id": one.launch_id,
            "step": one.step,
            "variant": one.variant,
        }
        for one in sorted(set(origins), key=lambda one: one.id)
    ]
    insert_ignore(connection, open_origin, rows)


def record_open_counts(connection: Connection, opens: Sequence[CountedOpen]) -> int:
    """Add fetches to their day (UTC); answers how many were of a picture that we made."""
    wanted = sorted({one.origin_id for one in opens})
    if not wanted:
        return 0
    known = set(connection.execute(select(open_origin.c.id).where(open_origin.c.id.in_(wanted))).scalars())
    found: Counter[tuple[int, str, bool]] = Counter(
        (one.origin_id, f"{one.act.occurred_at:%Y-%m-%d}", judge(Evidence(one.act)).is_human)
        for one in opens
        if one.origin_id in known
    )
    days = sorted({(number, day) for number, day, _ in found})
    if not days:
        return 0
    insert_ignore(connection, open_count, [{"origin_id": n, "day": day, "people": 0, "machines": 0} for n, day in days])
    count = open_count.c
    statement = (
        update(open_count)
        .where(count.origin_id == bindparam("b_origin"), count.day == bindparam("b_day"))
        .values(people=count.people + bindparam("b_people"), machines=count.machines + bindparam("b_machines"))
    )
    connection.execute(
        statement,
        [
            {"b_origin": n, "b_day": day, "b_people": found[n, day, True], "b_machines": found[n, day, False]}
            for n, day in days
        ],
    )
    return found.total()


def count_opens(
    connection: Connection, where: ColumnElement[bool], by: ColumnElement[Any]
) -> Mapping[str | None, OpenCounts]:
    """Fetches of the pictures whose origin fits `where`, for each value of the column `by` of `open_origin`."""
    query = (
        select(by, func.sum(open_count.c.people), func.sum(open_count.c.machines))
        .join(open_origin, open_origin.c.id == open_count.c.origin_id)
        .where(where)
        .group_by(by)
    )
    return {key: OpenCounts(int(people), int(machines)) for key, people, machines in connection.execute(query)}


# Where `open_origin` holds what the ledger's column of that name holds.
ORIGIN_COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "origin_kind": open_origin.c.origin_kind,
    "origin": open_origin.c.origin,
    "origin_id": open_origin.c.launch_id,
    "step": open_origin.c.step,
    "variant": open_origin.c.variant,
}
