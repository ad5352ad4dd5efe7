"""Orders of those who were treated and of those who were held out, within the window after each one's beginning."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Double,
    Select,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    type_coerce,
)

from campaigns.definition import Campaign
from campaigns.reporting.experiment import Experiment, Side, compare
from campaigns.tables import audience_member, launch
from core.clock import to_micros
from customers.tables import OrderKind, ProfileStatus, customer_order, profile
from customers.workspace import Workspace
from delivery.facts import is_globally_held_out

HELD_OUT, TREATED = "held out", "treated"
_BATCH = 20_000
_MICROSECOND = timedelta(microseconds=1)


def measure(connection: Connection, subjects: Select[Any], currency: str) -> dict[str, Side]:
    """One side for each `side` of `subjects`.

    `subjects` selects profile_id, side, starts_at and ends_at (microseconds); an order counts when it was placed in
    [starts_at, ends_at), in `currency`, and is no return.
    """
    subject = subjects.subquery("subject")
    placed_at = type_coerce(customer_order.c.placed_at, BigInteger)
    each = (
        select(
            subject.c.side,
            func.count(customer_order.c.id).label("orders"),
            func.coalesce(func.sum(customer_order.c.total), 0).label("revenue"),
        )
        .select_from(subject)
        .outerjoin(
            customer_order,
            and_(
                customer_order.c.profile_id == subject.c.profile_id,
                customer_order.c.kind == OrderKind.ORDER,
                customer_order.c.currency == currency,
                placed_at >= subject.c.starts_at,
                placed_at < subject.c.ends_at,
            ),
        )
        .group_by(subject.c.side, subject.c.profile_id, subject.c.starts_at)
        .subquery("each")
    )
    orders, revenue = cast(each.c.orders, Double), cast(each.c.revenue, Double)
    query = select(
        each.c.side,
        func.count(),
        func.sum(case((each.c.orders > 0, 1), else_=0)),
        func.sum(each.c.orders),
        func.sum(orders * orders),
        func.sum(each.c.revenue),
        func.sum(revenue * revenue),
    ).group_by(each.c.side)
    return {
        row[0]: Side(row[0], row[1], int(row[2]), int(row[3]), float(row[4]), int(row[5]), float(row[6]))
        for row in connection.execute(query)
    }


def experiment_of_campaign(
    connection: Connection, campaign: Campaign, launches: list[Any], holdouts: dict[int, Decimal], currency: str
) -> Experiment | None:
    """The experiment over the launches of one campaign, each person counted once a launch.

    The window of a launch ends where the next one begins, so that no order counts twice. `holdouts` has the percentage
    of each version; None when nobody was held out.
    """
    sides: dict[str, Side] = {}
    expected = 0.0
    ordered = sorted(launches, key=lambda row: row.launched_at)
    for place, row in enumerate(ordered):
        following = [one.launched_at for one in ordered[place + 1 : place + 2]]
        ends_at = min([row.launched_at + campaign.window, *following])
        found = measure(connection, _members(row.id, row.launched_at, ends_at), currency)
        for name, side in found.items():
            sides[name] = sides[name] + side if name in sides else side
        people = sum(side.profile_count for side in found.values())
        expected += people * float(holdouts.get(row.version, Decimal(0))) / 100
    held_out = sides.pop(HELD_OUT, None)
    if held_out is None:
        return None
    treated = [sides[name] for name in sorted(sides)]
    return compare(campaign.window, treated, held_out, expected_held_out=expected)


def experiment_of_passages(
    connection: Connection, passages: Select[Any], window: timedelta, currency: str
) -> Experiment | None:
    """The experiment of a journey; `passages` selects profile_id, entered_at and is_holdout."""
    one = passages.subquery("passage")
    entered_at = type_coerce(one.c.entered_at, BigInteger)
    subjects = select(
        one.c.profile_id,
        case((one.c.is_holdout, HELD_OUT), else_=TREATED).label("side"),
        entered_at.label("starts_at"),
        (entered_at + window // _MICROSECOND).label("ends_at"),
    )
    sides = measure(connection, subjects, currency)
    held_out = sides.get(HELD_OUT)
    return None if held_out is None else compare(window, [sides[TREATED]] if TREATED in sides else [], held_out)


def experiment_of_workspace(
    connection: Connection, workspace: Workspace, since: datetime, until: datetime
) -> Experiment | None:
    """Everybody who may get marketing beside the workspace's own holdout, over orders placed in [since, until)."""
    if not workspace.global_holdout:
        return None
    totals: dict[bool, list[Any]] = defaultdict(lambda: [0, 0, 0, 0.0, 0, 0.0])
    for batch in _profiles(connection, since):
        bought = _orders_of(connection, batch, workspace.currency, since, until)
        for number in batch:
            orders, revenue = bought.get(number, (0, 0))
            added = (1, int(orders > 0), orders, float(orders) ** 2, revenue, float(revenue) ** 2)
            side = totals[is_globally_held_out(workspace, number)]
            totals[is_globally_held_out(workspace, number)] = [a + b for a, b in zip(side, added, strict=True)]
    held_out, treated = Side(HELD_OUT, *totals[True]), Side(TREATED, *totals[False])
    expected = (held_out.profile_count + treated.profile_count) * float(workspace.global_holdout) / 100
    return compare(until - since, [treated], held_out, expected_held_out=expected)


def _members(launch_id: str, starts_at: datetime, ends_at: datetime) -> Select[Any]:
    member = audience_member.c
    side = case((member.is_holdout, HELD_OUT), else_=func.coalesce(member.variant, TREATED))
    return select(
        member.profile_id,
        side.label("side"),
        literal(to_micros(starts_at), BigInteger).label("starts_at"),
        literal(to_micros(ends_at), BigInteger).label("ends_at"),
    ).where(member.launch_id == launch_id, member.is_holdout | member.message_id.is_not(None))


def _profiles(connection: Connection, since: datetime) -> Iterator[list[int]]:
    """The active profiles that were there at `since`, in batches."""
    after = 0
    while True:
        query = select(profile.c.id).where(
            profile.c.id > after, profile.c.status == ProfileStatus.ACTIVE, profile.c.created_at <= since
        )
        batch = list(connection.execute(query.order_by(profile.c.id).limit(_BATCH)).scalars())
        if batch:
            yield batch
        if len(batch) < _BATCH:
            return
        after = batch[-1]


def _orders_of(
    connection: Connection, batch: list[int], currency: str, since: datetime, until: datetime
) -> dict[int, tuple[int, int]]:
    query = (
        select(customer_order.c.profile_id, func.count(), func.sum(customer_order.c.total))
        .where(
            customer_order.c.profile_id >= batch[0],
            customer_order.c.profile_id <= batch[-1],
            customer_order.c.kind == OrderKind.ORDER,
            customer_order.c.currency == currency,
            customer_order.c.placed_at >= since,
            customer_order.c.placed_at < until,
        )
        .group_by(customer_order.c.profile_id)
    )
    return {row[0]: (row[1], int(row[2])) for row in connection.execute(query)}


def launches_of(connection: Connection, campaign: str) -> list[Any]:
    """The launches of a campaign, oldest first."""
    query = select(launch).where(launch.c.campaign == campaign).order_by(launch.c.launched_at, launch.c.id)
    return list(connection.execute(query))
