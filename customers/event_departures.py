"""Where events depart from what `workspace.yaml` declares: kept and counted, so that somebody may declare them.

An undeclared event, an undeclared property and a value of another kind than the declared one are all stored; their
values count as personal and are sealed. Here stand only their names, the kinds of values, and how many there were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select, update

from core.database import insert_ignore
from customers.tables import event_departure
from customers.workspace import ValueKind, Workspace

_MOST_KEPT: Final = 5_000  # names come from outside: anybody who reads a public key out of a page may make some up
_MAX_NAME: Final = 100
_ITSELF: Final = ""  # in place of a property: the event

Departures = Counter[tuple[str, str, str]]  # (event, property, kind of its value) -> events


class Departed(StrEnum):
    """In what an event departs."""

    EVENT = "event"  # nobody declared it
    PROPERTY = "property"  # its event is declared without it
    KIND = "kind"  # its value is of another kind than the declared one


@dataclass(frozen=True, slots=True)
class Departure:
    """`found` is the kind of the values that came, a ValueKind or `object`; None for an event itself."""

    departed: Departed
    event: str
    property: str | None
    found: str | None
    declared: ValueKind | None
    count: int
    last_seen_at: datetime


def is_instant(value: Any) -> bool:
    return isinstance(value, datetime) or (isinstance(value, str) and _reads(datetime.fromisoformat, value))


def is_date(value: Any) -> bool:
    return isinstance(value, date) or (isinstance(value, str) and _reads(date.fromisoformat, value))


def fits(kind: ValueKind, value: Any) -> bool:
    """Whether a value may stand in clear as one of the declared kind; nothing (null) fits every kind."""
    return value is None or _FITS[kind](value)


def kind_of(value: Any) -> str:
    """The kind that somebody would declare for such a value; `object` is none that can be declared."""
    if isinstance(value, str):
        if len(value) == len("2026-06-10") and is_date(value):
            return ValueKind.DATE.value
        return (ValueKind.INSTANT if "T" in value and is_instant(value) else ValueKind.TEXT).value
    for kind in (ValueKind.BOOLEAN, ValueKind.NUMBER, ValueKind.LIST, ValueKind.INSTANT, ValueKind.DATE):
        if _FITS[kind](value):
            return kind.value
    return "object"


def find_departures(workspace: Workspace, events: Iterable[tuple[str, Mapping[str, Any]]]) -> Departures:
    """Counts what events (name and properties) depart in. Pure."""
    found: Departures = Counter()
    for event, properties in events:
        spec = workspace.events.get(event)
        declared = spec.properties if spec else {}
        if spec is None:
            found[event[:_MAX_NAME], _ITSELF, ""] += 1
        for name, value in properties.items():
            kind = declared.get(name)
            if value is not None and 0 < len(name) <= _MAX_NAME and (kind is None or not _FITS[kind](value)):
                found[event[:_MAX_NAME], name, kind_of(value)] += 1
    return found


def count_departures(connection: Connection, found: Departures, now: datetime) -> None:
    """Add them to what was counted; new names only while there is room for them."""
    if not found:
        return
    c = event_departure.c
    events = sorted({event for event, _, _ in found})
    rows = connection.execute(select(c.event, c.property, c.found).where(c.event.in_(events)))
    known = {tuple(row) for row in rows}
    new = sorted(key for key in found if key not in known)
    if new:
        room = _MOST_KEPT - connection.execute(select(func.count()).select_from(event_departure)).scalar_one()
        new = new[: max(0, room)]
        made = [
            {
                "event": event,
                "property": name,
                "found": kind,
                "event_count": 0,
                "first_seen_at": now,
                "last_seen_at": now,
            }
            for event, name, kind in new
        ]
        insert_ignore(connection, event_departure, made)
    counted = [
        {"_event": key[0], "_property": key[1], "_found": key[2], "_count": found[key], "_now": now}
        for key in sorted(found)  # in one order everywhere, so that no two writers wait for each other
        if key in known or key in new
    ]
    if counted:
        connection.execute(
            update(event_departure)
            .where(c.event == bindparam("_event"), c.property == bindparam("_property"), c.found == bindparam("_found"))
            .values(event_count=c.event_count + bindparam("_count"), last_seen_at=bindparam("_now")),
            counted,
        )


def list_departures(connection: Connection, workspace: Workspace) -> list[Departure]:
    """What departs from the workspace as it is declared now, by event and property."""
    departures = []
    c = event_departure.c
    rows = connection.execute(select(event_departure).order_by(c.event, c.property, c.found))
    for row in rows:
        spec = workspace.events.get(row.event)
        if row.property == _ITSELF:
            if spec is None:
                departures.append(
                    Departure(Departed.EVENT, row.event, None, None, None, row.event_count, row.last_seen_at)
                )
            continue
        declared = spec.properties.get(row.property) if spec else None
        if declared is not None and declared.value == row.found:
            continue
        departed = Departed.KIND if declared is not None else Departed.PROPERTY
        departures.append(
            Departure(departed, row.event, row.property, row.found, declared, row.event_count, row.last_seen_at)
        )
    return departures


def _reads(read: Callable[[str], Any], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


_FITS: Final[Mapping[ValueKind, Callable[[Any], bool]]] = {
    ValueKind.TEXT: lambda value: isinstance(value, str),
    ValueKind.NUMBER: lambda value: isinstance(value, int | float | Decimal) and not isinstance(value, bool),
    ValueKind.BOOLEAN: lambda value: isinstance(value, bool),
    ValueKind.DATE: is_date,
    ValueKind.INSTANT: is_instant,
    ValueKind.LIST: lambda value: isinstance(value, list | tuple),
}
