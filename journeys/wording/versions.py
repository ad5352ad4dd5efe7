"""Published versions of a journey, read for being talked about: the document as written, and the tree of its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.definitions import Published, find_definition, get_definition
from core.errors import Fault, PostilionError
from core.located import KeyPath
from journeys.definition import read_journey
from journeys.model import Journey


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable version."""

    document: Mapping[str, Any]
    journey: Journey
    published_at: datetime


def read_version(connection: Connection, slug: str, version: int) -> Version | None:
    """None when that version is not there, or cannot be read by this engine any more."""
    found = find_definition(connection, "journey", slug, version)
    return None if found is None else _read(found)


def get_version(connection: Connection, slug: str, version: int | None = None) -> Version:
    """The version asked for, or the one in force. Raises NotFoundError, and PostilionError when it cannot be read."""
    found = get_definition(connection, "journey", slug, version)
    read = _read(found)
    if read is None:
        raise PostilionError(
            f"version {found.version} of the journey {slug!r} was written for another engine: name a newer one."
        )
    return read


def _read(found: Published) -> Version | None:
    def fault(code: str, _path: KeyPath, message: str, hint: str = "", **_place: Any) -> Fault:
        return Fault(found.file, 1, 1, code, message, hint)

    try:
        journey, _faults = read_journey(found.document, fault, version=found.version)
    except (PostilionError, LookupError, ValueError, TypeError, AttributeError):
        return None
    return Version(found.document, journey, found.published_at)
