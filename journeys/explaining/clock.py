"""How instants are told: by the clock of the person whose story it is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_UNITS = (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1)))


def told(instant: datetime | str, zone: ZoneInfo, near: datetime | None = None) -> str:
    """Such as "Mon 8 Jun 2026, 10:00"; `instant` may be ISO text, as journals hold it.

    What is the same on the clock as `near`, the instant of the line in which it stands, is left out.
    """
    at = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    local = at.astimezone(zone)
    beside = near.astimezone(zone) if near is not None else None
    if beside is not None and beside.date() == local.date():
        return f"{local:%H:%M}"
    year = "" if beside is not None and beside.year == local.year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year}, {local:%H:%M}"


def on(said: str) -> str:
    """What `told` said, with its preposition: "at 10:00", "on Mon 8 Jun, 10:00"."""
    return f"{'on' if ',' in said else 'at'} {said}"


def lasted(length: timedelta) -> str:
    """The largest units: "2 days", "3 hours and 10 minutes", "less than a minute"."""
    parts: list[str] = []
    for unit, size in _UNITS:
        count, length = divmod(length, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " and ".join(parts[:2]) or "less than a minute"


def is_later(one: datetime, other: datetime) -> bool:
    """Whether there is a minute between them that is worth a word."""
    return one - other >= timedelta(minutes=1)


def capitalised(said: str) -> str:
    """As a sentence begins; names of events and steps never stand first."""
    return f"{said[:1].upper()}{said[1:]}"


def value_told(value: Any) -> str:
    """A number as a person writes it."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}" if isinstance(value, float) else str(value)
