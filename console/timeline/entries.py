"""One entry of a timeline, and the place behind it at which the next page begins.

Entries are ordered by instant, then by source, then by number, newest first: a page is the same whatever is added
above it. Nothing is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

from core.clock import from_micros, to_micros
from core.errors import InputError


class Group(StrEnum):
    """What an entry is about; a page may show one group alone."""

    ORDERS = "orders"
    MESSAGES = "messages"
    ACTIVITY = "activity"  # what the customer did, as the shop reports it
    CONSENT = "consent"
    JOURNEYS = "journeys"  # segments, journeys and goals
    OFFERS = "offers"
    TASKS = "tasks"
    PROFILE = "profile"  # merges, imports and requests under the law


class Source(IntEnum):
    """Where an entry is kept; at one instant the higher comes first."""

    IMPORT = 0
    RIGHTS = 1
    CONSENT = 2
    LOG = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` is the log event's, or what another table tells; `detail` holds opened values, so it is personal."""

    at: datetime
    source: Source
    number: int
    group: Group
    name: str
    detail: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def place(self) -> Place:
        return Place(self.at, self.source, self.number)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where in a timeline a page ended."""

    at: datetime
    source: Source
    number: int

    def __str__(self) -> str:
        return f"{to_micros(self.at)}-{int(self.source)}-{self.number}"


def parse_place(text: str) -> Place:
    """What `str` of a place gave. Raises InputError for anything else."""
    try:
        micros, source, number = (int(part) for part in text.split("-"))
        return Place(from_micros(micros), Source(source), number)
    except (ValueError, OverflowError):
        raise InputError("`after` is no place in a timeline: take it from the `next` of the page before.") from None


def parse_group(text: str) -> Group:
    """Raises InputError with the words that are groups."""
    try:
        return Group(text)
    except ValueError:
        raise InputError(f"there is no group {text!r}: write one of {', '.join(Group)}.") from None
