"""Publishing a checked project: each file becomes a version in the database; what has no file any more is withdrawn."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from console.project import FOLDERS, Project
from core.definitions import hash_document, list_definitions, publish, withdraw
from delivery.front_matter import parse_template


@dataclass(frozen=True, slots=True)
class Change:
    """What publishing did with one file: `what` is new, changed, unchanged or withdrawn."""

    kind: str
    slug: str
    what: str
    version: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Item:
    kind: str
    slug: str
    document: Any
    source: str
    file: str


def publish_project(connection: Connection, project: Project, now: datetime) -> list[Change]:
    """Publish every file of a project that was checked and has no errors: all or nothing, in one transaction."""
    items = _items(project)
    changes = [_publish(connection, item, now) for item in items]
    wanted = {(item.kind, item.slug) for item in items}
    for kind in ("workspace", "template", *FOLDERS.values()):
        for published in list_definitions(connection, kind):
            if (kind, published.slug) not in wanted:
                withdraw(connection, kind, published.slug, now)
                changes.append(Change(kind, published.slug, "withdrawn", published.version))
    return changes


def find_changes(connection: Connection, project: Project) -> list[Change]:
    """What publishing this project would do now; nothing is written."""
    items = {(item.kind, item.slug): item for item in _items(project)}
    changes = []
    for kind in ("workspace", "template", *FOLDERS.values()):
        in_force = {published.slug: published for published in list_definitions(connection, kind)}
        for item in (item for item in items.values() if item.kind == kind):
            published = in_force.pop(item.slug, None)
            if published is None:
                changes.append(Change(kind, item.slug, "new", 1))
            else:
                is_same = published.content_hash == hash_document(item.document)
                changes.append(Change(kind, item.slug, "unchanged" if is_same else "changed", published.version))
        changes += [Change(kind, slug, "withdrawn", published.version) for slug, published in in_force.items()]
    return changes


def _publish(connection: Connection, item: _Item, now: datetime) -> Change:
    publication = publish(
        connection, item.kind, item.slug, document=item.document, source=item.source, file=item.file, now=now
    )
    version = publication.published.version
    what = ("new" if version == 1 else "changed") if publication.is_new else "unchanged"
    return Change(item.kind, item.slug, what, version)


def _items(project: Project) -> list[_Item]:
    files = [project.workspace] if project.workspace else []
    items = [_Item(file.kind, file.slug, file.document, file.source, file.file) for file in [*files, *project.files]]
    enclosures = project.enclosures
    for template in project.templates:
        source, _faults = parse_template(template.text, template.file, enclosures)
        if source is not None:
            # A template is its text and what it brings along: every character of it can be seen by a customer.
            document = {"text": template.text, **enclosures.used_by(template.text).as_document()}
            items.append(_Item("template", source.template, document, template.text, template.file))
    return items
