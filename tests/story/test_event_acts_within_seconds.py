"""An event acts within seconds: posted to the running server, it starts a journey, its mail is with the provider, and
a system that follows by webhook knows of it. Real server, real heartbeat, real clock.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

import journeys.heartbeat
from console.check import check_project
from console.project import load_project
from console.publish import publish_project
from console.server import serving
from core.errors import has_errors
from core.keys import create_key
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from examples.commands import free_port
from examples.shop.mailbox import Mailbox
from journeys.heartbeat import keep_beating
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from tests.delivery.certificates import Authority
from tests.delivery.https_server import HttpsServer
from tracking.events.write_keys import create_write_key
from tracking.outgoing.turns import Turns

log = logging.getLogger(__name__)

LIMIT_S = 60  # a generous bound for a busy machine; at rest it is one or two seconds
FILES = {
    "workspace.yaml": """\
workspace: shop
timezone: Europe/London
currency: GBP
events:
  warranty_registered: {properties: {product: text}}
topics:
  service: {name: About your purchase, kind: transactional}
senders:
  desk: {from: Fern & Kettle <desk@shop.example>, channel: email}
webhooks:
  crm: {url: "HOOK", events: [warranty_registered]}
""",
    "journeys/warranty.yaml": """\
journey: warranty
name: Warranty
owner: desk@shop.example
status: live
enter: {event: warranty_registered}
defaults: {topic: service}
steps:
  - id: thanks
    email: warranty
    sender: desk
""",
    "templates/warranty.mjml": """\
---
template: warranty
channel: email
kind: transactional
topic: service
subject: Your warranty
---
<mjml><mj-body><mj-section><mj-column><mj-text>It is registered.</mj-text></mj-column></mj-section></mj-body></mjml>
""",
}


def project(folder: Path, hook: str) -> Path:
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("HOOK", hook), encoding="utf-8")
    return folder


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpsServer]:
    """A receiver on this machine, whose certificate the heartbeat believes."""
    authority = Authority(tmp_path)

    def trusting(runtime: Runtime, *, is_stopped: Callable[[], bool]) -> Turns:
        return Turns(runtime, tls=authority.trusting, is_stopped=is_stopped)

    monkeypatch.setattr(journeys.heartbeat, "Turns", trusting)
    with HttpsServer(authority.server, keeps_open=True) as server:
        yield server


@contextmanager
def beating(runtime: Runtime) -> Iterator[None]:
    over = threading.Event()
    heart = threading.Thread(
        target=keep_beating, args=(runtime,), kwargs={"life": timedelta(minutes=10), "is_stopped": over.is_set}
    )
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join(30)


def test_the_mail_is_out_and_the_follower_knows_when_an_event_came_in_seconds_ago(
    database_url: str, tmp_path: Path, hook: HttpsServer
) -> None:
    port = free_port()
    with SandboxServer(SandboxOptions()) as sandbox:
        settings = Settings(
            project=str(project(tmp_path / "shop", hook.url)),
            state=str(tmp_path / "state"),
            database_url=database_url,
            keys_url=f"sqlite:///{tmp_path / 'keys' / 'keys.db'}",
            key_file=str(tmp_path / "key" / "shop.key"),
            public_url=f"http://127.0.0.1:{port}",
            port=str(port),
            aws_endpoint_url=sandbox.url,
            workers="2",
        )
        create_key(settings.key_path("shop"))
        with open_runtime(settings, "shop") as runtime:
            checked = check_project(load_project(settings.project_folder))
            assert not has_errors(checked.faults), checked.faults
            with runtime.database.transaction() as connection:
                now = runtime.clock.now()
                publish_project(connection, checked.project, now)
                key = create_write_key(connection, runtime.vault, kind="secret", name="backend", now=now)
            mailbox = Mailbox(sandbox.url)
            with serving(runtime), beating(runtime):
                time.sleep(2.5)  # the webhook begins with what happens from now on
                for number in range(2):  # the first one also loads the provider's library
                    address = f"alice{number}@mail.sandbox.invalid"
                    begun = time.monotonic()
                    post(settings.public_url, key, address)
                    mailed_s = seconds_until(lambda: bool(list(mailbox.fetch())), begun)
                    called_s = seconds_until(lambda: bool(hook.calls), begun)
                    hook.calls.clear()
                    log.info("mail after %.2f s, webhook after %.2f s", mailed_s, called_s)


def post(url: str, key: str, email: str) -> None:
    who = {"userId": email.partition("@")[0], "type": "identify", "messageId": f"i-{email}", "traits": {"email": email}}
    what = {"userId": who["userId"], "type": "track", "event": "Warranty Registered", "messageId": f"t-{email}"}
    request = Request(f"{url}/v1/batch", json.dumps({"batch": [who, what]}).encode())
    request.add_header("Authorization", f"Basic {base64.b64encode(f'{key}:'.encode()).decode()}")
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 200


def seconds_until(is_so: Callable[[], bool], begun: float) -> float:
    while not is_so():
        assert time.monotonic() - begun < LIMIT_S, "nothing happened"
        time.sleep(0.05)
    return round(time.monotonic() - begun, 2)
