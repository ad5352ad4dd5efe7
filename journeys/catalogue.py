"""Everything published that journeys run by, read once and kept while nothing new is published.

Versions are immutable, so each is parsed once a process. A version that this engine no longer understands is logged and
left alone; the others go on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, Row, select

from core.definitions import definition, find_definition, list_definitions
from core.errors import Fault, PostilionError, has_errors
from core.located import KeyPath
from customers.workspace import get_workspace
from delivery.front_matter import TemplateSource, parse_template
from delivery.tables import pause
from journeys.definition import read_journey
from journeys.interest import Interest, interest_of
from journeys.model import Journey, JourneyStatus
from journeys.steps.run import World
from journeys.transition import STARTED
from segments.definition import load_segments, rules_of
from segments.language.nesting import with_inner
from segments.language.rules import Rule

_log = logging.getLogger("postilion.journeys")
_KINDS = ("workspace", "segment", "journey", "template", "offer")
PAUSE_SCOPE = "journey:"  # under which delivery knows that a journey is paused, and why
PAUSED_BY_FILE = "its file says `status: paused`"
_DIGEST = 8  # characters of a content hash: enough to find the version, among those that one file has had


@dataclass(frozen=True, slots=True)
class Admitting:
    """A journey that lets people in; it has been live, in one version or another, since `live_since`.

    `started_at` is when it went live first, pauses left aside; None is the same.
    """

    journey: Journey
    live_since: datetime
    started_at: datetime | None = None

    @property
    def began_at(self) -> datetime:
        return self.started_at or self.live_since


@dataclass(frozen=True)
class Catalogue:
    """`journeys` are all versions that were ever published, `newest` the one in force of each that is.

    `pauses` tells of each journey whose file pauses it since when; `resuming` are those that go on again, where the
    deadlines of some people are still as the pause found them.
    """

    world: World
    segments: Mapping[str, Rule]
    journeys: Mapping[tuple[str, int], Journey]
    interests: Mapping[tuple[str, int], Interest]
    newest: Mapping[str, Journey]
    admitting: tuple[Admitting, ...]
    pauses: Mapping[str, datetime] = field(default_factory=dict)
    resuming: frozenset[str] = frozenset()

    @cached_property
    def paused(self) -> frozenset[str]:
        """Journeys in which nobody moves."""
        return self.resuming.union(self.pauses)

    def event_names(self) -> frozenset[str] | None:
        """The names of the events that can matter to any journey; None is every event."""
        interests = list(self.interests.values())
        if any(interest.any_event for interest in interests):
            return None
        entries = {name for one in self.admitting for entry in one.journey.entries for name in entry.names}
        return frozenset(entries.union({STARTED}, *(interest.names for interest in interests)))


_kept: WeakKeyDictionary[Engine, tuple[tuple[Any, ...], Catalogue]] = WeakKeyDictionary()
_lock = Lock()


def get_catalogue(connection: Connection) -> Catalogue:
    """The catalogue as it stands; one small query when nothing was published since. Raises NotFoundError without a
    published workspace.
    """
    table = definition.c
    query = select(table.kind, table.slug, table.version, table.content_hash, table.withdrawn_at)
    rows = connection.execute(query.where(table.kind.in_(_KINDS)).order_by(table.kind, table.slug, table.version))
    standing = frozenset(connection.scalars(select(pause.c.scope).where(pause.c.cause == PAUSED_BY_FILE)))
    signature = (standing, *map(tuple, rows))
    with _lock:
        kept = _kept.get(connection.engine)
    if kept is not None and kept[0] == signature:
        return kept[1]
    catalogue = _load(connection, kept[1] if kept else None)
    resuming = {scope.removeprefix(PAUSE_SCOPE) for scope in standing} - catalogue.pauses.keys()
    catalogue = replace(catalogue, resuming=frozenset(resuming))
    with _lock:
        _kept[connection.engine] = (signature, catalogue)
    return catalogue


def _load(connection: Connection, before: Catalogue | None) -> Catalogue:
    workspace = get_workspace(connection)
    query = select(definition).where(definition.c.kind == "journey").order_by(definition.c.slug, definition.c.version)
    rows = connection.execute(query).all()
    journeys: dict[tuple[str, int], Journey] = {}
    for row in rows:
        known = before.journeys.get((row.slug, row.version)) if before else None
        journey = known or _parse(row)
        if journey is not None:
            journeys[row.slug, row.version] = journey
    last = {row.slug: row for row in rows}
    newest = {
        slug: journeys[slug, row.version]
        for slug, row in last.items()
        if row.withdrawn_at is None and (slug, row.version) in journeys
    }
    read = ((one.slug, parse_template(one.source, one.file)[0]) for one in list_definitions(connection, "template"))
    templates = {slug: template for slug, template in read if template is not None}
    segments = rules_of(load_segments(connection))
    return Catalogue(
        world=World(workspace, templates, _pinned(connection, journeys.values()), _digests(connection, segments)),
        segments=segments,
        journeys=journeys,
        interests={place: interest_of(journey) for place, journey in journeys.items()},
        newest=newest,
        admitting=tuple(
            _admitting(journey, [row for row in rows if row.slug == slug])
            for slug, journey in newest.items()
            if journey.status is JourneyStatus.LIVE
        ),
        pauses={
            slug: since
            for slug, journey in newest.items()
            if journey.status is JourneyStatus.PAUSED
            and (since := _since([row for row in rows if row.slug == slug], (journey.status,), journey.status))
        },
    )


def _pinned(connection: Connection, journeys: Iterable[Journey]) -> dict[str, TemplateSource]:
    """The versions of templates that steps pin, by `name@version`; one that was never published is none."""
    mentions = {
        (mention.name, mention.version)
        for journey in journeys
        for step in journey.by_id.values()
        for mention in step.mentions
        if mention.version is not None
    }
    found: dict[str, TemplateSource] = {}
    for slug, version in sorted(mentions):
        published = find_definition(connection, "template", slug, version)
        source = parse_template(published.source, published.file)[0] if published is not None else None
        if source is not None:
            found[f"{slug}@{version}"] = source
    return found


def _digests(connection: Connection, segments: Mapping[str, Rule]) -> dict[str, str]:
    """Which contents of segments and offers are in force, see `World`."""
    found = {f"offer/{one.slug}": one.content_hash[:_DIGEST] for one in list_definitions(connection, "offer")}
    hashes = {one.slug: one.content_hash[:_DIGEST] for one in list_definitions(connection, "segment")}
    for slug in segments:
        found[f"segment/{slug}"] = "+".join(hashes[one] for one in with_inner(slug, segments))
    return found


def _parse(row: Row[Any]) -> Journey | None:
    def fault(code: str, path: KeyPath, message: str, hint: str = "", **_place: Any) -> Fault:
        return Fault(row.file, 1, 1, code, f"{'.'.join(map(str, path))}: {message}", hint)

    try:
        journey, faults = read_journey(row.document, fault, version=row.version)
    except (PostilionError, LookupError, ValueError, TypeError, AttributeError) as error:
        _log.warning("version %d of the journey %s cannot be read: %s", row.version, row.slug, error)
        return None
    if has_errors(faults):
        _log.warning("version %d of the journey %s cannot be used: %s", row.version, row.slug, faults[0])
        return None
    return journey


def _admitting(journey: Journey, versions: Sequence[Row[Any]]) -> Admitting:
    """When the unbroken row of live versions began that ends in the one in force, and that of live and paused ones."""
    live, paused = JourneyStatus.LIVE.value, JourneyStatus.PAUSED.value
    live_since = _since(versions, (live,)) or versions[-1].published_at
    return Admitting(journey, live_since, _since(versions, (live, paused)))


def _since(
    versions: Sequence[Row[Any]], statuses: Sequence[str], first: JourneyStatus = JourneyStatus.LIVE
) -> datetime | None:
    """The first of the newest unbroken row of versions with one of `statuses` that has the status `first`."""
    since: datetime | None = None
    for row in reversed(versions):
        if row.document.get("status") not in statuses or (row is not versions[-1] and row.withdrawn_at is not None):
            break
        if row.document.get("status") == first:
            since = row.published_at
    return since
