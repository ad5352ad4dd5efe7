"""Whatever is acknowledged is there after `kill -9`."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from core.runtime import Runtime
from customers.tables import customer_event, event_key
from tracking.ingestion.loader import Loader
from tracking.ingestion.records import store_logged

_ROOT = Path(__file__).parents[2]
_CLIENTS = 8
_KILLS = 3


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def _start(database_url: str, folder: Path, port: int, way: str) -> subprocess.Popen[bytes]:
    words = [database_url, f"sqlite:///{folder / 'keys.db'}", str(port), str(folder / "state"), way]
    command = [sys.executable, "-m", "tests.tracking.server", *words]
    process = subprocess.Popen(command, cwd=_ROOT)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return process
    process.kill()
    raise RuntimeError("the server did not start")


def _post_until_it_dies(port: int, key: str, name: str, acknowledged: list[str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        for number in range(100_000):
            message_id = f"{name}-{number}"
            call = {"messageId": message_id, "event": "Product Viewed", "anonymousId": name, "writeKey": key}
            connection.request("POST", "/v1/track", json.dumps(call))
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                acknowledged.append(f"backend:{message_id}")
    except (OSError, http.client.HTTPException):
        return
    finally:
        connection.close()


@pytest.mark.parametrize("way", ["log", "database"])
def test_every_acknowledged_event_is_there_once_when_the_server_was_killed(
    runtime: Runtime, database_url: str, secret_key: str, tmp_path: Path, way: str
) -> None:
    acknowledged: list[str] = []
    for kill in range(_KILLS):
        port = _free_port()
        server = _start(database_url, tmp_path, port, way)
        before = len(acknowledged)
        clients = [
            threading.Thread(target=_post_until_it_dies, args=(port, secret_key, f"k{kill}c{number}", acknowledged))
            for number in range(_CLIENTS)
        ]
        for client in clients:
            client.start()
        deadline = time.monotonic() + 5
        while len(acknowledged) < before + 60 and time.monotonic() < deadline:
            time.sleep(0.01)
        server.send_signal(signal.SIGKILL)
        server.wait(10)
        for client in clients:
            client.join(10)
    assert len(acknowledged) >= 60 * _KILLS
    Loader(
        runtime.database, runtime.vault, runtime.clock, store_logged(runtime.vault), tmp_path / "state" / "ingest"
    ).load_abandoned()
    assert not list((tmp_path / "state").glob("ingest/*"))
    with runtime.database.read() as connection:
        stored = set(connection.execute(select(event_key.c.key)).scalars())
        event_count = connection.execute(select(func.count()).select_from(customer_event)).scalar_one()
    assert set(acknowledged) <= stored
    assert event_count == len([key for key in stored if key.startswith("backend:")])
