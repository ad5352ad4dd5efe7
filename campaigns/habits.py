"""At which hours people read, for many of them in one query.

Everybody's hours are counted as of the last midnight (UTC), so that every process has the same answer all day long; a
process counts them once. Machine opens are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from math import fsum
from threading import Lock
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, TextClause, select, text

from core.clock import from_micros, to_micros
from core.database import batches
from core.zones import find_zone
from customers.tables import customer_event
from delivery.best_time import ENOUGH, Habits, weigh_hours

_ACTS = ("link_clicked", "message_opened")
_BATCH = 500
_EVERYBODY_SINCE = timedelta(days=120)  # older acts weigh less than a sixteenth
_QUARTER = 15 * 60 * 1_000_000  # zones differ by quarters of an hour

_kept: WeakKeyDictionary[Engine, tuple[tuple[datetime, str], tuple[float, ...]]] = WeakKeyDictionary()
_lock = Lock()


def find_habits(
    connection: Connection, profile_ids: Collection[int], default_zone: ZoneInfo, now: datetime
) -> dict[int, Habits]:
    """The habits of each profile at `now`; everybody's only for those who have too few of their own."""
    own: dict[int, list[datetime]] = defaultdict(list)
    event = customer_event.c
    for some in batches(sorted(set(profile_ids)), _BATCH):
        query = select(event.profile_id, event.occurred_at, event.properties).where(
            event.profile_id.in_(some), event.name.in_(_ACTS), event.occurred_at <= now
        )
        for profile_id, at, properties in connection.execute(query):
            if properties.get("is_human") is True:
                own[profile_id].append(at)
    few = [profile_id for profile_id in profile_ids if len(own[profile_id]) < ENOUGH]
    everybody = _everybody(connection, default_zone, now) if few else ()
    return {
        profile_id: Habits(tuple(sorted(own[profile_id])), everybody if len(own[profile_id]) < ENOUGH else ())
        for profile_id in profile_ids
    }


def _everybody(connection: Connection, default_zone: ZoneInfo, now: datetime) -> tuple[float, ...]:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    place = (midnight, default_zone.key)
    with _lock:
        kept = _kept.get(connection.engine)
    if kept is not None and kept[0] == place:
        return kept[1]
    hours = _count_everybody(connection, default_zone, midnight)
    with _lock:
        _kept[connection.engine] = (place, hours)
    return hours


def _count_everybody(connection: Connection, default_zone: ZoneInfo, until: datetime) -> tuple[float, ...]:
    """The weight of each hour, every person's by their own clock."""
    bounds = {"since": to_micros(until - _EVERYBODY_SINCE), "until": to_micros(until)}
    by_zone: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for zone, quarter, count in connection.execute(_question(connection), bounds):
        by_zone[zone or ""].append((from_micros(quarter * _QUARTER), count))
    weights: list[list[float]] = [[] for _ in range(24)]
    for name, counted in sorted(by_zone.items()):
        for hour, some in enumerate(weigh_hours(counted, find_zone(name) or default_zone, until)):
            weights[hour] += some
    return tuple(map(fsum, weights)) if by_zone else ()


def _question(connection: Connection) -> TextClause:
    """Acts of people by zone and quarter of an hour, through the index by name and instant."""
    is_human = (
        "json_extract(e.properties, '$.is_human') = 1"
        if connection.dialect.name == "sqlite"
        else "e.properties -> 'is_human' = 'true'::jsonb"
    )
    return text(
        f"SELECT p.timezone, e.occurred_at / {_QUARTER} AS quarter, count(*) FROM customer_event e "
        "JOIN profile p ON p.id = e.profile_id "
        "WHERE e.name IN ('link_clicked', 'message_opened') "
        f"AND e.occurred_at >= :since AND e.occurred_at < :until AND {is_human} "
        f"GROUP BY p.timezone, e.occurred_at / {_QUARTER}"
    )
