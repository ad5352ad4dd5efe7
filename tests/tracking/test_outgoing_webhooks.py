"""Webhooks against a real https server: in order, at least once, under the same id, and never in anybody's way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from core.clock import ManualClock, SystemClock
from core.database import Database
from core.runtime import Runtime
from customers.identities import resolve
from customers.log import NewEvent, append_events
from customers.tables import IdentityKind, ProfileStatus, profile
from customers.workspace import WebhookSpec, Workspace
from delivery.alarms import list_alarms
from delivery.pauses import EVERYTHING, find_pauses, pause, resume
from tests.delivery.certificates import Authority
from tests.delivery.https_server import Call, HttpsServer
from tracking.outgoing.endpoints import BACK_OFF, begin, find_state
from tracking.outgoing.sending import Sender, Turn
from tracking.outgoing.signature import secrets_of, signed_headers
from tracking.outgoing.turns import Turns

ROOT = Path(__file__).resolve().parents[2]
Write = Callable[..., None]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority) -> Iterator[HttpsServer]:
    with HttpsServer(authority.server, keeps_open=True) as opened:
        yield opened


@pytest.fixture
def write(runtime: Runtime, workspace: Workspace) -> Write:
    with runtime.database.transaction() as connection:
        begin(connection, "crm")  # a webhook hears of what comes after it was first looked at

    def append(*keys: str, name: str = "page_viewed", profile_id: int | None = None) -> None:
        now = runtime.clock.now()
        events = [
            NewEvent(name, now, "backend", key, profile_id, {"path": key, "search": "a gift for Bob"}) for key in keys
        ]
        with runtime.database.transaction() as connection:
            append_events(connection, runtime.vault, workspace, events, now)

    return append


@pytest.fixture
def send(runtime: Runtime, server: HttpsServer, authority: Authority) -> Callable[..., Turn]:
    def take_turn(*, holder: str = "worker", **spec: Any) -> Turn:
        wanted = WebhookSpec(server.url, **spec)
        return Sender(runtime, "crm", wanted, holder, tls=authority.trusting, allows_private=True).send()

    return take_turn


def events(call: Call) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(call.body)["events"]
    return found


def told(server: HttpsServer) -> list[str]:
    return [event["properties"]["path"] for call in server.calls for event in events(call)]


# -- what arrives -----------------------------------------------------------------------------------------------------


def test_events_arrive_in_order_and_in_batches_when_there_are_many(
    runtime: Runtime, server: HttpsServer, write: Write, send: Any
) -> None:
    names = [f"{number:03}" for number in range(25)]
    write(*names)
    turn = send(batch=10)
    assert (turn.event_count, turn.call_count, turn.failure) == (25, 3, "")
    assert told(server) == names
    assert [len(events(call)) for call in server.calls] == [10, 10, 5]
    assert len({call.headers["webhook-id"] for call in server.calls}) == 3
    assert server.connection_count == 1
    assert send().call_count == 0  # nothing is new
    with runtime.database.read() as connection:
        state = find_state(connection, "crm")
    assert state is not None
    assert (state.event_count, state.batch_id, state.delivered_at) == (25, None, runtime.clock.now())


def test_the_receiver_can_verify_the_call_when_it_follows_the_standard(
    runtime: Runtime, server: HttpsServer, write: Write, send: Any
) -> None:
    write("a")
    send()
    (call,) = server.calls
    (secret,) = secrets_of(runtime.vault.signing_key, runtime.vault.key_version, "crm")
    signed = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    mac = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert call.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    assert int(call.headers["webhook-timestamp"]) == int(runtime.clock.now().timestamp())
    assert (call.method, call.headers["content-type"]) == ("POST", "application/json")
    assert msgspec.json.decode(call.body)["type"] == "events"


def test_the_signature_is_that_of_the_standard_when_its_own_example_is_signed() -> None:
    headers = signed_headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_the_past_is_not_told_when_a_webhook_is_new(
    runtime: Runtime, workspace: Workspace, server: HttpsServer, authority: Authority
) -> None:
    sender = Sender(runtime, "new", WebhookSpec(server.url), "w", tls=authority.trusting, allows_private=True)
    now = runtime.clock.now()
    for key in ("past", "future"):
        with runtime.database.transaction() as connection:
            event = NewEvent("page_viewed", now, "backend", key, properties={"path": key})
            append_events(connection, runtime.vault, workspace, [event], now)
        sender.send()
    assert told(server) == ["future"]


def test_no_call_is_made_and_the_place_moves_when_nothing_is_wanted(
    runtime: Runtime, server: HttpsServer, write: Write, send: Any
) -> None:
    write("a", "b")
    before = _position(runtime.database)
    assert send(events=frozenset({"order_placed"})).call_count == 0
    assert _position(runtime.database) > before
    write("c", name="product_viewed")
    write("d")
    assert send(events=frozenset({"product_viewed"})).event_count == 1
    assert [event["name"] for event in events(server.calls[0])] == ["product_viewed"]


@pytest.mark.parametrize(("status", "is_told"), [("active", True), ("erased", False), ("restricted", False)])
def test_what_is_personal_is_told_when_it_was_asked_for_and_the_person_is_there(
    runtime: Runtime, server: HttpsServer, write: Write, send: Any, status: str, is_told: bool
) -> None:
    with runtime.database.transaction() as connection:
        alice = resolve(connection, runtime.vault, {IdentityKind.EMAIL: "a@shop.example"}, runtime.clock.now())
    write("a", profile_id=alice)
    with runtime.database.transaction() as connection:
        new = ProfileStatus(status).value
        connection.execute(update(profile).where(profile.c.id == alice).values(status=new))
    send(is_personal=True)
    (event,) = events(server.calls[0])
    assert event["profile"] == (alice if is_told else None)
    assert event["personal"] == ({"search": "a gift for Bob"} if is_told else {})
    write("b", profile_id=alice)
    send()
    assert "personal" not in events(server.calls[1])[0]


# -- what goes wrong --------------------------------------------------------------------------------------------------


def test_the_same_batch_comes_again_under_the_same_id_when_a_call_failed(
    server: HttpsServer, write: Write, send: Any, clock: ManualClock
) -> None:
    write("a", "b")
    server.status = 503
    assert "503" in send().failure
    write("c")
    server.status = 200
    assert send().call_count == 0  # not yet
    clock.advance(BACK_OFF[0])
    assert send().event_count == 3
    first, again, rest = server.calls
    assert first.body == again.body
    assert first.headers["webhook-id"] == again.headers["webhook-id"] != rest.headers["webhook-id"]
    assert told(server) == ["a", "b", "a", "b", "c"]


def test_it_is_paused_with_its_cause_and_goes_on_when_somebody_lets_it(
    runtime: Runtime, server: HttpsServer, write: Write, send: Any, clock: ManualClock
) -> None:
    write("a")
    server.status = 500
    alarms = []
    for wait in (*BACK_OFF, timedelta(days=1)):
        assert send().call_count == 1
        clock.advance(wait - timedelta(seconds=1))
        assert send().call_count == 0
        clock.advance(timedelta(seconds=1))
        with runtime.database.read() as connection:
            alarms.append([alarm.name for alarm in list_alarms(connection)])
    assert alarms == [[], [], *[["webhook:crm"]] * 4, []]  # the pause tells it in the end
    with runtime.database.read() as connection:
        assert find_pauses(connection, clock.now()) == {
            "webhook:crm": "7 calls in a row failed: it answered with status 500"
        }
    assert send().call_count == 0
    with runtime.database.transaction() as connection:
        resume(connection, "webhook:crm")
    server.status = 200
    assert send().event_count == 1
    assert len({call.headers["webhook-id"] for call in server.calls}) == 1


def test_the_alarm_ends_when_a_call_succeeds(
    runtime: Runtime, server: HttpsServer, write: Write, send: Any, clock: ManualClock
) -> None:
    write("a")
    server.drops = True
    for wait in BACK_OFF[:3]:
        assert send().failure == "it did not answer (RemoteDisconnected)"
        clock.advance(wait)
    server.drops = False
    assert send().event_count == 1
    with runtime.database.read() as connection:
        assert list_alarms(connection) == []


def test_it_is_paused_at_once_when_the_receiver_says_that_it_is_gone(
    runtime: Runtime, server: HttpsServer, write: Write, send: Any
) -> None:
    write("a")
    server.status = 410
    send()
    with runtime.database.read() as connection:
        assert "webhook:crm" in find_pauses(connection, runtime.clock.now())


def test_it_waits_as_long_as_the_receiver_asks_when_that_is_longer(
    server: HttpsServer, write: Write, send: Any, clock: ManualClock
) -> None:
    write("a")
    server.status, server.headers = 429, {"Retry-After": "600"}
    send()
    clock.advance(timedelta(seconds=599))
    assert send().call_count == 0
    clock.advance(timedelta(seconds=1))
    assert send().call_count == 1


@pytest.mark.parametrize("scope", [EVERYTHING, "webhook:crm"])
def test_nothing_is_sent_when_it_is_paused(
    runtime: Runtime, server: HttpsServer, write: Write, send: Any, scope: str
) -> None:
    write("a")
    with runtime.database.transaction() as connection:
        pause(connection, scope, "stopped by hand", runtime.clock.now())
    assert send().call_count == 0
    assert server.calls == []


def test_a_connection_is_made_anew_when_the_receiver_closed_it_meanwhile(
    runtime: Runtime, authority: Authority, write: Write
) -> None:
    with HttpsServer(authority.server) as closing:  # HTTP/1.0: closes after each answer
        write(*"abc")
        spec = WebhookSpec(closing.url, batch=1)
        turn = Sender(runtime, "crm", spec, "w", tls=authority.trusting, allows_private=True).send()
        assert (turn.event_count, closing.connection_count) == (3, 3)


# -- several at once --------------------------------------------------------------------------------------------------


def test_a_batch_comes_again_under_the_same_id_when_its_sender_was_killed_before_the_record(
    runtime: Runtime, server: HttpsServer, authority: Authority, write: Write, tmp_path: Path
) -> None:
    write("a", "b")
    server.drip_s = 0.5  # the answer takes its time
    url = runtime.database.url.render_as_string(hide_password=False)
    words = [url, f"sqlite:///{tmp_path / 'keys.db'}", str(tmp_path / "localhost.pem"), server.url]
    killed = subprocess.Popen([sys.executable, "-m", "tests.tracking.webhook_sender", *words], cwd=ROOT)
    try:
        end = time.monotonic() + 60
        while not server.calls and time.monotonic() < end and killed.poll() is None:
            time.sleep(0.05)
    finally:
        killed.kill()
        killed.wait()
    server.drip_s = 0.0
    write("c")
    later = replace(runtime, clock=ManualClock(SystemClock().now()))
    sender = Sender(later, "crm", WebhookSpec(server.url), "next", tls=authority.trusting, allows_private=True)
    assert sender.send().call_count == 0  # whoever was killed holds it for a minute
    later.clock.advance(timedelta(seconds=61))  # type: ignore[attr-defined]  # it is the manual one
    assert sender.send().event_count == 3
    first, again, rest = server.calls
    assert (first.headers["webhook-id"], first.body) == (again.headers["webhook-id"], again.body)
    assert [event["properties"]["path"] for event in events(rest)] == ["c"]


def test_each_event_comes_once_and_in_order_when_several_workers_send(
    server: HttpsServer, write: Write, send: Any
) -> None:
    names = [f"{number:03}" for number in range(60)]
    write(*names)
    workers = [threading.Thread(target=send, kwargs={"holder": f"w-{n}", "batch": 5}) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    send(batch=5)
    assert told(server) == names


def test_the_others_go_on_when_one_receiver_does_not_answer(
    runtime: Runtime, workspace: Workspace, server: HttpsServer, authority: Authority, write: Write, tmp_path: Path
) -> None:
    runtime = replace(runtime, settings=replace(runtime.settings, capture=str(tmp_path)))  # may call this machine
    with runtime.database.transaction() as connection:
        begin(connection, "slow")
    with HttpsServer(authority.server) as slow:
        slow.drip_s = 5.0
        wanted = replace(workspace, webhooks={"slow": WebhookSpec(slow.url), "crm": WebhookSpec(server.url)})
        turns = Turns(runtime, tls=authority.trusting)
        write("a")
        begun = time.monotonic()
        turns.begin(wanted, runtime.clock.now())
        end = begun + 20
        while not server.calls and time.monotonic() < end:
            time.sleep(0.02)
        write("b")
        while len(server.calls) < 2 and time.monotonic() < end:
            turns.begin(wanted, runtime.clock.now())
            time.sleep(0.02)
        assert told(server) == ["a", "b"]
        assert len(slow.calls) == 1
        slow.released.set()  # and hangs up
        counts = turns.wait()
        assert counts["calls of webhooks that failed"] == 1
        turns.close()


def test_this_machine_is_not_called_when_messages_go_out_in_earnest(
    runtime: Runtime, workspace: Workspace, server: HttpsServer, authority: Authority, write: Write
) -> None:
    write("a")
    turns = Turns(runtime, tls=authority.trusting)
    turns.begin(replace(workspace, webhooks={"crm": WebhookSpec(server.url)}), runtime.clock.now())
    assert turns.wait()["calls of webhooks that failed"] == 1
    turns.close()
    with runtime.database.read() as connection:
        state = find_state(connection, "crm")
    assert state is not None
    assert "AddressRefused" in (state.cause or "")
    assert server.calls == []


def _position(database: Database) -> tuple[int, int]:
    with database.read() as connection:
        state = find_state(connection, "crm")
    assert state is not None
    return state.position.transaction_no, state.position.row_id
