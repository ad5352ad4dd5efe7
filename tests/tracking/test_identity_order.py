"""The same calls give the same people, in whichever order, however often and in whatever batches they arrive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from core.clock import ManualClock
from core.database import Database
from core.vault import Vault
from customers.profiles import load_profiles
from customers.tables import IdentityKind, customer_event, event_key, identity
from customers.workspace import Workspace
from tracking.events.event_spec import Call, CallKind
from tracking.events.record_calls import CallBatch, record_calls
from tracking.events.write_keys import WriteKey, WriteKeyKind

SECRET = WriteKey("backend", WriteKeyKind.SECRET)
PUBLIC = WriteKey("web", WriteKeyKind.PUBLIC)
DEVICES = ("phone", "laptop", "tablet")
USERS = ("alice", "bob", "carol")


@dataclass(frozen=True, slots=True)
class Said:
    """A call and who posts it; `minute` is when it happened."""

    kind: CallKind
    is_public: bool
    minute: int
    user: str | None
    device: str | None
    previous: str | None
    traits: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """What came of calls: which events are one person's, and what is known of each user."""

    together: frozenset[frozenset[str]]
    users: dict[str, tuple[frozenset[str], dict[str, Any], str | None]]


class _UndoError(Exception):
    """Takes back what one arrangement stored."""


@st.composite
def calls(draw: st.DrawFn) -> Said:
    kind = draw(st.sampled_from([CallKind.IDENTIFY, CallKind.TRACK, CallKind.TRACK, CallKind.PAGE, CallKind.ALIAS]))
    is_public, minute = draw(st.booleans()), draw(st.integers(0, 6))
    user, device = draw(st.none() | st.sampled_from(USERS)), draw(st.none() | st.sampled_from(DEVICES))
    if kind is CallKind.ALIAS:
        # A public key's alias of two users is refused as a whole, so that it is no part of the law.
        previous = draw(st.sampled_from(DEVICES if is_public else (*DEVICES, *USERS)))
        return Said(kind, is_public, minute, user or "alice", None, previous)
    traits: tuple[tuple[str, str], ...] = ()
    if kind is CallKind.IDENTIFY:
        traits = (("tier", draw(st.sampled_from("abc"))),)
        if user is not None and draw(st.booleans()):
            traits += (("email", draw(st.sampled_from([f"{user}@shop.example", "shared@shop.example"]))),)
    return Said(kind, is_public, minute, user, None if user is None and device is None else device, None, traits)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(said=st.lists(calls(), min_size=1, max_size=9), data=st.data())
def test_people_are_the_same_when_calls_arrive_in_another_order(
    database: Database, vault: Vault, workspace: Workspace, clock: ManualClock, said: list[Said], data: st.DataObject
) -> None:
    keyed = [(f"m{number}", one) for number, one in enumerate(said) if one.user or one.device]
    in_order = sorted(keyed, key=lambda item: (item[1].minute, item[0]))
    again = data.draw(st.lists(st.sampled_from(keyed), max_size=3)) if keyed else []
    shuffled = data.draw(st.permutations(keyed + again))
    cuts = data.draw(st.lists(st.booleans(), min_size=len(shuffled), max_size=len(shuffled)))

    expected = _arrive(database, vault, workspace, clock, [in_order])
    one_by_one = _arrive(database, vault, workspace, clock, [[item] for item in in_order])
    found = _arrive(database, vault, workspace, clock, _split(shuffled, cuts))

    assert one_by_one == expected
    assert found == expected


def _split(items: Sequence[tuple[str, Said]], cuts: Sequence[bool]) -> list[list[tuple[str, Said]]]:
    pieces: list[list[tuple[str, Said]]] = [[]]
    for item, cut in zip(items, cuts, strict=True):
        if cut and pieces[-1]:
            pieces.append([])
        pieces[-1].append(item)
    return pieces


def _arrive(
    database: Database,
    vault: Vault,
    workspace: Workspace,
    clock: ManualClock,
    pieces: Sequence[Sequence[tuple[str, Said]]],
) -> World:
    world: list[World] = []
    try:
        with database.transaction() as connection:
            for minute, piece in enumerate(pieces):
                received_at = clock.now() + timedelta(days=1, minutes=minute)
                for key, is_public in ((SECRET, False), (PUBLIC, True)):
                    some = [
                        (place, _call(message, one, clock))
                        for place, (message, one) in enumerate(piece)
                        if one.is_public is is_public
                    ]
                    batch = CallBatch(tuple(some), key, received_at)
                    taken = record_calls(connection, vault, workspace, batch)
                    assert not taken.left, taken
            world.append(_look(connection, vault))
            raise _UndoError  # noqa: TRY301 - nothing of an arrangement may stay for the next one
    except _UndoError:
        return world[0]


def _call(message: str, one: Said, clock: ManualClock) -> Call:
    name = message if one.kind in (CallKind.TRACK, CallKind.PAGE) else None
    return Call(
        one.kind,
        message,
        clock.now() + timedelta(minutes=one.minute),
        user_id=one.user,
        anonymous_id=one.device,
        previous_id=one.previous,
        name=name,
        properties={"said": message},
        traits=dict(one.traits),
    )


def _look(connection: Connection, vault: Vault) -> World:
    events: dict[int, set[str]] = {}
    rows = connection.execute(select(customer_event).where(customer_event.c.source.in_(["backend", "web"]))).all()
    for row in rows:
        # Undeclared properties are sealed, and open under the key of whoever the row says.
        said = vault.open_document(
            row.origin_profile_id or row.profile_id, "customer_event.properties", row.sealed_properties
        )
        events.setdefault(row.profile_id, set()).add(said["said"])
    assert len(rows) == sum(map(len, events.values()))
    names = connection.execute(
        select(identity.c.lookup, identity.c.profile_id).where(identity.c.kind == IdentityKind.EXTERNAL_ID.value)
    ).all()
    people = load_profiles(connection, vault, [row.profile_id for row in names])
    users = {
        row.lookup: (
            frozenset(events.get(row.profile_id, ())),
            dict(people[row.profile_id].attributes),
            None if (email := people[row.profile_id].email) is None else email.value,
        )
        for row in names
    }
    assert connection.execute(select(event_key.c.key)).first() is not None or not rows
    return World(frozenset(map(frozenset, events.values())), users)
