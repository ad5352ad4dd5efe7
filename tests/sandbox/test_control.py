"""The JSON side door, the file that outlives the process, and starting and stopping."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from core.errors import EnvironmentFaultError
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer, serve
from tests.sandbox.conftest import Client, client_for, mail_to

SERVE = """
from pathlib import Path
import sys
from sandbox.options import SandboxOptions
from sandbox.server import serve
serve(SandboxOptions(folder=Path(sys.argv[1])), ready=lambda url: print(url, flush=True))
"""


def test_counts_are_those_of_the_sandbox_when_stats_are_asked_for(aws: Client, web: httpx.Client) -> None:
    for _ in range(2):
        aws("sesv2").send_email(**mail_to("alice@example.com", "bob@example.com"))
    aws("sns").publish(PhoneNumber="+491701234567", Message="Hello")

    stats = web.get("/sandbox/stats").json()
    assert stats["accepted"] == {"email": 2, "sms": 1}
    assert stats["recipients"] == {"alice@example.com": 2, "bob@example.com": 2, "+491701234567": 1}
    assert stats["events"]["pending"] == 0
    assert "recipients" not in web.get("/sandbox/stats", params={"recipients": "no"}).json()


def test_everything_is_as_at_the_start_when_it_is_reset(aws: Client, web: httpx.Client) -> None:
    aws("sesv2").send_email(**mail_to("alice@example.com"))
    last = web.get("/sandbox/messages").json()["next"]
    web.put("/sandbox/behaviour", json={"paused": True})
    web.put("/sandbox/clock", json={"now": "2026-01-01T00:00:00Z"})

    web.post("/sandbox/reset").raise_for_status()

    assert web.get("/sandbox/messages").json() == {"messages": [], "next": 0}
    assert web.get("/sandbox/stats").json()["accepted"] == {"email": 0, "sms": 0}
    assert web.get("/sandbox/clock").json()["manual"] is False
    aws("sesv2").send_email(**mail_to("alice@example.com"))
    assert web.get("/sandbox/messages").json()["next"] > last, "a cursor that was read before must stay good"


def test_clock_stands_still_until_it_is_let_go(aws: Client, web: httpx.Client) -> None:
    assert web.put("/sandbox/clock", json={"now": "2011-12-10T09:30:00Z"}).json() == {
        "now": "2011-12-10T09:30:00.000Z",
        "manual": True,
    }
    aws("sesv2").send_email(**mail_to("alice@example.com"))
    assert web.get("/sandbox/messages").json()["messages"][0]["received_at"] == "2011-12-10T09:30:00.000Z"
    assert web.put("/sandbox/clock", json={"now": None}).json()["manual"] is False


@pytest.mark.parametrize("now", ["soon", "2011-12-10T09:30:00", 7])
def test_clock_is_refused_when_the_instant_is_none(web: httpx.Client, now: object) -> None:
    assert web.put("/sandbox/clock", json={"now": now}).status_code == 400


def test_unknown_message_is_not_found(web: httpx.Client) -> None:
    assert web.get("/sandbox/messages/999999").status_code == 404
    assert web.get("/sandbox/messages", params={"after": "x"}).status_code == 400


def test_mail_is_still_there_when_the_process_was_stopped_and_started_again(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SERVE, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        client_for(url, "sesv2").send_email(**mail_to("alice@example.com"))
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, complaints) == (0, "")

    with SandboxServer(SandboxOptions(folder=tmp_path)) as sandbox:
        client_for(sandbox.url, "sesv2").send_email(**mail_to("bob@example.com"))
        found = httpx.get(f"{sandbox.url}/sandbox/messages").json()["messages"]
    assert [(one["seq"], one["to"]) for one in found] == [(1, ["alice@example.com"]), (2, ["bob@example.com"])]


def test_one_sentence_is_raised_when_the_port_is_taken() -> None:
    with SandboxServer() as sandbox, pytest.raises(EnvironmentFaultError, match="choose another port"):
        serve(SandboxOptions(), port=int(sandbox.url.rpartition(":")[2]))
