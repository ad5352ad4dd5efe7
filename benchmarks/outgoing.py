"""Events out: how many a second one webhook takes in batches of 100 and of 500, its receiver answering after 20 ms, and
how many a second one follower reads by the cursor over HTTP. Receiver and web server are processes of their own.

Calls of one webhook follow each other, so 20 ms bound batches of 100 to 5,000 events a second.
"""

from __future__ import annotations

import argparse
import json
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

import migrations
from core.definitions import publish
from core.keys import create_key
from core.runtime import Runtime, open_runtime
from core.settings import Settings, child_environment
from customers.identities import resolve
from customers.log import NewEvent, append_events
from customers.tables import IdentityKind
from customers.workspace import WebhookSpec, parse_workspace
from examples.commands import free_port
from tests.delivery.certificates import Authority
from tracking.events.write_keys import create_write_key
from tracking.outgoing.endpoints import begin
from tracking.outgoing.sending import Sender

ROOT = Path(__file__).resolve().parent.parent
LATENCY_S = 0.02
PAGE = 1_000
_WORKSPACE = {
    "workspace": "bench",
    "timezone": "Europe/London",
    "currency": "GBP",
    "events": {"product_viewed": {"properties": {"product_id": "text", "price": "number", "path": "text"}}},
}
_PEOPLE = 500
_WRITTEN_AT_ONCE = 5_000


class _Page(msgspec.Struct):
    events: list[msgspec.Raw]
    cursor: str
    has_more: bool


def measure(event_count: int) -> dict[str, float]:
    """Events a second; personal properties are neither sent nor read."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        settings = Settings(
            project=name, state=name, key_file=str(folder / "bench.key"), port=str(port), log_level="WARNING"
        )
        create_key(settings.key_path("bench"))
        migrations.upgrade(settings.database)
        with open_runtime(settings, "bench") as runtime:
            with runtime.database.transaction() as connection:
                for webhook in ("of_100", "of_500"):
                    begin(connection, webhook)
                now = runtime.clock.now()
                publish(connection, "workspace", "bench", document=_WORKSPACE, source="", file="w.yaml", now=now)
                key = create_write_key(connection, runtime.vault, kind="read", name="bench", now=now)
            _write(runtime, event_count)
            figures = {}
            with _receiver(folder) as (url, tls):
                figures["events_out_per_s"] = _send(runtime, "of_100", WebhookSpec(url, batch=100), tls)
                figures["events_out_per_s_batches_of_500"] = _send(runtime, "of_500", WebhookSpec(url, batch=500), tls)
            with _web(settings, port):
                figures["cursor_events_per_s"] = _follow(port, key)
    return {name: round(value) for name, value in figures.items()}


def _write(runtime: Runtime, event_count: int) -> None:
    workspace, now = parse_workspace(_WORKSPACE), runtime.clock.now()
    with runtime.database.transaction() as connection:
        people = [
            resolve(connection, runtime.vault, {IdentityKind.EXTERNAL_ID: f"c-{number}"}, now)
            for number in range(_PEOPLE)
        ]
    for start in range(0, event_count, _WRITTEN_AT_ONCE):
        events = [
            NewEvent("product_viewed", now, "web", f"bench:{number}", people[number % _PEOPLE], _properties(number))
            for number in range(start, min(start + _WRITTEN_AT_ONCE, event_count))
        ]
        with runtime.database.transaction() as connection:
            append_events(connection, runtime.vault, workspace, events, now)


def _properties(number: int) -> dict[str, Any]:
    return {"product_id": f"TEA-{number % 900}", "price": 3.5, "path": f"/tea/{number % 900}"}


def _send(runtime: Runtime, name: str, spec: WebhookSpec, tls: ssl.SSLContext) -> float:
    begun = time.monotonic()
    turn = Sender(runtime, name, spec, "bench", tls=tls, allows_private=True).send(length=timedelta(minutes=10))
    assert not turn.failure, turn.failure
    return turn.event_count / (time.monotonic() - begun)


def _follow(port: int, key: str) -> float:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    cursor, count, has_more, begun = "", 0, True, time.monotonic()
    while has_more:
        connection.request("GET", f"/v1/events?limit={PAGE}&after={cursor}", headers={"Authorization": f"Bearer {key}"})
        page = msgspec.json.decode(connection.getresponse().read(), type=_Page)
        cursor, has_more, count = page.cursor, page.has_more, count + len(page.events)
    return count / (time.monotonic() - begun)


@contextmanager
def _receiver(folder: Path) -> Iterator[tuple[str, ssl.SSLContext]]:
    command = [sys.executable, "-m", "benchmarks.outgoing", "--receive", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        yield f"https://localhost:{port}/", ssl.create_default_context(cafile=str(folder / "localhost.pem"))
    finally:
        process.kill()
        process.wait()


@contextmanager
def _web(settings: Settings, port: int) -> Iterator[None]:
    command = [sys.executable, "-m", "cli.serving.web", "bench"]
    process = subprocess.Popen(command, cwd=ROOT, env=child_environment(settings))
    try:
        end = time.monotonic() + 30
        while not _is_healthy(port):
            if time.monotonic() > end or process.poll() is not None:
                raise RuntimeError("the web server did not start")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def _is_healthy(port: int) -> bool:
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


def _receive(folder: Path) -> None:
    """Answer each call after 20 ms, over connections that stay open; prints the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            time.sleep(LATENCY_S)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Not each of thousands of calls."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = Authority(folder).server.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=40_000)
    parser.add_argument("--receive", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.receive is not None:
        _receive(arguments.receive)
    else:
        print(json.dumps(measure(arguments.events)))


if __name__ == "__main__":
    main()
