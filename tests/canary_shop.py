"""A shop into which marked values come by every entrance, with everything real behind them.

Each canary holds `MARK`, so that one word finds them all; numbers cannot, and stand beside it in `WORDS`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from sqlalchemy import select

import migrations
from campaigns.compose import Composer
from console.app import create_app
from console.check import check_project
from console.project import load_project
from console.publish import publish_project
from core.clock import ManualClock
from core.errors import has_errors
from core.keys import create_key
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from customers.imports.mapping import load_mapping
from customers.imports.run import run_import
from customers.profiles import find_profile
from customers.tables import IdentityKind
from customers.tasks import NewTask, create_tasks
from customers.workspace import get_workspace
from delivery.callbacks.events import read_event
from delivery.callbacks.ses_events import ProviderReport
from delivery.feedback import record_report
from delivery.providers.registry import create_transports
from delivery.tables import message
from delivery.worker import DeliveryResult, DeliveryWorker
from journeys.tick import tick
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.tracking.conftest import TestClient
from tracking.events.write_keys import create_write_key

NOW = datetime(2026, 6, 10, 10, tzinfo=UTC)
MARK = "kanarienvogel"
PHONE = "+442079460777"
WORDS = (MARK, PHONE.removeprefix("+"))

_PROJECT = {
    "workspace.yaml": """\
workspace: shop
name: Fern & Kettle
timezone: Europe/London
currency: GBP
country: GB
postal_address: 12 Mill Lane, Bath
topics: {marketing: {name: Letters, kind: marketing}}
senders: {letters: {channel: email, from: Shop <letters@shop.example>}}
attributes: {first_name: {kind: text, personal: true}, tier: {kind: text}}
events: {wish_made: {properties: {item: text}}}
""",
    "templates/letter.mjml": """\
---
template: letter
channel: email
subject: Dear {{ profile.first_name | default('friend') }}
topic: marketing
sender: letters
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>You wished for {{ entry.wish | default('tea') }}.</mj-text>
<mj-button href="https://shop.example/{{ entry.page | default('tea') }}">Here</mj-button>
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
""",
    "journeys/wish.yaml": """\
journey: wish
status: live
enter: {event: wish_made}
defaults: {topic: marketing}
steps:
  - {id: letter, email: letter, sender: letters}
  - {id: pause, wait: 30d}
