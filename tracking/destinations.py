"""Where a click leads: read from what was stored when the message was sent, never from the address that was clicked.

Static links come from the template version that was rendered, the others from the message's own row; campaign
parameters are added by the rules that were in force when the message was made. What was asked once is remembered,
within bounds, so that readers get where they want to go even while the database is away.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Row, select

from core.database import Database
from core.definitions import definition
from core.errors import ConfigError, NotFoundError
from core.vault import Vault
from delivery.front_matter import parse_template
from delivery.link_rewriting import InvalidUrlError, TemplateLink, check_url
from delivery.tables import OriginKind, message
from delivery.template_enclosures import enclosures_of
from delivery.templates import compile_template
from tracking.links import template_number
from tracking.utm import UtmRules, parse_utm, with_utm

_REMEMBERED_CLICKS = 20_000
_REMEMBERED_TEMPLATES = 256
_REMEMBERED_LAUNCHES = 256

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Destination:
    """An absolute http(s) address, campaign parameters and all, and the tag that the template gives the link."""

    url: str
    tag: str | None


class Destinations:
    """Looks destinations up; thread-safe."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._clicks = _Memory[tuple[int, int], Destination](_REMEMBERED_CLICKS)
        self._templates = _Memory[tuple[str, str], Mapping[int, TemplateLink]](_REMEMBERED_TEMPLATES)
        self._launches = _Memory[str, tuple[str, UtmRules | None]](_REMEMBERED_LAUNCHES)

    def remembered(self, token_id: int, link_no: int) -> Destination | None:
        """The destination if it was asked for before; touches no database."""
        return self._clicks.get((token_id, link_no))

    def find(self, token_id: int, link_no: int) -> Destination | None:
        """Where link `link_no` of the message leads; None when the message, its template or the link is gone."""
        found = self.remembered(token_id, link_no)
        if found is None:
            with self._database.read() as connection:
                found = self._read(connection, token_id, link_no)
            if found is not None:
                self._clicks.put((token_id, link_no), found)
        return found

    def _read(self, connection: Connection, token_id: int, link_no: int) -> Destination | None:
        row = connection.execute(
            select(
                message.c.profile_id,
                message.c.origin_profile_id,
                message.c.template,
                message.c.template_hash,
                message.c.links,
                message.c.channel,
                message.c.topic,
                message.c.origin_kind,
                message.c.origin,
                message.c.origin_id,
                message.c.step,
                message.c.variant,
                message.c.created_at,
            ).where(message.c.token_id == token_id)
        ).one_or_none()
        if row is None or row.template_hash is None:
            return None
        link = self._template_links(connection, row.template, row.template_hash).get(template_number(link_no))
        if link is None:
            return None
        try:
            url = link.url or self._own_links(row.origin_profile_id or row.profile_id, row.links).get(str(link_no))
            return Destination(self._with_utm(connection, row, link, check_url(url)), link.tag)
        except InvalidUrlError:
            return None

    def _with_utm(self, connection: Connection, row: Row[Any], link: TemplateLink, url: str) -> str:
        is_campaign = row.origin_kind == OriginKind.CAMPAIGN
        found = self._launches.get(row.origin_id) if is_campaign else None
        if found is None:
            found = _utm_rules(connection, row.origin if is_campaign else None, row.created_at)
            if is_campaign:
                self._launches.put(row.origin_id, found)
        workspace, rules = found
        words = {
            "workspace": workspace,
            "campaign": row.origin,
            "channel": row.channel,
            "link": link.tag or str(link.number),
            "step": row.step,
            "template": row.template,
            "topic": row.topic,
            "variant": row.variant,
        }
        return with_utm(url, rules, words)

    def _own_links(self, profile_id: int, sealed: bytes | None) -> Mapping[str, str]:
        """The links that were made for this message alone; none once the profile is erased."""
        try:
            links: Mapping[str, str] = self._vault.open_document(profile_id, "message.links", sealed)
        except NotFoundError:
            return {}
        return links

    def _template_links(self, connection: Connection, template: str, content_hash: str) -> Mapping[int, TemplateLink]:
        """The links, by number, of the version of a template that has this hash; empty when it is not published."""
        links = self._templates.get((template, content_hash))
        if links is None:
            links = _published_links(connection, template, content_hash)
            if links:
                self._templates.put((template, content_hash), links)
        return links


def _utm_rules(connection: Connection, campaign: str | None, at: datetime) -> tuple[str, UtmRules | None]:
    """The workspace's name, and its rules with those of the campaign over them, as they stood at that instant."""
    workspace = _in_force(connection, "workspace", None, at) or {}
    rules = parse_utm((workspace.get("tracking") or {}).get("utm"))
    if campaign is not None:
        rules = parse_utm((_in_force(connection, "campaign", campaign, at) or {}).get("utm"), rules)
    return workspace.get("workspace", ""), rules


def _in_force(connection: Connection, kind: str, slug: str | None, at: datetime) -> Mapping[str, Any] | None:
    query = select(definition.c.document).where(definition.c.kind == kind, definition.c.published_at <= at)
    query = query.where(definition.c.slug == slug) if slug is not None else query
    newest = query.order_by(definition.c.published_at.desc(), definition.c.version.desc()).limit(1)
    found: Mapping[str, Any] | None = connection.execute(newest).scalar_one_or_none()
    return found


def _published_links(connection: Connection, template: str, content_hash: str) -> Mapping[int, TemplateLink]:
    versions = connection.execute(
        select(definition.c.source, definition.c.file, definition.c.document)
        .where(definition.c.kind == "template", definition.c.slug == template)
        .order_by(definition.c.version.desc())
    )
    for source, file, document in versions:
        parsed, _faults = parse_template(source, file, enclosures_of(document))
        if parsed is not None and parsed.content_hash == content_hash:
            try:
                return {link.number: link for link in compile_template(parsed).links}
            except ConfigError:  # published by an older release that this one cannot compile any more
                return {}
    return {}


class _Memory(Generic[K, V]):
    """The last `size` answers."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._entries[key] = value
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)
