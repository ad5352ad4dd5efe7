"""An alarm before a pool runs dry, and another once it has: offers with a code of it reach nobody then."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from core.definitions import list_definitions
from delivery.alarms import clear_alarm, raise_alarm
from delivery.tables import alarm
from recommender.codes.pools import Pool, list_pools
from recommender.offer_definition import KIND

LEAST_SHARE = 0.1
LEAST_DAYS = 3.0

_LOW, _DRY = "codes_low:", "codes_dry:"


def is_low(pool: Pool) -> bool:
    """Whether less than a tenth is left, or less than three days of the last week's draws."""
    if pool.free_count < LEAST_SHARE * pool.code_count:
        return True
    return pool.days_left is not None and pool.days_left < LEAST_DAYS


def pools_in_use(connection: Connection) -> set[str]:
    """The pools of the published offers that are live."""
    documents = [one.document for one in list_definitions(connection, KIND)]
    live = [one for one in documents if one.get("status", "live") == "live"]
    return {pool for one in live if (pool := str((one.get("code") or {}).get("pool") or "").strip())}


def watch_pools(connection: Connection, now: datetime) -> int:
    """Raise and clear the alarms of the pools that offers draw from; answers how many are new."""
    used = pools_in_use(connection)
    standing = set(connection.execute(select(alarm.c.name)).scalars())
    pools = {pool.name: pool for pool in list_pools(connection, now)} if used else {}
    wanted: dict[str, str] = {}
    for name in sorted(used):
        pool = pools.get(name, Pool(name, 0, 0, 0, 0, 0))
        way_out = f"import more with `postilion recommend codes import {name} FILE`."
        if not pool.free_count:
            wanted[_DRY + name] = f"the pool {name} has no code left, and its offers reach nobody: {way_out}"
        elif is_low(pool):
            wanted[_LOW + name] = f"the pool {name} has {pool.free_count:,} codes left{_lasting(pool)}: {way_out}"
    for name in sorted(standing - wanted.keys()):
        if name.startswith((_LOW, _DRY)):
            clear_alarm(connection, name)
    return sum(raise_alarm(connection, name, cause, now) for name, cause in wanted.items())


def _lasting(pool: Pool) -> str:
    if pool.days_left is None:
        return ""
    if pool.days_left < 1:
        return ", less than goes in a day"
    return f", enough for about {pool.days_left:.0f} days at the pace of the last week"
