"""The story of one customer: from her first event to her second order, through everything that really runs.

A small generated shop is published and imported; Alice arrives by HTTP, gets her mail by boto3 from the sandbox, clicks
an offer, orders, and leaves by one click. Her address must stand nowhere in clear.
"""

from __future__ import annotations

import csv
import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from time import sleep
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

import pytest
from sqlalchemy import func, select

from campaigns.compose import Composer
from campaigns.due import choose_occurrence
from campaigns.launch import launch_campaign
from campaigns.reports import build_report
from campaigns.variants import is_held_out
from console.check import check_project
from console.people import get_profile_id
from console.project import load_project
from console.publish import publish_project
from console.server import serving
from core.clock import ManualClock
from core.errors import has_errors
from core.keys import create_key
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from customers.imports.mapping import load_mapping
from customers.imports.run import run_import
from customers.tables import profile
from customers.workspace import get_workspace
from delivery.providers.registry import create_transports
from delivery.tables import MessageStatus, message
from delivery.worker import DeliveryWorker
from examples.commands import free_port
from examples.shop.generate import NOW, generate
from examples.shop.mailbox import Mail, Mailbox
from journeys.tick import tick
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from segments.membership import is_member
from segments.refresh import refresh_all
from tracking.attribution import credit_orders
from tracking.engagement import settle_engagement
from tracking.events.write_keys import create_write_key
from tracking.tables import conversion

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"
ALICE = "alice.canary+7f3a@mail.sandbox.invalid"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
MINUTES = timedelta(minutes=1)


@dataclass
class Stage:
    """Everything that runs: engine, web server, sandbox, and one clock."""

    runtime: Runtime
    clock: ManualClock
    mailbox: Mailbox
    write_key: str
    folder: Path

    def post(self, *calls: dict[str, Any]) -> None:
        secret = b64encode(f"{self.write_key}:".encode()).decode()
        status, _location = self.ask("POST", "/v1/batch", json.dumps({"batch": calls}).encode(), f"Basic {secret}")
        assert status == 200

    def ask(self, method: str, path: str, body: bytes | None = None, authorization: str = "") -> tuple[int, str]:
        request = Request(self.runtime.settings.public_url + path, body, method=method)
        request.add_header("User-Agent", AGENT)
        if authorization:
            request.add_header("Authorization", authorization)
        try:
            with _opener().open(request, timeout=10) as answer:
                return answer.status, ""
        except HTTPError as answer:
            return answer.code, answer.headers.get("Location") or ""

    def read(self, path: str) -> str:
        with _opener().open(self.runtime.settings.public_url + path, timeout=10) as answer:
            page: bytes = answer.read()
        return page.decode()

    def deliver(self) -> None:
        worker = DeliveryWorker(
            self.runtime, create_transports(self.runtime.settings), Composer(self.runtime).compose, name="story"
        )
        tick(self.runtime, self.clock.now())
        while worker.deliver(self.clock.now()).claimed:
            pass
        worker.close()
        for _attempt in range(400):
            if self.mailbox.events_are_out():
                return
            sleep(0.02)
        pytest.fail("the sandbox still has events to tell")

    def mail_to(self, address: str) -> Mail:
        (mail,) = [mail for mail in self.mailbox.fetch() if mail.to == address]
        return mail

    def pass_time(self, length: timedelta) -> None:
        """Let time pass, and what opens, clicks and orders have become certain take effect."""
        self.clock.advance(length)
        with self.runtime.database.transaction() as connection:
            workspace = get_workspace(connection)
            settle_engagement(connection, self.runtime.vault, workspace, self.clock.now())
            credit_orders(connection, self.clock.now())


class _KeepRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any) -> None:
        return None


def _opener() -> OpenerDirector:
    return build_opener(_KeepRedirect)


@pytest.fixture(scope="session")
def shop_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    generate(folder, profiles=120, order_lines=1500, events=1500)
    return folder


