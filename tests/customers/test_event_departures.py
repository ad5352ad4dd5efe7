"""Events that depart from what is declared are kept, counted, and their values sealed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from core.clock import ManualClock
from core.database import Database
from core.vault import Vault
from customers import event_departures as subject
from customers.event_departures import Departed, find_departures, fits, kind_of, list_departures
from customers.event_schema import event_schema
from customers.identities import resolve
from customers.log import NewEvent, append_events, logged_event, open_properties
from customers.tables import IdentityKind, customer_event
from customers.workspace import EventSpec, ValueKind, Workspace

SHOP = Workspace(
    "shop", "Shop", "UTC", "GBP", events={"tea_drunk": EventSpec({"cup": ValueKind.TEXT, "size": ValueKind.NUMBER})}
)


def _append(database: Database, vault: Vault, clock: ManualClock, *events: tuple[str, dict[str, Any]]) -> None:
    with database.transaction() as connection:
        alice = resolve(connection, vault, {IdentityKind.EXTERNAL_ID: "alice"}, clock.now())
        new = [
            NewEvent(name, clock.now(), "web", f"web:{name}{number}", alice, properties)
            for number, (name, properties) in enumerate(events)
        ]
        append_events(connection, vault, SHOP, new, clock.now())


def test_a_value_is_sealed_and_counted_when_it_is_of_another_kind(
    database: Database, vault: Vault, clock: ManualClock
) -> None:
    _append(database, vault, clock, ("tea_drunk", {"cup": "blue", "size": "large"}), ("tea_drunk", {"size": 2}))
    with database.read() as connection:
        rows = connection.execute(select(customer_event).order_by(customer_event.c.id)).all()
        (departure,) = list_departures(connection, SHOP)
    assert [row.properties for row in rows] == [{"cup": "blue"}, {"size": 2}]
    assert b"large" not in rows[0].sealed_properties
    assert open_properties(vault, logged_event(rows[0])) == {"cup": "blue", "size": "large"}
    assert (departure.departed, departure.property, departure.found, departure.declared, departure.count) == (
        Departed.KIND,
        "size",
        "text",
        ValueKind.NUMBER,
        1,
    )


def test_an_undeclared_event_is_counted_once_when_it_comes_twice(
    database: Database, vault: Vault, clock: ManualClock
) -> None:
    events: list[tuple[str, dict[str, Any]]] = [
        ("cake_eaten", {"flavour": "lemon", "slices": 2}),
        ("tea_drunk", {"cup": None, "milk": True}),
    ]
    for _ in range(2):
        _append(database, vault, clock, *events)
    with database.read() as connection:
        found = {
            (one.departed, one.event, one.property, one.found): one.count for one in list_departures(connection, SHOP)
        }
        declared = {"cake_eaten": EventSpec({"flavour": ValueKind.TEXT, "slices": ValueKind.NUMBER}), **SHOP.events}
        left = list_departures(connection, replace(SHOP, events=declared))
    assert found == {
        (Departed.EVENT, "cake_eaten", None, None): 1,
        (Departed.PROPERTY, "cake_eaten", "flavour", "text"): 1,
        (Departed.PROPERTY, "cake_eaten", "slices", "number"): 1,
        (Departed.PROPERTY, "tea_drunk", "milk", "boolean"): 1,
    }
    assert [(one.event, one.property) for one in left] == [("tea_drunk", "milk")]


def test_no_more_names_are_kept_when_there_is_no_room(
    database: Database, vault: Vault, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "_MOST_KEPT", 2)
    _append(database, vault, clock, *[(f"event_{number}", {}) for number in range(9)])
    _append(database, vault, clock, ("event_0", {"note": "x"}))
    with database.read() as connection:
        assert [one.event for one in list_departures(connection, SHOP)] == ["event_0", "event_1"]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("blue", "text"),
        ("2026-06-10", "date"),
        ("2026-06-10T08:00:00Z", "instant"),
        ("2026-99-10", "text"),
        (1, "number"),
        (1.5, "number"),
        (True, "boolean"),
        ([1], "list"),
        ({"a": 1}, "object"),
    ],
)
def test_the_kind_is_the_one_to_declare_when_a_value_is_looked_at(value: Any, kind: str) -> None:
    assert kind_of(value) == kind
    if kind != "object":
        assert fits(ValueKind(kind), value)
        assert (
            find_departures(replace(SHOP, events={"e": EventSpec({"p": ValueKind(kind)})}), [("e", {"p": value})]) == {}
        )


def test_declared_events_are_a_schema_when_somebody_asks() -> None:
    assert event_schema(SHOP)["$defs"]["tea_drunk"]["properties"] == {
        "cup": {"type": ["string", "null"]},
        "size": {"type": ["number", "null"]},
    }
