"""The published files of the project: what runs, in versions, so that a worker needs no project folder.

A version is the hash of the parsed content: comments and layout do not count, the order of keys does (arms of a split
take their ranges in it), and publishing the same content again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    String,
    Table,
    Text,
    and_,
    bindparam,
    exists,
    func,
    insert,
    select,
    update,
)

from core.columns import Instant, OrderedDocument
from core.database import metadata
from core.errors import NotFoundError
from core.ids import content_hash
from core.personal import IMPERSONAL

definition = Table(
    "definition",
    metadata,
    Column("kind", String(30), primary_key=True),
    Column("slug", String(100), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("content_hash", String(64), nullable=False),
    Column("document", OrderedDocument, nullable=False),
    Column("source", Text, nullable=False),
    Column("file", String(300), nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("withdrawn_at", Instant),
    info=IMPERSONAL,
)


@dataclass(frozen=True, slots=True)
class Published:
    """One immutable version of one file; `source` is its text as written."""

    kind: str
    slug: str
    version: int
    content_hash: str
    document: Any
    source: str
    file: str
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Publication:
    """What `publish` did: the version now in force, and whether it is new."""

    published: Published
    is_new: bool


_later = definition.alias("later")
_HASHES = (  # made once: it is asked with every batch of what comes in
    select(definition.c.slug, definition.c.content_hash)
    .where(
        definition.c.kind == bindparam("kind"),
        definition.c.withdrawn_at.is_(None),
        ~exists().where(
            _later.c.kind == definition.c.kind,
            _later.c.slug == definition.c.slug,
            _later.c.version > definition.c.version,
        ),
    )
    .order_by(definition.c.slug)
)


def publish(
    connection: Connection, kind: str, slug: str, *, document: Any, source: str, file: str, now: datetime
) -> Publication:
    """Make this content the version in force of (kind, slug)."""
    digest = hash_document(document)
    latest = connection.execute(
        select(definition)
        .where(definition.c.kind == kind, definition.c.slug == slug)
        .order_by(definition.c.version.desc())
        .limit(1)
    ).one_or_none()
    if latest is not None and latest.content_hash == digest and latest.withdrawn_at is None:
        return Publication(_published(latest), is_new=False)
    values = {
        "kind": kind,
        "slug": slug,
        "version": latest.version + 1 if latest else 1,
        "content_hash": digest,
        "document": document,
        "source": source,
        "file": file,
        "published_at": now,
    }
    connection.execute(insert(definition).values(**values))
    return Publication(Published(**values), is_new=True)


def withdraw(connection: Connection, kind: str, slug: str, now: datetime) -> None:
    """Take (kind, slug) out of force, because its file is gone; its versions stay."""
    connection.execute(
        update(definition)
        .where(definition.c.kind == kind, definition.c.slug == slug, definition.c.withdrawn_at.is_(None))
        .values(withdrawn_at=now)
    )


def list_definitions(connection: Connection, kind: str) -> list[Published]:
    """Everything of one kind that is in force, by slug."""
    newest = (
        select(definition.c.slug, func.max(definition.c.version).label("version"))
        .where(definition.c.kind == kind)
        .group_by(definition.c.slug)
        .subquery()
    )
    rows = connection.execute(
        select(definition)
        .join(newest, and_(definition.c.slug == newest.c.slug, definition.c.version == newest.c.version))
        .where(definition.c.kind == kind, definition.c.withdrawn_at.is_(None))
        .order_by(definition.c.slug)
    )
    return [_published(row) for row in rows]


def list_hashes(connection: Connection, kind: str) -> list[tuple[str, str]]:
    """Slug and content hash of everything of one kind that is in force, by slug: without reading any content."""
    return [(slug, digest) for slug, digest in connection.execute(_HASHES, {"kind": kind})]


def find_definition(connection: Connection, kind: str, slug: str, version: int | None = None) -> Published | None:
    """The version asked for, or the one in force."""
    query = select(definition).where(definition.c.kind == kind, definition.c.slug == slug)
    query = query.where(definition.c.version == version) if version else query
    row = connection.execute(query.order_by(definition.c.version.desc()).limit(1)).one_or_none()
    if row is None or (version is None and row.withdrawn_at is not None):
        return None
    return _published(row)


def get_definition(connection: Connection, kind: str, slug: str, version: int | None = None) -> Published:
    found = find_definition(connection, kind, slug, version)
    if found is None:
        raise NotFoundError(f"there is no published {kind} named {slug!r}: check the name, or run `postilion apply`.")
    return found


def hash_document(document: Any) -> str:
    """SHA-256 of the parsed content, keys in their order."""
    return content_hash(msgspec.json.encode(document, enc_hook=str))


def _published(row: Any) -> Published:
    return Published(
        row.kind, row.slug, row.version, row.content_hash, row.document, row.source, row.file, row.published_at
    )