@pytest.fixture
def stage(database_url: str, tmp_path: Path, shop_data: Path) -> Iterator[Stage]:
    clock = ManualClock(NOW)
    port = free_port()
    options = SandboxOptions(
        folder=tmp_path / "sandbox",
        certificates=tmp_path / "certificates",
        feedback_url=f"http://127.0.0.1:{port}/v1/callbacks/ses",
    )
    with SandboxServer(options) as sandbox:
        settings = Settings(
            project=str(SHOP),
            state=str(tmp_path / "state"),
            database_url=database_url,
            keys_url=f"sqlite:///{tmp_path / 'keys' / 'keys.db'}",
            key_file=str(tmp_path / "key" / "shop.key"),
            public_url=f"http://127.0.0.1:{port}",
            port=str(port),
            aws_endpoint_url=sandbox.url,
            sns_topics=options.topic_arn,
            sns_certificates=str(options.certificates),
            workers="4",
            ingestion="database",  # the clock stands still: what was answered is stored
        )
        create_key(settings.key_path("shop"))
        with open_runtime(settings, "shop", clock) as runtime:
            write_key = _prepare(runtime, shop_data, tmp_path)
            with serving(runtime):
                yield Stage(runtime, clock, Mailbox(sandbox.url), write_key, tmp_path)


def _prepare(runtime: Runtime, data: Path, folder: Path) -> str:
    checked = check_project(load_project(SHOP))
    assert not has_errors(checked.faults)
    with runtime.database.transaction() as connection:
        publish_project(connection, checked.project, runtime.clock.now())
        workspace = get_workspace(connection)
    for kind, ending in (("profiles", "csv"), ("products", "csv"), ("orders", "csv"), ("events", "jsonl")):
        run_import(
            runtime,
            workspace,
            kind,
            data / f"{kind}.{ending}",
            load_mapping(SHOP / "imports" / f"{kind}.yaml", workspace),
            progress=lambda _done, _total: None,
            rejects_file=folder / "rejects" / f"{kind}.csv",
            now=runtime.clock.now(),
        )
    with runtime.database.transaction() as connection:
        return create_write_key(connection, runtime.vault, kind="secret", name="backend", now=runtime.clock.now())


def _track(event: str, number: str, at: str, who: dict[str, str], properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "track", "event": event, "messageId": number, "timestamp": at, "properties": properties} | who


def _order(number: str, sku: str, quantity: int, price: float, **more: str) -> dict[str, Any]:
    products = [{"product_id": sku, "quantity": quantity, "price": price}]
    return {"order_id": number, "currency": "GBP", "products": products, **more}


_KNOWN, _BROWSER = {"userId": "ALICE"}, {"anonymousId": "browser-1"}
_CONSENTS = """\
import: consents
source: signup
columns:
  email: email
  channel: channel
  topic: topic
  status: status
  occurred_at: at
  basis: {value: opt_in}
"""


def _arrive(stage: Stage, folder: Path) -> None:
    """Alice looks around, signs up with consent, and orders for the first time."""
    at = stage.clock.now().isoformat()
    _let_others_go_first(stage, at)
    traits = {"email": ALICE, "firstName": "Alice"}
    stage.post(
        _track("Product Viewed", "a1", at, _BROWSER, {"product_id": "TEA-101", "price": 9.5}),
        {"type": "identify", "messageId": "a2", "timestamp": at, "traits": traits} | _BROWSER | _KNOWN,
        _track("Order Completed", "a3", at, _KNOWN, _order("alice-1", "TEA-101", 1, 9.5)),
    )
    mapping = folder / "consents.yaml"
    mapping.write_text(_CONSENTS)
    file = folder / "consents.csv"
    with file.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["email", "channel", "topic", "status", "at"])
        writer.writerow([ALICE, "email", "marketing", "granted", at])
    with stage.runtime.database.read() as connection:
        workspace = get_workspace(connection)
    result = run_import(
        stage.runtime, workspace, "consents", file, load_mapping(mapping, workspace),
        progress=lambda _done, _total: None, rejects_file=folder / "rejects" / "consents.csv", now=stage.clock.now(),
    )  # fmt: skip
    assert (result.imported_count, result.rejected_count) == (1, 0)
    file.unlink()  # a file that a person wrote; the search below is about ours