""",
}
_PEOPLE = "import: profiles\nsource: till\ncolumns: {external_id: id, email: email, phone: phone, first_name: name}\n"
_CONSENTS = """\
import: consents
source: till
columns: {email: email, channel: channel, topic: topic, status: status, occurred_at: at, basis: {value: opt_in}}
"""
_STOPS = "import: suppressions\nsource: till\ncolumns: {email: email}\n"
_EVENTS = """\
import: events
source: till
columns: {type: type, message_id: id, external_id: who, name: event, occurred_at: at, properties: properties}
"""
_ORDERS = """\
import: orders
source: till
columns: {order_id: order, placed_at: at, external_id: who, email: email, sku: sku, quantity: pieces, unit_price: price}
"""


def email(name: str) -> str:
    return f"{name}.{MARK}@people.example"


@contextmanager
def opened(folder: Path, database_url: str) -> Iterator[Runtime]:
    """The shop, published, in `folder`; its mails go to a sandbox that keeps nothing on disk."""
    for name, text in _PROJECT.items():
        file = folder / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with SandboxServer(SandboxOptions()) as sandbox:
        settings = Settings(
            project=str(folder / "shop"),
            state=str(folder / "state"),
            database_url=database_url,
            key_file=str(folder / "key" / "shop.key"),
            aws_endpoint_url=sandbox.url,
            ingestion="log",
        )
        create_key(settings.key_path("shop"))
        migrations.upgrade(database_url)
        with open_runtime(settings, "shop", ManualClock(NOW)) as runtime:
            checked = check_project(load_project(settings.project_folder))
            assert not has_errors(checked.faults), checked.faults
            with runtime.database.transaction() as connection:
                publish_project(connection, checked.project, NOW)
            yield runtime


def import_everything(runtime: Runtime, given: Path) -> None:
    """Every kind of file, in every format; `given` holds the files that a person made, and is theirs."""
    people = [
        {"id": f"p{number}", "email": email(f"p{number}"), "phone": "", "name": f"{MARK}{number}"} for number in "123"
    ]
    people[0]["phone"] = PHONE
    rejected = {"id": "p9", "email": f"no address {MARK}", "phone": f"12 {MARK}", "name": MARK}
    _import(runtime, given, _PEOPLE, "people.csv", _csv([people[0], rejected]))
    _import(runtime, given, _PEOPLE, "people.jsonl", _lines([people[1]]))
    table = given / "people.parquet"
    given.mkdir(exist_ok=True)
    (given / "third.json").write_text(json.dumps([people[2]]))
    duckdb.read_json(str(given / "third.json")).write_parquet(str(table))
    _import(runtime, given, _PEOPLE, table.name, None)
    at = NOW.isoformat()
    consents = [
        {"email": email(name), "channel": "email", "topic": "marketing", "status": status, "at": at}
        for name, status in (("p1", "granted"), ("web", "granted"), ("p2", "withdrawn"), ("stranger", "withdrawn"))
    ]
    consents.append(consents[0] | {"status": "perhaps"})
    _import(runtime, given, _CONSENTS, "consents.csv", _csv(consents))
    _import(runtime, given, _STOPS, "stops.csv", _csv([{"email": email("p3")}, {"email": f"none {MARK}"}]))
    events = [
        {"type": "track", "id": f"e{number}", "who": who, "event": "wish_made", "at": at, "properties": properties}
        for number, (who, properties) in enumerate(
            [("p1", {"item": "tea", "wish": MARK}), ("", {"item": "tea", "wish": MARK}), ("a" * 200, {"wish": MARK})]
        )
    ]
    _import(runtime, given, _EVENTS, "events.jsonl", _lines(events))
    order = {"order": "1", "at": "2026-05-01", "who": "p1", "email": email("order"), "sku": "TEA-1", "pieces": "1"}
    orders = [order | {"price": "3.50"}, order | {"order": "2", "pieces": "many", "price": "3.50"}]
    _import(runtime, given, _ORDERS, "orders.csv", _csv(orders))


def call_everything(runtime: Runtime) -> None:
    """Every call of the event spec that carries something personal, and two that are refused."""
    with runtime.database.transaction() as connection:
        key = create_write_key(connection, runtime.vault, kind="secret", name="backend", now=NOW)
    web = {"userId": "web", "anonymousId": "browser-1"}
    calls = [
        {
            "type": "identify",
            **web,
            "traits": {"email": email("web"), "phone": PHONE, "firstName": MARK, "hobby": MARK},
        },
        {
            "type": "track",
            **web,
            "event": "Wish Made",
            "properties": {"item": "tea", "wish": MARK, "page": f"p/{MARK}"},
        },
        {"type": "track", "anonymousId": "browser-2", "event": "Wish Made", "properties": {"wish": MARK}},
        {"type": "page", **web, "name": MARK, "properties": {"title": MARK}, "context": {"page": {"search": MARK}}},
        {"type": "track", **web, "event": "Order Completed", "properties": _order(email("buyer"))},
        {"type": "group", **web, "groupId": "acme", "traits": {"contact": MARK}},
        {"type": "alias", "userId": "web", "traits": {"email": email("alias")}},
        {"type": MARK, "userId": "web", "traits": {"email": email("nonsense")}},
    ]
    batch = [{"messageId": f"c{number}", **call} for number, call in enumerate(calls)]
    with TestClient(create_app(runtime)) as client:
        answer = client.post("/v1/batch", json={"batch": batch}, auth=(key, ""))
        assert (answer.status_code, answer.json()["left_out"]) == (200, 1), (
            answer.text
        )  # the other one when it is loaded
        _keep_segments(runtime)
        assert client.post("/v1/identify", json=batch[0], auth=("unknown", "")).status_code == 401


def _keep_segments(runtime: Runtime) -> None:
    """The log as it was before it was loaded and deleted."""
    segments = list(runtime.settings.ingestion_folder.glob("*/*.log"))
    assert segments
    for segment in segments:
        shutil.copy(segment, runtime.settings.state_folder / segment.name)


def send_and_report(runtime: Runtime) -> DeliveryResult:
    """The journey's letter goes out, and its provider and strangers' providers report with the address in clear."""
    tick(runtime, NOW)
    worker = DeliveryWorker(runtime, create_transports(runtime.settings), Composer(runtime).compose, name="canary")
    try:
        result = worker.deliver(NOW)
    finally:
        worker.close()
    with runtime.database.transaction() as connection:
        sent = connection.execute(select(message.c.id).where(message.c.sent_at.is_not(None)).limit(1)).scalar_one()
        for number, message_id in enumerate((sent, "unknown")):
            text = _bounce(message_id, email("web"))
            report = read_event(text, NOW)
            assert isinstance(report, ProviderReport)
            record_report(
                connection,
                runtime.vault,
                report,
                key=f"sns:{number}",
                document=text,
                received_at=NOW,
            )
    return result


def set_a_task(runtime: Runtime) -> None:
    """A task about somebody, and one about nobody."""
    with runtime.database.transaction() as connection:
        owner = find_profile(connection, runtime.vault, IdentityKind.EXTERNAL_ID, "web")
        tasks = [
            NewTask("t1", f"Call {MARK} back", profile_id=owner, body=f"She asked: {MARK}", due_at=NOW),
            NewTask("t2", f"Look for {MARK}", body=MARK),
        ]
        assert create_tasks(connection, runtime.vault, get_workspace(connection), tasks, NOW) == {"t1", "t2"}


def _import(runtime: Runtime, given: Path, mapping: str, name: str, text: str | None) -> None:
    given.mkdir(exist_ok=True)
    file, yaml = given / name, given / f"{name}.yaml"
    if text is not None:
        file.write_text(text)
    yaml.write_text(mapping)
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
    loaded = load_mapping(yaml, workspace)
    rejects = runtime.settings.state_folder / "rejects" / f"{name}.csv"
    quiet: Callable[[int, int | None], None] = lambda _done, _total: None  # noqa: E731 # a name for its type
    result = run_import(runtime, workspace, loaded.kind, file, loaded, progress=quiet, rejects_file=rejects, now=NOW)
    assert result.imported_count, (name, result)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    return "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n"


def _lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _order(address: str) -> dict[str, Any]:
    products = [{"product_id": "TEA-1", "quantity": 1, "price": 3.5}]
    return {"order_id": "w1", "currency": "GBP", "products": products, "email": address, "gift_note": MARK}


def _bounce(message_id: str, address: str) -> str:
    bounced = [{"emailAddress": address, "diagnosticCode": f"550 no {address}"}]
    mail = {"messageId": f"provider-{message_id}", "destination": [address], "tags": {"mid": [message_id]}}
    body = {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": bounced}
    stamped = {"timestamp": NOW.isoformat()}
    return json.dumps({"eventType": "Bounce", "mail": mail | stamped, "bounce": body | stamped})
