"""`postilion webhooks`, the check of workspace.yaml and the doctor: what somebody sees who looks after webhooks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from console.check import check_project
from console.doctor.examine import Check
from console.doctor.failing_webhooks import examine
from console.doctor.finding import Level
from console.doctor.patient import open_patient
from console.doctor.registry import CHECKS
from console.project import load_project
from core.clock import SystemClock
from core.errors import PostilionError
from core.runtime import Runtime, open_runtime
from core.settings import Settings, load_settings
from customers.log import NewEvent, append_events
from customers.workspace import get_workspace
from tests.delivery.certificates import Authority
from tests.delivery.https_server import HttpsServer
from tracking.outgoing.turns import Turns

HEAD = "workspace: shop\ntimezone: UTC\ncurrency: GBP\n"
Run = Callable[..., Result]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpsServer]:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "localhost.pem"))
    with HttpsServer(authority.server) as opened:
        yield opened


@pytest.fixture
def run(database_url: str, tmp_path: Path, server: HttpsServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A published shop with one webhook, whose messages go to a folder."""
    folder = tmp_path / "shop"
    (folder / ".postilion").mkdir(parents=True)
    webhook = f"webhooks:\n  crm: {{url: '{server.url}', events: [order_placed]}}\n"
    (folder / "workspace.yaml").write_text(HEAD + webhook)
    for name, value in {
        "PROJECT": folder,
        "DATABASE_URL": database_url,
        "KEYS_URL": f"sqlite:///{tmp_path}/keys.db",
        "KEY_FILE": tmp_path / "shop.key",
        "CAPTURE": tmp_path / "captured",
    }.items():
        monkeypatch.setenv(f"POSTILION_{name}", str(value))

    def command(*words: str) -> Result:
        return CliRunner().invoke(app, words)

    for word in ("init", "apply"):
        result = command(word)
        assert result.exit_code == 0, result.output
    return command


def open_shop() -> Any:
    return open_runtime(load_settings(), "shop", SystemClock())


def order(runtime: Runtime, key: str) -> None:
    now = runtime.clock.now()
    with runtime.database.transaction() as connection:
        workspace = get_workspace(connection)
        append_events(connection, runtime.vault, workspace, [NewEvent("order_placed", now, "shop", key)], now)


def take_turns(runtime: Runtime) -> None:
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
    turns = Turns(runtime)
    turns.begin(workspace, runtime.clock.now())
    turns.wait()
    turns.close()


def standing(run: Run) -> dict[str, Any]:
    (one,) = json.loads(run("webhooks", "list", "--json").output)
    found: dict[str, Any] = one
    return found


def findings(settings: Settings) -> list[tuple[Level, str]]:
    with open_patient(settings, SystemClock()) as patient:
        return [(one.level, one.text) for one in examine(patient)]


def test_the_example_is_sent_and_its_answer_shown_when_somebody_tests(run: Run, server: HttpsServer) -> None:
    result = run("webhooks", "test", "crm")
    assert (result.exit_code, "status 200" in result.output) == (0, True)
    document = json.loads(server.calls[0].body)
    assert (document["type"], document["events"][0]["name"]) == ("test", "order_placed")
    assert server.calls[0].headers["webhook-signature"].startswith("v1,")
    server.status = 401
    failed = run("webhooks", "test", "crm")
    assert isinstance(failed.exception, PostilionError)
    assert "answered with status 401" in str(failed.exception)
    assert run("webhooks", "secret", "crm").output.startswith("whsec_")


def test_a_webhook_is_paused_resumed_and_sent_to_again_when_somebody_asks(run: Run, server: HttpsServer) -> None:
    assert standing(run)["state"] == "new"
    with open_shop() as runtime:
        take_turns(runtime)
        since = runtime.clock.now()
        order(runtime, "1")
        take_turns(runtime)
        assert len(server.calls) == 1
        assert (standing(run)["state"], standing(run)["delivered"]) == ("fine", 1)
        assert run("webhooks", "pause", "crm").exit_code == 0
        order(runtime, "2")
        take_turns(runtime)
        assert (len(server.calls), standing(run)["state"], standing(run)["waiting"]) == (1, "paused", 1)
        assert [level for level, _ in findings(load_settings())] == [Level.WARNING]
        assert run("webhooks", "resume", "crm").exit_code == 0
        take_turns(runtime)
        assert len(server.calls) == 2
        again = run("webhooks", "redeliver", "crm", "--since", since.isoformat())
        assert "2 events" in again.output
        take_turns(runtime)
        known, new = ([json.loads(call.body)["events"] for call in calls] for calls in _halves(server))
        assert new == [[event for events in known for event in events]]
        order(runtime, "3")
        assert run("webhooks", "redeliver", "crm", "--since", "now").exit_code == 0
        take_turns(runtime)
        assert len(server.calls) == 3


def _halves(server: HttpsServer) -> tuple[list[Any], list[Any]]:
    return server.calls[:2], server.calls[2:]


def test_the_doctor_tells_what_fails_when_a_call_failed(run: Run, server: HttpsServer) -> None:
    assert Check("webhooks", examine) in CHECKS
    server.status = 500
    with open_shop() as runtime:
        take_turns(runtime)
        order(runtime, "1")
        take_turns(runtime)
    ((level, text),) = findings(load_settings())
    assert (level, text.startswith("crm fails since"), text.endswith("it answered with status 500")) == (
        Level.WARNING,
        True,
        True,
    )
    assert standing(run)["cause"] == "it answered with status 500"


@pytest.mark.parametrize("words", [("test", "x"), ("pause", "x"), ("resume", "x"), ("secret", "x")])
def test_it_is_refused_when_there_is_no_such_webhook(run: Run, words: tuple[str, ...]) -> None:
    assert "has no webhook 'x'" in str(run("webhooks", *words).exception)


@pytest.mark.parametrize(
    ("webhook", "codes"),
    [
        ("{url: https://crm.example/in, events: [order_placed, page_viewed]}", set()),
        ("{url: https://crm.example/in, events: all, personal: true, batch: 500}", set()),
        ("{url: http://crm.example/in, events: all}", {"E151"}),
        ("{url: https://user:password@crm.example/in, events: all}", {"E151"}),
        ("{url: https://10.0.0.1/in, events: all}", {"W207"}),
        ("{url: https://localhost:8443/in, events: all}", {"W207"}),
        ("{url: https://crm.example/in, events: [order_place]}", {"E120"}),
        ("{url: https://crm.example/in, events: []}", {"E103"}),
        ("{url: https://crm.example/in}", {"E101"}),
        ("{url: https://crm.example/in, events: all, batch: 1001}", {"E103"}),
        ("{url: https://crm.example/in, events: all, secret: x}", {"E102"}),
    ],
)
def test_the_check_finds_it_when_something_is_wrong_with_a_webhook(
    tmp_path: Path, webhook: str, codes: set[str]
) -> None:
    events = "events: {page_viewed: {properties: {path: text}}}\n"
    (tmp_path / "workspace.yaml").write_text(f"{HEAD}{events}webhooks:\n  crm: {webhook}\n")
    assert {fault.code for fault in check_project(load_project(tmp_path)).faults} == codes
