"""Whatever customers do, a snapshot that followed is the one that would be built now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, select

from console.rights.forgetting import forget
from core.erasures import Erasure
from core.runtime import Runtime
from customers.attribute_rows import write_attributes
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of, resolve
from customers.lists import add_to_list, remove_from_list
from customers.log import NewEvent, append_events
from customers.merges import list_merges, merge, split
from customers.tables import (
    IdentityKind,
    ProfileStatus,
    consent_entry,
    customer_event,
    customer_order,
    identity,
    order_line,
    profile,
    static_list_member,
)
from customers.workspace import get_workspace
from segments.snapshot.build import build_snapshot
from tests.segments.people import NOW
from tests.segments.test_snapshot import bring, contents, members, members_of_record, rebuilt, runtime

__all__ = ["runtime"]

Step = tuple[str, int, int]
_PEOPLE = st.integers(0, 5)
_WORDS = st.sampled_from(["arrive", "act", "change", "join", "leave", "agree", "refuse", "merge", "split", "forget"])


class Traffic:
    """Does what a step says, to whoever is there."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._number = 0

    def do(self, step: Step) -> None:
        word, one, other = step
        self._number += 1
        with self._runtime.database.transaction() as connection:
            people = list(
                connection.scalars(
                    select(profile.c.id).where(profile.c.status == ProfileStatus.ACTIVE).order_by(profile.c.id)
                )
            )
            if word != "arrive" and not people:
                return
            first, second = (people[n % len(people)] if people else 0 for n in (one, other))
            does: Callable[[Connection, int, int, int], None] = getattr(self, f"_{word}")
            does(connection, first, second, one)

    @property
    def _now(self) -> datetime:
        return NOW + timedelta(seconds=self._number)

    def _arrive(self, connection: Connection, _first: int, _second: int, one: int) -> None:
        email = {IdentityKind.EMAIL: f"person{self._number}-{one}@shop.example"}
        resolve(connection, self._runtime.vault, email, self._now)

    def _act(self, connection: Connection, first: int, _second: int, one: int) -> None:
        properties = {"sku": "tea", "total": one, "secret": "green"}
        event = NewEvent("cart_updated", self._now, "test", f"act:{self._number}", first, properties)
        append_events(connection, self._runtime.vault, get_workspace(connection), [event], self._now)

    def _change(self, connection: Connection, first: int, _second: int, one: int) -> None:
        values = {"tier": "gold" if one % 2 else None, "points": one, "first_name": "Alice"}
        write_attributes(connection, self._runtime.vault, get_workspace(connection), {first: values}, self._now)

    def _join(self, connection: Connection, first: int, _second: int, _one: int) -> None:
        add_to_list(connection, "vips", [first], self._now)

    def _leave(self, connection: Connection, first: int, _second: int, _one: int) -> None:
        remove_from_list(connection, "vips", [first])

    def _agree(self, connection: Connection, first: int, _second: int, one: int) -> None:
        self._say(connection, first, one, ConsentStatus.GRANTED)

    def _refuse(self, connection: Connection, first: int, _second: int, one: int) -> None:
        self._say(connection, first, one, ConsentStatus.WITHDRAWN)

    def _say(self, connection: Connection, first: int, one: int, status: ConsentStatus) -> None:
        lookup = lookup_of(self._runtime.vault, "email", f"person{self._number - one}-{one}@shop.example")
        basis = Basis.OPT_IN if status is ConsentStatus.GRANTED else None
        said = NewConsent(lookup, "email", "marketing", status, basis, "test", self._now, first, f"say:{self._number}")
        record_consents(connection, [said], self._now)

    def _merge(self, connection: Connection, first: int, second: int, _one: int) -> None:
        if first != second:
            workspace = get_workspace(connection)
            now = self._now
            merge(connection, self._runtime.vault, workspace, first, second, cause="manual", source="test", now=now)

    def _split(self, connection: Connection, _first: int, _second: int, _one: int) -> None:
        merges = list_merges(connection)
        if merges:
            workspace = get_workspace(connection)
            split(connection, self._runtime.vault, workspace, merges[0].id, source="test", now=self._now)

    def _forget(self, connection: Connection, first: int, _second: int, _one: int) -> None:
        forget(connection, Erasure(self._number, (first,), {}, self._now))


@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(st.tuples(_WORDS, _PEOPLE, _PEOPLE), min_size=4, max_size=8), pause=st.integers(1, 4))
def test_snapshot_follows_when_customers_do_anything(runtime: Runtime, steps: list[Step], pause: int) -> None:
    if runtime.settings.state not in _started:
        _empty(runtime)
    traffic = Traffic(runtime)
    traffic._number = _started[runtime.settings.state] = _started.get(runtime.settings.state, 0) + 1_000
    for number in range(3):
        traffic.do(("arrive", number, number))
    build_snapshot(runtime)
    for number, step in enumerate(steps):
        traffic.do(step)
        if number % pause == 0:
            assert bring(runtime).rebuilt is None
    assert bring(runtime).rebuilt is None
    assert members(runtime) == members_of_record(runtime)
    followed = contents(runtime)
    assert followed == rebuilt(runtime)


def _empty(runtime: Runtime) -> None:
    """Those that were put into the tables by hand have no sealed addresses, and took numbers without asking."""
    with runtime.database.transaction() as connection:
        for table in (identity, consent_entry, static_list_member, customer_event, order_line, customer_order, profile):
            connection.execute(delete(table))


_started: dict[str, int] = {}  # examples go on in one database, each with numbers of its own
