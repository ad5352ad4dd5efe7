"""Looking a customer up over HTTP: only with a read key, never by an address in a URL, and gone when erased."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from sqlalchemy import update

from console.server import serving
from core.clock import ManualClock
from core.database import Database
from core.keys import WorkspaceKey
from core.runtime import Runtime
from core.settings import Settings
from core.vault import Vault, open_key_store
from customers.tables import profile
from examples.commands import free_port
from tests.console.alice import EMAIL, NOW, live, publish_workspace
from tracking.events.write_keys import create_write_key


@dataclass(frozen=True, slots=True)
class Shop:
    """A running server with Alice in it, and a key of each kind."""

    runtime: Runtime
    url: str
    alice: int
    read_key: str
    write_key: str

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, key: str | None = None, basic: bool = False
    ) -> tuple[int, Mapping[str, str], bytes]:
        key = self.read_key if key is None else key
        word = f"Basic {b64encode(f':{key}'.encode()).decode()}" if basic else f"Bearer {key}"
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        connection.request(method, path, body, {"Authorization": word} if key else {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    def json(self, method: str, path: str, document: object = None, **asked: Any) -> tuple[int, Any]:
        body = json.dumps(document).encode() if document is not None else None
        status, _headers, content = self.ask(method, path, body, **asked)
        return status, json.loads(content)


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Shop]:
    vault = Vault(WorkspaceKey((bytes(32),)), open_key_store(f"sqlite:///{tmp_path / 'keys.db'}"))
    vault.create_store()
    runtime = Runtime(Settings(port=str(free_port())), database, vault, ManualClock(NOW))
    with database.transaction() as connection:
        alice = live(connection, vault, publish_workspace(connection))
        read = create_write_key(connection, vault, kind="read", name="helpdesk", now=NOW)
        write = create_write_key(connection, vault, kind="secret", name="backend", now=NOW)
    with serving(runtime) as url:
        yield Shop(runtime, url, alice, read, write)
    vault.close()


def test_answers_profile_and_timeline_when_asked_by_any_identifier(shop: Shop) -> None:
    status, by_id = shop.json("GET", f"/v1/profiles/{shop.alice}")
    assert (status, by_id["profile"]["name"]) == (200, "Alice Archer")
    assert by_id["timeline"]["entries"][0]["title"] == "Asked for a copy of the data"
    for asked in ({"email": EMAIL.upper()}, {"phone": "07700 900123"}, {"external_id": "C-1042"}):
        assert shop.json("POST", "/v1/profiles/lookup", asked) == (200, by_id)


def test_pages_by_place_when_the_history_is_long(shop: Shop) -> None:
    found, path = [], f"/v1/profiles/{shop.alice}/timeline?limit=4"
    while path:
        _status, page = shop.json("GET", path)
        found += page["entries"]
        path = f"/v1/profiles/{shop.alice}/timeline?limit=4&after={page['next']}" if page["next"] else ""
    assert found == shop.json("GET", f"/v1/profiles/{shop.alice}")[1]["timeline"]["entries"]
    _status, orders = shop.json("GET", f"/v1/profiles/{shop.alice}/timeline?group=orders")
    assert [entry["name"] for entry in orders["entries"]] == ["order_returned", "order_placed"]


def test_refuses_when_the_key_is_missing_unknown_or_for_writing(shop: Shop) -> None:
    for path in (f"/v1/profiles/{shop.alice}", "/profiles", f"/profiles/{shop.alice}"):
        for key in ("", "read_nonsense", shop.write_key):
            status, headers, content = shop.ask("GET", path, key=key)
            assert (status, b"read key" in content) == (401, True)
            assert headers["www-authenticate"].startswith("Basic")


def test_stores_nothing_when_a_read_key_posts_events(shop: Shop) -> None:
    call = {"batch": [{"type": "track", "userId": "C-1042", "event": "Product Viewed", "messageId": "1"}]}
    status, document = shop.json("POST", "/v1/batch", call, basic=True)
    assert (status, "write key" in document["error"]) == (401, True)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("GET", "/v1/profiles/999", None, 404, "no profile 999"),
        ("GET", "/v1/profiles/1/timeline?limit=0", None, 400, "1 to 500"),
        ("GET", "/v1/profiles/1/timeline?after=yesterday", None, 400, "`next`"),
        ("GET", "/v1/profiles/1/timeline?group=money", None, 400, "orders, messages"),
        ("POST", "/v1/profiles/lookup", b"[]", 400, "JSON object"),
        ("POST", "/v1/profiles/lookup", b"\xff{", 400, "JSON object"),
        ("POST", "/v1/profiles/lookup", b"{}", 400, "exactly one"),
        ("POST", "/v1/profiles/lookup", b'{"email": "a@example.org", "phone": "+4477"}', 400, "exactly one"),
        ("POST", "/v1/profiles/lookup", b'{"name": "Alice"}', 400, "exactly one"),
        ("POST", "/v1/profiles/lookup", b'{"email": "no address"}', 400, "e-mail"),
        ("POST", "/v1/profiles/lookup", b'{"email": "nobody@example.org"}', 404, "nobody is known"),
        ("POST", "/v1/profiles/lookup", b'{"email": "' + b"a" * 20_000 + b'"}', 400, "10,000"),
    ],
)
def test_says_what_is_wrong_when_the_question_is(
    shop: Shop, method: str, path: str, body: bytes | None, status: int, words: str
) -> None:
    answer, _headers, content = shop.ask(method, path, body)
    assert (answer, words in json.loads(content)["error"]) == (status, True), content


def test_shows_the_page_when_somebody_is_found(shop: Shop) -> None:
    form = urlencode({"who": EMAIL}).encode()
    status, headers, _content = shop.ask("POST", "/profiles", form, basic=True)
    assert (status, headers["location"]) == (303, f"/profiles/{shop.alice}")
    status, headers, content = shop.ask("GET", headers["location"], basic=True)
    assert status == 200
    assert headers["cache-control"] == "no-store, private"
    assert "default-src 'none'" in headers["content-security-policy"]
    html = content.decode()
    for words in ("Alice Archer", EMAIL, "The spout drips", "Ordered for £67.50", "Archer &amp; Daughters Ltd"):
        assert words in html
    assert "<script" not in html


def test_says_so_when_nobody_is_found(shop: Shop) -> None:
    status, _headers, content = shop.ask("POST", "/profiles", urlencode({"who": "x"}).encode(), basic=True)
    assert (status, b"Nobody was found" in content) == (404, True)


def test_leads_to_the_survivor_when_the_profile_was_merged(shop: Shop) -> None:
    with shop.runtime.database.transaction() as connection:
        values = {"status": "merged", "merged_into": shop.alice, "created_at": NOW, "updated_at": NOW}
        merged = connection.execute(profile.insert().values(values).returning(profile.c.id)).scalar_one()
    for path in ("/v1/profiles", "/profiles"):
        status, headers, _content = shop.ask("GET", f"{path}/{merged}")
        assert (status, headers["location"]) == (308, f"{path}/{shop.alice}")


@pytest.mark.parametrize(
    ("values", "words"), [({"status": "restricted"}, "used for nothing"), ({"objected_at": NOW}, "Objected")]
)
def test_warns_when_the_customer_said_stop(shop: Shop, values: Mapping[str, object], words: str) -> None:
    with shop.runtime.database.transaction() as connection:
        connection.execute(update(profile).where(profile.c.id == shop.alice).values(**values))
    assert words in shop.ask("GET", f"/profiles/{shop.alice}")[2].decode()


def test_shows_nothing_when_the_profile_was_erased(shop: Shop) -> None:
    with shop.runtime.database.transaction() as connection:
        connection.execute(update(profile).where(profile.c.id == shop.alice).values(status="erased"))
    status, _headers, content = shop.ask("GET", f"/profiles/{shop.alice}")
    assert (status, EMAIL.encode() in content) == (410, False)
    assert shop.json("GET", f"/v1/profiles/{shop.alice}")[1]["profile"]["attributes"] == {}


def test_escapes_what_customers_typed_when_it_is_shown(shop: Shop) -> None:
    from customers.profiles import set_attributes
    from customers.workspace import get_workspace

    runtime = shop.runtime
    with runtime.database.transaction() as connection:
        name = {"first_name": "<script>alert(1)</script>"}
        set_attributes(connection, runtime.vault, get_workspace(connection), shop.alice, name, NOW)
    html = shop.ask("GET", f"/profiles/{shop.alice}")[2].decode()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
