"""A running sandbox, boto3 clients for it, and a receiver of notifications."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer

SENDER = "Fern & Field <hello@fernfield.example>"
WAIT_SECONDS = 8.0
_session = boto3.Session(aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="secret", region_name="eu-central-1")

Client = Callable[[str], Any]


@cache
def client_for(url: str, service: str) -> Any:
    """Unmodified boto3 that tries once."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=10)
    return _session.client(service, endpoint_url=url, config=config)  # type: ignore[call-overload]


def mail_to(*recipients: str, **changes: Any) -> dict[str, Any]:
    """The arguments of a complete SendEmail."""
    simple = {
        "Subject": {"Data": "Your lantern"},
        "Body": {"Html": {"Data": "<p>Dear Alice</p>"}, "Text": {"Data": "Dear Alice"}},
        "Headers": [{"Name": "List-Unsubscribe", "Value": "<https://fernfield.example/u/1>"}],
    }
    return {
        "FromEmailAddress": SENDER,
        "Destination": {"ToAddresses": list(recipients)},
        "Content": {"Simple": simple},
        "EmailTags": [{"Name": "mid", "Value": "m-1"}],
        "ConfigurationSetName": "postilion",
        **changes,
    }


def wait_until(condition: Callable[[], Any]) -> Any:
    """What `condition` returned when it first was true."""
    until = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)
    return found


class Receiver:
    """An endpoint that keeps what it is sent; answers the statuses in `answers` first, then 200."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.answers.pop(0) if receiver.answers else 200
                if status == 200:
                    receiver.received.append(json.loads(body))
                    receiver.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/feedback"

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in list(self.received) if one.get("Type") == kind]

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(one["Message"]) for one in self.of_kind("Notification")]


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(seed=7)) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(shared_sandbox: SandboxServer) -> SandboxServer:
    """A sandbox without mail; topics, queues and configuration sets of other tests may stand."""
    httpx.post(f"{shared_sandbox.url}/sandbox/reset").raise_for_status()
    return shared_sandbox


@pytest.fixture
def aws(sandbox: SandboxServer) -> Client:
    return lambda service: client_for(sandbox.url, service)


@pytest.fixture
def web(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url) as web:
        yield web


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def wired(receiver: Receiver, tmp_path: Path) -> Iterator[SandboxServer]:
    """A sandbox whose events go to `receiver`, which has confirmed."""
    options = SandboxOptions(certificates=tmp_path / "certificates", feedback_url=receiver.url, seed=3)
    with SandboxServer(options) as sandbox:
        confirm(sandbox, receiver)
        yield sandbox


def confirm(sandbox: SandboxServer, receiver: Receiver) -> None:
    asked = wait_until(lambda: receiver.of_kind("SubscriptionConfirmation"))[0]
    client_for(sandbox.url, "sns").confirm_subscription(TopicArn=asked["TopicArn"], Token=asked["Token"])
