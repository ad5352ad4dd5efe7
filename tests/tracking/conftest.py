"""A shop with one campaign's mail to Alice, and the web routes of tracking in front of it, on each database."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.identities import lookup_of, resolve
from customers.tables import IdentityKind, customer_event
from customers.workspace import Workspace, parse_workspace
from delivery.front_matter import parse_template
from delivery.outbox import NewMessage, enqueue
from delivery.tables import MessageStatus, OriginKind, message
from tests.tracking.server import KEY, make_app
from tracking.events.write_keys import create_write_key
from tracking.handles import HandleFor, ensure_handles
from tracking.links import MessageLinks
from tracking.tokens import KeyRing

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks for httpx2 where httpx does as well
    from starlette.testclient import TestClient

__all__ = ["TestClient"]

WORKSPACE_DOCUMENT: Mapping[str, Any] = {
    "workspace": "shop",
    "name": "Fern & Kettle",
    "timezone": "Europe/London",
    "currency": "GBP",
    "country": "GB",
    "postal_address": "12 Mill Lane, Bath",
    "brand": {"color": "#24483a"},
    "attributes": {
        "first_name": {"kind": "text", "personal": True},
        "tier": {"kind": "text"},
        "visits": {"kind": "number"},
    },
    "events": {
        "page_viewed": {"properties": {"path": "text"}},
        "product_viewed": {"properties": {"product_id": "text", "price": "number"}},
    },
    "topics": {
        "marketing": {"name": "Letters and offers", "kind": "marketing"},
        "events": {"name": "Evenings in the shop", "kind": "marketing"},
        "transactional": {"name": "About your orders", "kind": "transactional"},
    },
}
TEMPLATE = """---
template: letter
channel: email
subject: A letter
topic: marketing
---
<mjml><mj-body><mj-section><mj-column>
<mj-button href="https://shop.example/tea?cup=1&amp;pot=2" tag="tea">Tea</mj-button>
<mj-button href="https://shop.example/garden">Garden</mj-button>
<mj-button href="https://shop.example/home">Home</mj-button>
<mj-button href="{{ entry.url }}">For you</mj-button>
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15"


@dataclass(frozen=True, slots=True)
class Mail:
    """A message to somebody, and the paths that stand in it."""

    message_id: str
    profile_id: int
    token_id: int
    lookup: str
    links: MessageLinks

    def path(self, name: str) -> str:
        return self.links.urls()[name].removeprefix("https://links.shop.example")

    def link(self, number: int, url: str | None = None) -> str:
        return self.links.write_link(number, url).removeprefix("https://links.shop.example")


SendMail = Callable[..., Mail]


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Vault]:
    opened = Vault(KEY, open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    opened.create_store()
    yield opened
    opened.close()


@pytest.fixture
def key_ring(vault: Vault) -> KeyRing:
    return KeyRing.derive(vault.signing_key, vault.key_version)


@pytest.fixture
def workspace() -> Workspace:
    return parse_workspace(WORKSPACE_DOCUMENT)


@pytest.fixture
def runtime(database: Database, vault: Vault, clock: ManualClock, tmp_path: Path) -> Runtime:
    settings = Settings(
        project=str(tmp_path), public_url="https://links.shop.example", cors_origins="https://shop.example"
    )
    with database.transaction() as connection:
        for kind, slug, document, source in (
            ("workspace", "shop", WORKSPACE_DOCUMENT, ""),
            ("template", "letter", {"text": TEMPLATE}, TEMPLATE),
        ):
            publish(connection, kind, slug, document=document, source=source, file=f"{slug}.mjml", now=clock.now())
    return Runtime(settings, database, vault, clock)


@pytest.fixture
def send_mail(runtime: Runtime, key_ring: KeyRing, clock: ManualClock) -> SendMail:
    """Puts a mail to somebody into the ledger as if it had been sent and, an hour ago, delivered."""

    def send(
        message_id: str = "m-1", email: str = "alice@shop.example", *, own_links: Mapping[str, str] | None = None
    ) -> Mail:
        now, vault = clock.now(), runtime.vault
        source, _ = parse_template(TEMPLATE, "letter.mjml")
        assert source is not None
        with runtime.database.transaction() as connection:
            profile_id = resolve(connection, vault, {IdentityKind.EMAIL: email}, now)
            assert profile_id is not None
            new = NewMessage(
                message_id, profile_id, "email", "marketing", "letter", OriginKind.CAMPAIGN, "letters", "launch-1", now
            )
            enqueue(connection, vault, [new], now)
            lookup = lookup_of(vault, IdentityKind.EMAIL, email)
            handle = HandleFor(message_id, lookup, "email", "marketing", profile_id)
            handles = ensure_handles(connection, [handle], now)
            connection.execute(
                update(message)
                .where(message.c.id == message_id)
                .values(
                    status=MessageStatus.SENT,
                    sent_at=now - timedelta(hours=1),
                    delivered_at=now - timedelta(hours=1),
                    lookup=lookup,
                    template_hash=source.content_hash,
                    links=vault.seal_document(profile_id, "message.links", own_links) if own_links else None,
                )
            )
            token_id = connection.execute(select(message.c.token_id).where(message.c.id == message_id)).scalar_one()
        links = MessageLinks("https://links.shop.example/", key_ring, token_id, handles[message_id])
        return Mail(message_id, profile_id, token_id, lookup, links)

    return send


@pytest.fixture
def app(runtime: Runtime) -> Starlette:
    """The routes of tracking with their writer running."""
    return make_app(runtime)


@pytest.fixture
def client(app: Starlette) -> Iterator[TestClient]:
    with TestClient(
        app, base_url="https://links.shop.example", follow_redirects=False, headers={"User-Agent": BROWSER}
    ) as running:
        yield running


@pytest.fixture
def secret_key(runtime: Runtime) -> str:
    with runtime.database.transaction() as connection:
        return create_write_key(connection, runtime.vault, kind="secret", name="backend", now=runtime.clock.now())


@pytest.fixture
def public_key(runtime: Runtime) -> str:
    with runtime.database.transaction() as connection:
        return create_write_key(connection, runtime.vault, kind="public", name="web", now=runtime.clock.now())


@pytest.fixture
def logged(runtime: Runtime) -> Callable[..., list[Any]]:
    """The entries of the customer log, in order, of these names where given."""

    def read(*names: str) -> list[Any]:
        with runtime.database.read() as connection:
            rows = connection.execute(select(customer_event).order_by(customer_event.c.id)).all()
        return [row for row in rows if not names or row.name in names]

    return read
