"""The transactional API: each message once, however often it is asked for, and never to whom it may not go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from campaigns.compose import Composer
from campaigns.transactional.accept import accept_messages
from campaigns.transactional.answers import Accepted
from campaigns.transactional.request import MAX_BODY, Submission, read_message
from core.errors import InputError
from core.keys import WorkspaceKey, load_key
from core.runtime import Runtime
from core.vault import Vault
from customers.identities import lookup_of
from customers.profiles import find_profile
from customers.suppression import suppress
from customers.tables import IdentityKind, consent_entry, identity, profile
from customers.tombstones import bury
from customers.workspace import get_workspace
from delivery.envelope import Envelope
from delivery.facts import gather_facts
from delivery.ledger import claim_due
from delivery.tables import MessageKind, MessageStatus, OriginKind, delivery_attempt, message
from tests.campaigns.receipts import Server, receipt, serving_messages
from tests.campaigns.shop import NOW, add_people


@pytest.fixture
def server(runtime: Runtime) -> Iterator[Server]:
    with serving_messages(runtime) as server:
        yield server


def composed(runtime: Runtime) -> list[Envelope]:
    """What would go out now."""
    with runtime.database.transaction() as connection:
        rows = claim_due(connection, worker="test", limit=500, now=NOW, paused={})
        gathered = gather_facts(connection, runtime.vault, get_workspace(connection), rows, NOW)
    return [one for one in Composer(runtime).compose(rows, gathered) if isinstance(one, Envelope)]


def profile_of(server: Server, email: str) -> int | None:
    with server.runtime.database.read() as connection:
        return find_profile(connection, server.runtime.vault, "email", email)


def test_guest_is_written_to_and_has_agreed_to_nothing_when_nobody_knew_them(server: Server) -> None:
    status, document = server.post(receipt())
    assert (status, document["status"]) == (202, "due")
    row = server.row(document["id"])
    assert (row.kind, row.origin_kind, row.origin) == (MessageKind.TRANSACTIONAL, OriginKind.API, "receipt")
    assert b"4711" not in row.context
    (envelope,) = composed(server.runtime)
    assert (envelope.recipient, envelope.subject) == ("erin@people.example", "Your order 4711")
    assert not {name for name in envelope.headers if name.startswith("List-")}
    with server.runtime.database.read() as connection:
        assert connection.execute(select(identity.c.is_verified)).scalars().all() == [False]
        assert connection.execute(select(consent_entry)).all() == []


def test_same_answer_and_one_message_when_a_call_is_repeated(server: Server) -> None:
    status, first = server.post(receipt())
    again = json.dumps(receipt(), indent=3, sort_keys=True).encode()  # the same call, written otherwise
    assert server.post(again) == (status, first)
    assert [answer.headers.get("idempotent-replayed") for answer in server.answers] == [None, "true"]
    with server.runtime.database.transaction() as connection:
        connection.execute(update(message).values(status=MessageStatus.SENT, ended_at=NOW + timedelta(minutes=1)))
    assert server.post(receipt()) == (status, first)
    assert server.count() == 1


def test_conflict_when_a_key_is_used_for_another_message(server: Server) -> None:
    server.post(receipt())
    status, document = server.post(receipt(data={"order_id": "4712"}))
    assert (status, document["problem"], server.count()) == (409, "key_reused", 1)


def test_same_call_is_known_when_the_workspace_key_has_rotated_since(server: Server, tmp_path: Path) -> None:
    runtime = server.runtime
    _status, taken = server.post(receipt(), key="k")
    key = load_key(tmp_path / "shop.key")
    rotated = Vault(WorkspaceKey((*key.versions, bytes(32))), runtime.vault.store)
    again = read_message(json.dumps(receipt()).encode(), "k", NOW)
    with runtime.database.transaction() as connection:
        (answer,) = accept_messages(replace(runtime, vault=rotated))(connection, [again])
    assert answer == Accepted(taken["id"], "due", None, is_repeated=True)


def test_never_two_messages_when_many_clients_retry_at_once(server: Server) -> None:
    keys = [f"order-{place % 20}" for place in range(120)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda key: server.post(receipt(), key=key), keys))
    assert {status for status, _document in answers} == {202}
    assert len({document["id"] for _status, document in answers}) == server.count() == 20


def test_never_two_messages_when_two_processes_get_the_same_calls(server: Server) -> None:
    runtime = server.runtime
    body = json.dumps(receipt()).encode()
    submissions = [read_message(body, f"order-{place}", NOW) for place in range(30)]

    def store(some: list[Submission]) -> list[str]:
        with runtime.database.transaction() as connection:
            return [getattr(answer, "id", "refused") for answer in accept_messages(runtime)(connection, some)]

    with ThreadPoolExecutor(2) as pool:
        forth, back = pool.map(store, [submissions, submissions[::-1]])
    assert forth == back[::-1]
    assert "refused" not in forth
    assert server.count() == 30


def test_nothing_is_stored_when_the_template_needs_what_is_missing(server: Server) -> None:
    status, document = server.post(receipt(data={}))
    assert (status, document["problem"], document["missing"]) == (422, "missing", ["entry.order_id"])
    status, document = server.post({"template": "code", "to": {"phone": "+447911123456"}, "data": {"code": "1"}})
    assert (status, document["missing"]) == (422, ["profile.first_name"])
    assert server.count() == 0
    with server.runtime.database.read() as connection:
        assert connection.execute(select(profile)).all() == []


@pytest.mark.parametrize(
    ("template", "words"),
    [("letter", "E150"), ("pushy", "E153"), ("nothing", "no template 'nothing'")],
)
def test_refused_when_the_template_is_not_for_transactional_mail(server: Server, template: str, words: str) -> None:
    status, document = server.post(receipt(template=template))
    assert (status, document["problem"]) == (422, "template")
    assert words in document["error"]


def test_skipped_with_its_reason_when_the_address_is_suppressed(server: Server) -> None:
    vault = server.runtime.vault
    with server.runtime.database.transaction() as connection:
        lookup = lookup_of(vault, IdentityKind.EMAIL, "carol@people.example")
        suppress(connection, "email", lookup, "bounced", "test", NOW)
    told = server.post(receipt({"email": "Carol@people.example"}))
    assert told[0] == 202
    assert {**told[1], "id": ""} == {"id": "", "status": "skipped", "reason": "suppressed"}
    assert server.post(receipt({"email": "Carol@people.example"})) == told
    assert composed(server.runtime) == []


def test_skipped_when_somebody_known_has_no_address_for_the_channel(server: Server) -> None:
    with server.runtime.database.transaction() as connection:
        add_people(connection, server.runtime.vault, ["bob"], channel="sms")
    _status, document = server.post(receipt({"external_id": "bob"}))
    assert (document["status"], document["reason"]) == ("skipped", "no_address")


def test_refused_when_an_unknown_name_comes_without_an_address(server: Server) -> None:
    status, document = server.post(receipt({"external_id": "nobody"}))
    assert (status, document["problem"], server.count()) == (422, "nobody", 0)
    assert server.post(receipt({"profile_id": 77}))[0] == 422
    assert server.post(receipt({"email": "no address"}))[1]["problem"] == "address"


def test_written_to_the_address_of_the_order_when_the_person_has_a_newer_one(server: Server) -> None:
    runtime = server.runtime
    with runtime.database.transaction() as connection:
        (alice,) = add_people(connection, runtime.vault, ["alice"])
    server.post(receipt({"external_id": "alice", "email": "alice@work.example"}), key="new")
    server.post(receipt({"email": "alice@people.example"}), key="old")
    server.post(receipt({"profile_id": alice}), key="own")
    recipients = sorted(envelope.recipient for envelope in composed(runtime))
    assert recipients == ["alice@people.example", "alice@work.example", "alice@work.example"]
    assert profile_of(server, "alice@work.example") == profile_of(server, "alice@people.example") == alice


def test_refused_with_the_way_out_when_the_address_belonged_to_somebody_erased(server: Server) -> None:
    runtime = server.runtime
    with runtime.database.transaction() as connection:
        bury(connection, dict.fromkeys(runtime.vault.tombstones("email", "dora@people.example"), "email"), NOW)
        erased = connection.execute(
            insert(profile).values(status="erased", created_at=NOW, updated_at=NOW).returning(profile.c.id)
        ).scalar_one()
    for to in ({"email": "Dora@people.example"}, {"profile_id": erased}):
        status, document = server.post(receipt(to))
        assert (status, document["problem"]) == (409, "erased")
        assert "privacy readmit" in document["error"]
    assert profile_of(server, "dora@people.example") is None
    assert server.post(receipt())[0] == 202


def test_waits_for_its_instant_when_it_is_scheduled(server: Server) -> None:
    later = NOW + timedelta(hours=3)
    _status, document = server.post(receipt(send_at=later.isoformat()))
    assert server.row(document["id"]).due_at == later
    assert composed(server.runtime) == []
    assert server.post(receipt(send_at="2026-06-10T09:00:00"), key="b")[0] == 400  # whose nine o'clock?
    assert server.post(receipt(send_at="2029-06-10T09:00:00Z"), key="b")[0] == 400


def test_status_tells_attempts_and_reason_when_it_is_asked_for(server: Server) -> None:
    _status, taken = server.post(receipt())
    with server.runtime.database.transaction() as connection:
        row = {"message_id": taken["id"], "attempt_no": 1, "started_at": NOW, "outcome": "failed", "error_code": "X"}
        connection.execute(insert(delivery_attempt), [row])
        connection.execute(update(message).values(status=MessageStatus.FAILED, reason="rejected", detail="X"))
    status, document = server.ask("GET", taken["id"])
    assert (status, document["status"], document["reason"]) == (200, "failed", "rejected")
    assert [(one["number"], one["outcome"], one["error"]) for one in document["attempts"]] == [(1, "failed", "X")]
    assert "erin" not in json.dumps(document)
    assert server.ask("GET", "0" * 36)[0] == 404


def test_cancelled_when_nobody_has_claimed_it_and_refused_after(server: Server) -> None:
    _status, taken = server.post(receipt(), key="a")
    assert server.ask("DELETE", taken["id"]) == (200, {"id": taken["id"], "status": "cancelled"})
    assert server.ask("DELETE", taken["id"])[0] == 200
    assert composed(server.runtime) == []
    _status, second = server.post(receipt(), key="b")
    assert len(composed(server.runtime)) == 1
    status, document = server.ask("DELETE", second["id"])
    assert (status, "claimed" in document["error"]) == (409, True)
    assert server.ask("DELETE", "0" * 36)[0] == 404


@pytest.mark.parametrize(("outcome", "status"), [("retry", 200), ("unknown", 409), (None, 409)])
def test_not_taken_back_when_the_first_call_may_have_sent_it(server: Server, outcome: str | None, status: int) -> None:
    _status, taken = server.post(receipt())
    with server.runtime.database.transaction() as connection:
        row = {"message_id": taken["id"], "attempt_no": 1, "started_at": NOW, "outcome": outcome}
        connection.execute(insert(delivery_attempt), [row])
    assert server.ask("DELETE", taken["id"])[0] == status


def test_asks_for_a_secret_key_when_there_is_none_or_a_public_one(server: Server) -> None:
    assert server.post(receipt(), secret="secret_nonsense")[0] == 401
    assert server.post(receipt(), secret=server.public)[0] == 403
    assert server.web.request("POST", "/v1/messages", content=b"{}").status_code == 401
    assert server.web.request("POST", "/v1/messages", content=b"{}", auth=(server.secret, "")).status_code == 400
    assert server.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"template": "receipt"}',
        b'{"template": "receipt", "to": {}}',
        b'{"template": "receipt", "to": {"email": "a@b.example"}, "cc": "x@y.example"}',
        b'{"template": "re\\u0000ceipt", "to": {"email": "a@b.example"}}',
        b'{"template": "receipt", "to": {"profile_id": 1, "email": "a@b.example"}}',
        b'{"template": "receipt", "to": {"profile_id": 9223372036854775808}}',
        b'{"template": "receipt", "to": {"email": "a@b.example"}, "data": ' + b"[" * 50_000,
        b'{"template": "receipt", "to": {"email": "a@b.example"}, "data": {"a": "' + b"x" * 70_000 + b'"}}',
    ],
)
def test_bad_request_when_the_body_is_no_message(server: Server, body: bytes) -> None:
    status, document = server.post(body)
    assert status == 400
    assert "a@b" not in document["error"]


def test_refused_when_the_body_is_larger_than_allowed(server: Server) -> None:
    assert server.post(b" " * (MAX_BODY + 1))[0] == 413


def test_no_retry_could_double_it_when_the_key_is_missing_so_it_is_refused(server: Server) -> None:
    status, document = server.post(receipt(), key=None)
    assert (status, "Idempotency-Key" in document["error"]) == (400, True)
    assert server.post(receipt(key="order-9"), key=None)[0] == 202
    with pytest.raises(InputError, match="differ"):
        read_message(json.dumps(receipt(key="a")).encode(), "b", NOW)


def test_each_message_of_a_batch_has_its_own_answer_when_one_is_refused(server: Server) -> None:
    batch: dict[str, Any] = {"messages": [receipt(), receipt(template="nothing"), receipt(), receipt(key="own")]}
    status, document = server.post(batch, path="/v1/messages/batch")
    told = document["messages"]
    assert (status, [one.get("code", one.get("status")) for one in told]) == (202, ["due", 422, "due", "due"])
    assert server.post(batch, path="/v1/messages/batch")[1] == document
    assert server.count() == 3
    assert server.post({"messages": [receipt()] * 101}, path="/v1/messages/batch")[0] == 400


def test_asked_to_try_again_when_the_database_takes_nothing(runtime: Runtime) -> None:
    with serving_messages(runtime) as server:
        with runtime.database.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE message RENAME TO elsewhere")
        answer = server.web.request(
            "POST",
            "/v1/messages",
            content=json.dumps(receipt()),
            headers={"x-write-key": server.secret, "idempotency-key": "k"},
        )
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        with runtime.database.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO message")
        assert server.post(receipt(), key="k")[0] == 202