def _let_others_go_first(stage: Stage, at: str) -> None:
    """Holdouts are drawn by a hash of the profile's number, and this story is about somebody who gets the mail."""
    with stage.runtime.database.read() as connection:
        number = connection.execute(select(func.max(profile.c.id))).scalar_one() + 1
    while is_held_out("summer_picks", Decimal(10), number):
        stage.post({"type": "identify", "messageId": f"guest-{number}", "userId": f"GUEST-{number}", "timestamp": at})
        number += 1


def _launch(stage: Stage, *, again: bool = False) -> None:
    with stage.runtime.database.read() as connection:
        occurrence = choose_occurrence(connection, "summer_picks", stage.clock.now(), again=again)
    launch_campaign(stage.runtime, "summer_picks", occurrence, stage.clock.now())
    stage.clock.advance(MINUTES)  # the campaign's own pace spreads its messages


def _profile(stage: Stage) -> int:
    with stage.runtime.database.read() as connection:
        return get_profile_id(connection, stage.runtime.vault, get_workspace(connection), "ALICE")


def test_one_customer_from_first_event_to_second_order(stage: Stage) -> None:
    _arrive(stage, stage.folder)
    refresh_all(stage.runtime)
    alice = _profile(stage)
    with stage.runtime.database.read() as connection:
        assert is_member(connection, "newsletter", alice)

    _launch(stage)
    stage.deliver()
    mail = stage.mail_to(ALICE)
    assert mail.offers
    assert mail.pixel
    stage.clock.advance(30 * MINUTES)
    assert stage.ask("GET", urlsplit(mail.pixel).path)[0] == 200
    stage.clock.advance(MINUTES)
    status, shop_page = stage.ask("GET", urlsplit(mail.offers[0]).path)
    assert status == 302
    assert shop_page.startswith("https://shop.example/")
    decision = parse_qs(urlsplit(shop_page).query)["d"][0]
    stage.clock.advance(5 * MINUTES)
    order = _order("alice-2", "TEA-102", 2, 12.0, decision_id=decision)
    stage.post(_track("Order Completed", "a4", stage.clock.now().isoformat(), _KNOWN, order))
    stage.pass_time(MINUTES)

    with stage.runtime.database.read() as connection:
        row = connection.execute(
            select(message).where(message.c.profile_id == alice, message.c.origin == "summer_picks")
        ).one()
        assert row.status == MessageStatus.SENT
        assert row.delivered_at is not None
        credited = connection.execute(select(conversion).where(conversion.c.message_id == row.id)).one()
        assert (credited.amount, credited.rule) == (2400, "clicked")
        assert build_report(connection, stage.clock.now(), "summer_picks").as_dict()

    view = next(link for link in mail.links if "/v/" in link)
    assert "Alice" not in stage.read(urlsplit(view).path)  # mail is forwarded: what is sealed is not shown

    assert mail.unsubscribe
    leave = urlsplit(mail.unsubscribe).path
    assert stage.ask("GET", leave)[0] == 200  # a link scanner looks at it, and nothing happens
    _launch(stage, again=True)
    assert stage.ask("POST", leave, b"List-Unsubscribe=One-Click")[0] == 200
    stage.deliver()
    with stage.runtime.database.read() as connection:
        later = connection.execute(
            select(message.c.status, message.c.reason).where(
                message.c.profile_id == alice, message.c.origin == "summer_picks", message.c.id != row.id
            )
        ).one()
    assert later == (MessageStatus.SKIPPED, "consent")
    _search_everywhere(stage)


def _search_everywhere(stage: Stage) -> None:
    """The planted address stands in no file, table or log of ours in clear."""
    canary = ALICE.encode()
    ours = [path for path in stage.folder.rglob("*") if path.is_file() and "sandbox" not in path.parts]
    assert [path.name for path in ours if canary in path.read_bytes()] == []
    with stage.runtime.database.read() as connection:
        if not stage.runtime.database.is_sqlite:
            tables = connection.exec_driver_sql(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            ).scalars()
            for table in list(tables):
                found = connection.exec_driver_sql(
                    f"SELECT count(*) FROM \"{table}\" t WHERE strpos(t::text, '{ALICE}') > 0"
                ).scalar_one()
                assert (table, found) == (table, 0)
