"""An hour of everything that can move people between segments, and what the audit says of it.

Five thousand people with a history, sealed as an import would have sealed them; a tick every ten seconds. Events come
in time, late, from the future, and at the very edge of a window; there are orders, returns, attributes, consents,
lists, merges, splits and erasures; and the clock jumps ahead twice and back once.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Connection, select

import migrations
from benchmarks.crowd import NOW, build_crowd
from benchmarks.segment_people import CATEGORIES, LISTS, PRODUCTS, SEED
from benchmarks.segment_world import make_workspace, open_world
from console.rights.erasure import erase_profile
from core.runtime import Runtime
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.lists import add_to_list, remove_from_list
from customers.log import NewEvent, append_events
from customers.merges import MergeCause, merge, split
from customers.orders import NewLine, NewOrder, record_orders
from customers.profiles import set_attributes_of_all
from customers.tables import IdentityKind, OrderKind, ProfileStatus, identity, profile
from customers.workspace import Workspace, get_workspace
from segments.compiling.compiler import compile_rule
from segments.definition import load_segments, rules_of
from segments.membership import members

_PEOPLE = 5_000
_HISTORY = 8  # events a person
_TICK = timedelta(seconds=10)
_TICKS = 360
_JUMPS = {90: timedelta(hours=6), 180: timedelta(hours=-3), 270: timedelta(days=2)}
_WINDOWS = (1, 2, 7, 14, 30, 60, 90, 365)  # days, as the segments have them
_NAMES = ("product_viewed", "product_added", "wish_added", "message_opened", "link_clicked")


def measure_audit() -> dict[str, Any]:
    """What the audit finds after the hour, and beside it a comparison of its own with every rule asked anew."""
    from segments.audit import audit_segments
    from segments.following import follow
    from segments.refresh import refresh_all

    with tempfile.TemporaryDirectory(prefix="postilion-bench-") as name:
        folder = Path(name)
        migrations.upgrade(f"sqlite:///{folder / 'postilion.db'}")
        make_workspace(folder)
        with open_world(folder) as runtime:
            build_crowd(runtime, _PEOPLE, entries=100, canaries=("Zelda", "zelda@people.example"))
            traffic = Traffic(runtime)
            traffic.remember(NOW)
            refresh_all(runtime, now=NOW)
            now, entered, left = NOW, 0, 0
            for number in range(1, _TICKS + 1):
                now += _JUMPS.get(number, _TICK)
                traffic.happen(number, now)
                result = follow(runtime, now)
                entered, left = entered + result.entered, left + result.left
            while follow(runtime, now).behind:
                pass
            differences = audit_segments(runtime, now)
            return {
                "audit_differences": len(differences) + _differences(runtime, now),
                "audit_moves": entered + left,
            }


def _differences(runtime: Runtime, now: datetime) -> int:
    """How many memberships are not what each rule says, asked one by one."""
    with runtime.database.read() as connection:
        workspace, segments = get_workspace(connection), load_segments(connection)
        rules = rules_of(segments)
        return sum(
            len(
                set(members(connection, slug))
                ^ set(connection.scalars(compile_rule(rule, now=now, workspace=workspace, segments=rules)))
            )
            for slug, rule in rules.items()
        )


class Traffic:
    """Draws what happens next, the same for a seed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._random = Random(SEED)
        self._key = 0
        self._merges: list[int] = []
        with runtime.database.read() as connection:
            self._workspace: Workspace = get_workspace(connection)
            query = select(identity.c.profile_id, identity.c.lookup).where(identity.c.kind == IdentityKind.EMAIL.value)
            self._lookups = dict(connection.execute(query).tuples().all())

    def remember(self, now: datetime) -> None:
        """What people did in the year before `now`."""
        for start in range(1, _PEOPLE + 1, 500):
            people = range(start, min(start + 500, _PEOPLE + 1))
            events = [
                self._event(number, now - timedelta(days=self._random.expovariate(1 / 60)))
                for number in people
                for _ in range(self._random.randint(0, 2 * _HISTORY))
            ]
            orders = [
                self._order(number, now - timedelta(days=self._random.expovariate(1 / 120)))
                for number in people
                for _ in range(self._random.choice((0, 0, 1, 1, 2, 5)))
            ]
            with self._runtime.database.transaction() as connection:
                self._write(connection, events, orders, now)

    def happen(self, number: int, now: datetime) -> None:
        """All that comes in before tick `number`."""
        random, runtime = self._random, self._runtime
        with runtime.database.transaction() as connection:
            people = self._active(connection)
            some = random.sample(people, 40)
            events = [self._event(one, self._moment(now)) for one in some[:20]]
            orders = [self._order(one, self._moment(now)) for one in some[20:25]]
            self._write(connection, events, orders, now)
            self._change(connection, some[25:], now)
            if number % 12 == 0:
                survivor, merged = some[38:]
                cause, source = MergeCause.MANUAL, "benchmark"
                self._merges.append(
                    merge(
                        connection,
                        runtime.vault,
                        self._workspace,
                        survivor,
                        merged,
                        cause=cause,
                        source=source,
                        now=now,
                    )
                )
            if number % 36 == 0 and self._merges:
                split(connection, runtime.vault, self._workspace, self._merges.pop(), source="benchmark", now=now)
        if number % 40 == 0:
            erase_profile(runtime, some[24], requested_by="benchmark", now=now)
            self._merges.clear()  # one of them may lie under the erasure

    def _change(self, connection: Connection, some: Sequence[int], now: datetime) -> None:
        random, vault = self._random, self._runtime.vault
        values = {
            one: {"tier": random.choice(("gold", "plain")), "visits": random.randrange(300), "country": country}
            for one, country in zip(some[:6], random.choices(("GB", "DE", "FR", "US"), k=6), strict=True)
        }
        born = now.date() - timedelta(days=365 * 30 - random.randrange(15))
        values[some[6]] = {"birthday": born.isoformat()}
        set_attributes_of_all(connection, vault, self._workspace, values, now)
        record_consents(connection, [self._consent(one, now) for one in some[7:9]], now)
        add_to_list(connection, LISTS[0], some[9:10], now)
        remove_from_list(connection, LISTS[0], some[10:11])

    def _active(self, connection: Connection) -> list[int]:
        query = select(profile.c.id).where(profile.c.status == ProfileStatus.ACTIVE.value).order_by(profile.c.id)
        return list(connection.scalars(query))

    def _moment(self, now: datetime) -> datetime:
        """Mostly now; else late, a little ahead, or where a window begins within the next hour."""
        random = self._random
        chance = random.random()
        if chance < 0.6:
            return now
        if chance < 0.75:
            return now - timedelta(days=random.expovariate(1 / 40))
        if chance < 0.85:
            return now + timedelta(seconds=random.randrange(600))
        return now - timedelta(days=random.choice(_WINDOWS)) + timedelta(seconds=random.randrange(-60, 3_600))

    def _write(
        self, connection: Connection, events: Sequence[NewEvent], orders: Sequence[NewOrder], now: datetime
    ) -> None:
        vault, workspace = self._runtime.vault, self._workspace
        append_events(connection, vault, workspace, events, now)
        record_orders(connection, vault, workspace, orders, source="bench", received_at=now)

    def _event(self, profile_id: int, at: datetime) -> NewEvent:
        random = self._random
        name = random.choice(_NAMES)
        product = random.randrange(PRODUCTS)
        properties: dict[str, Any] = {"sku": f"S{product:04d}", "category": CATEGORIES[product % 3]}
        if name in ("message_opened", "link_clicked"):
            properties = {"channel": "email", "topic": "marketing", "is_human": random.random() < 0.7}
        return NewEvent(name, at, "bench", self._next("event"), profile_id, properties)

    def _order(self, profile_id: int, at: datetime) -> NewOrder:
        random = self._random
        kind = random.choice((OrderKind.ORDER,) * 5 + (OrderKind.RETURN,))
        sign = 1 if kind is OrderKind.ORDER else -1
        lines = [
            NewLine(place, f"S{random.choice((3, 27, 40, 41)):04d}", sign, sign * random.randrange(500, 20_000))
            for place in range(1, random.randint(2, 4))
        ]
        return NewOrder(self._next("order"), kind, profile_id, at, "GBP", lines)

    def _consent(self, profile_id: int, now: datetime) -> NewConsent:
        status = self._random.choice((ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN))
        basis = Basis.OPT_IN if status is ConsentStatus.GRANTED else None
        return NewConsent(
            self._lookups[profile_id], "email", "marketing", status, basis, "bench", now, profile_id, self._next("no")
        )

    def _next(self, what: str) -> str:
        self._key += 1
        return f"bench:{what}:{self._key}"
