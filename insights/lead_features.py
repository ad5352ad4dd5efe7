"""What people who never bought did before a day, as numbers with a date: the features of the lead score.

Only what had happened by that day counts, so that what is learned at a past day can be asked today. Opens and clicks
count when a person did them. Nobody is read who objected or whose data is restricted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, Connection, case, func, select, type_coerce

from core.clock import to_micros
from customers.tables import OrderKind, ProfileStatus, customer_event, customer_order, profile

Floats = NDArray[np.float64]
Int64s = NDArray[np.int64]
Flags = NDArray[np.bool_]

WINDOW = timedelta(days=60)
_WEEK = timedelta(days=7)
_RANGE = 20_000
_DAY = 86_400_000_000
_VISITS = ("page_viewed", "product_viewed", "screen_viewed")
_CART = ("product_added", "cart_updated", "cart_viewed")
_CHECKOUT = ("checkout_started",)
_OPENS, _CLICKS = ("message_opened",), ("link_clicked",)
_NAMES = (*_VISITS, *_CART, *_CHECKOUT, *_OPENS, *_CLICKS)
_ACTS = (*_OPENS, *_CLICKS)

FEATURES = (
    "days with a visit",
    "days with a visit in the last week",
    "products looked at",
    "cart changes",
    "checkouts begun",
    "mails opened",
    "links clicked",
    "days since the last sign of life",
    "days since we know them",
    "has an e-mail address",
)


@dataclass(frozen=True, slots=True)
class Leads:
    """One row a person who had not bought by a day: ids, `values` (rows by `FEATURES`, as logarithms of 1 + count),
    and whether they bought within the horizon after it.
    """

    ids: Int64s
    values: Floats
    bought: Flags


@dataclass(frozen=True, slots=True)
class _Acts:
    """Everything that some people did, by person and time; names are places in `_NAMES`."""

    owner: Int64s
    name: Int64s
    at: Int64s

    def counted(self, chosen: Flags, size: int) -> Floats:
        return np.bincount(self.owner[chosen], minlength=size).astype(np.float64)

    def days(self, chosen: Flags, size: int) -> Floats:
        pairs = np.unique(np.stack([self.owner[chosen], self.at[chosen] // _DAY]), axis=1)
        return np.bincount(pairs[0], minlength=size).astype(np.float64)


def gather_leads(
    connection: Connection, cuts: list[datetime], horizon: timedelta, now: datetime, *, only: int | None = None
) -> dict[datetime, Leads]:
    """For each of the days `cuts` the people who were known by then and had not bought, or the profile `only`."""
    parts: dict[datetime, list[Leads]] = {cut: [] for cut in cuts}
    for people in _iter_people(connection, min(cuts), now, only):
        acts = _read_acts(connection, people, min(cuts) - WINDOW, max(cuts))
        for cut in cuts:
            parts[cut].append(_leads(people, acts, cut, horizon))
    return {cut: _joined(some) for cut, some in parts.items()}


@dataclass(frozen=True, slots=True)
class _People:
    """Profiles without a purchase before the first cut. `created` is when we first knew of them; `first_order` is the
    largest number where there is none.
    """

    ids: Int64s
    created: Int64s
    first_order: Int64s
    has_email: Floats


def _iter_people(connection: Connection, first_cut: datetime, now: datetime, only: int | None) -> Iterator[_People]:
    last = connection.scalar(select(func.max(profile.c.id))) or 0
    person, order = profile.c, customer_order.c
    ranges = [(only, only + 1)] if only is not None else [(one, one + _RANGE) for one in range(1, last + 1, _RANGE)]
    for first, end in ranges:
        bought = (
            select(order.profile_id, func.min(type_coerce(order.placed_at, BigInteger)).label("first"))
            .where(
                order.profile_id >= first,
                order.profile_id < end,
                order.kind == OrderKind.ORDER,
                order.total > 0,
                order.placed_at < now,
            )
            .group_by(order.profile_id)
            .subquery()
        )
        # An import makes profiles today of people who have been around for years.
        event = customer_event.c
        seen = select(func.min(event.occurred_at)).where(event.profile_id == person.id).scalar_subquery()
        query = (
            select(
                person.id,
                type_coerce(person.created_at, BigInteger),
                bought.c.first,
                person.has_email,
                type_coerce(seen, BigInteger),
            )
            .outerjoin(bought, bought.c.profile_id == person.id)
            .where(
                person.id >= first,
                person.id < end,
                person.status == ProfileStatus.ACTIVE,
                person.objected_at.is_(None),
            )
            .order_by(person.id)
        )
        never, cut = np.iinfo(np.int64).max, to_micros(first_cut)
        rows = [row for row in connection.execute(query).all() if row[2] is None or row[2] >= cut]
        if rows:
            yield _People(
                np.array([row[0] for row in rows], dtype=np.int64),
                np.array([min(row[1], row[1] if row[4] is None else row[4]) for row in rows], dtype=np.int64),
                np.array([never if row[2] is None else row[2] for row in rows], dtype=np.int64),
                np.array([bool(row[3]) for row in rows], dtype=np.float64),
            )


def _read_acts(connection: Connection, people: _People, start: datetime, end: datetime) -> _Acts:
    event = customer_event.c
    # Whether a person acted stands only in the events of mails; the others' properties need not be read.
    properties = case((event.name.in_(_ACTS), event.properties))
    query = select(event.profile_id, event.name, type_coerce(event.occurred_at, BigInteger), properties).where(
        event.profile_id >= int(people.ids[0]),
        event.profile_id <= int(people.ids[-1]),
        event.name.in_(_NAMES),
        event.occurred_at >= start,
        event.occurred_at < end,
    )
    codes = {name: code for code, name in enumerate(_NAMES)}
    owners, names, times = [], [], []
    for owner, name, at, said in connection.execute(query):
        if said is None or _by_a_person(said):
            owners.append(owner)
            names.append(codes[name])
            times.append(at)
    owner = np.array(owners, dtype=np.int64)
    place = np.searchsorted(people.ids, owner)
    known = people.ids[np.minimum(place, len(people.ids) - 1)] == owner
    return _Acts(place[known], np.array(names, dtype=np.int64)[known], np.array(times, dtype=np.int64)[known])


def _by_a_person(properties: Any) -> bool:
    return not isinstance(properties, dict) or properties.get("is_human") is not False


def _leads(people: _People, acts: _Acts, at: datetime, horizon: timedelta) -> Leads:
    cut, size = to_micros(at), len(people.ids)
    seen = (acts.at < cut) & (acts.at >= cut - to_span(WINDOW))
    lately = seen & (acts.at >= cut - to_span(_WEEK))

    def of(names: tuple[str, ...]) -> Flags:
        return np.asarray(np.isin(acts.name, [_NAMES.index(name) for name in names]), dtype=np.bool_)

    last = np.maximum(people.created, cut - to_span(WINDOW))
    np.maximum.at(last, acts.owner[seen], acts.at[seen])
    columns = [
        acts.days(seen & of(_VISITS), size),
        acts.days(lately & of(_VISITS), size),
        acts.counted(seen & of(("product_viewed",)), size),
        acts.counted(seen & of(_CART), size),
        acts.counted(seen & of(_CHECKOUT), size),
        acts.counted(seen & of(_OPENS), size),
        acts.counted(seen & of(_CLICKS), size),
        np.maximum(cut - last, 0) / _DAY,
        np.maximum(cut - people.created, 0) / _DAY,
        people.has_email,
    ]
    values = np.log1p(np.stack(columns, axis=1))
    known = (people.created < cut) & (people.first_order >= cut)
    bought = people.first_order < cut + to_span(horizon)
    return Leads(people.ids[known], values[known], bought[known])


def to_span(length: timedelta) -> int:
    """Microseconds."""
    return length // timedelta(microseconds=1)


def _joined(parts: list[Leads]) -> Leads:
    if not parts:
        return Leads(np.zeros(0, dtype=np.int64), np.zeros((0, len(FEATURES))), np.zeros(0, dtype=np.bool_))
    return Leads(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("ids", "values", "bought")))
