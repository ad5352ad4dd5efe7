"""Publishing an older version of a journey again. Its content becomes a new version: nothing that ran is rewritten."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from core.definitions import Publication, find_definition, get_definition, hash_document, list_definitions, publish
from core.errors import ConfigError, ConflictError, NotFoundError, has_errors
from core.located import load_yaml
from customers.workspace import get_workspace
from delivery.front_matter import parse_template
from journeys.check import check_journey
from journeys.checking.case import Known
from journeys.definition import parse_journey

_KIND = "journey"


def roll_back(connection: Connection, slug: str, now: datetime, *, to: int | None = None) -> Publication:
    """Publish version `to` of the journey `slug` again, by default the last whose content is not what runs now.

    Raises NotFoundError for a version that there is not, ConflictError when its content is in force already, and
    ConfigError when it would not fit what is published beside it.
    """
    in_force = get_definition(connection, _KIND, slug)
    wanted = _before(connection, slug, in_force.version, in_force.content_hash) if to is None else to
    older = find_definition(connection, _KIND, slug, wanted)
    if older is None:
        raise NotFoundError(f"the journey {slug!r} has no version {wanted}: it has 1 to {in_force.version}.")
    if hash_document(older.document) == in_force.content_hash:
        raise ConflictError(f"version {wanted} of {slug!r} is what runs already: nothing to roll back.")
    located, faults = load_yaml(older.source.encode(), f"{older.file} (version {wanted})")
    if located is not None:
        journey, found = parse_journey(located, older.file)
        faults += found
        if journey is not None:
            faults += check_journey(journey, located, _known(connection))
    if has_errors(faults):
        raise ConfigError(faults)
    return publish(connection, _KIND, slug, document=older.document, source=older.source, file=older.file, now=now)


def _before(connection: Connection, slug: str, version: int, content_hash: str) -> int:
    for earlier in range(version - 1, 0, -1):
        found = find_definition(connection, _KIND, slug, earlier)
        if found is not None and found.content_hash != content_hash:
            return earlier
    raise NotFoundError(f"the journey {slug!r} has no older version: there is nothing to go back to.")


def _known(connection: Connection) -> Known:
    """What is published beside it."""
    templates = (parse_template(one.source, one.file)[0] for one in list_definitions(connection, "template"))

    def slugs(kind: str) -> frozenset[str]:
        return frozenset(one.slug for one in list_definitions(connection, kind))

    return Known(
        segments=slugs("segment"),
        lists=slugs("list"),
        offers=slugs("offer"),
        journeys=slugs("journey"),
        templates={one.template: one.channel for one in templates if one is not None},
        workspace=get_workspace(connection),
    )
