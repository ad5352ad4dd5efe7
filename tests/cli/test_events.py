"""`postilion quarantine`, `events` and `write-key` as a person runs them."""

from __future__ import annotations

from pathlib import Path

from core.runtime import open_runtime
from core.settings import load_settings
from customers.workspace import get_workspace
from tests.cli.test_commands import Shell, shell, shop
from tracking.events.envelope import Envelope
from tracking.events.event_spec import read_call
from tracking.events.people import user_hash_secret
from tracking.events.quarantine import keep_refused
from tracking.events.record_calls import CallBatch, record_calls
from tracking.events.request import Door, read_request
from tracking.events.write_keys import WriteKey, WriteKeyKind

__all__ = ["shell", "shop"]

SOURCE = WriteKey("web", WriteKeyKind.PUBLIC)
CALL = b'{"type":"track","event":"Cake Eaten","userId":"alice","messageId":"1","properties":{"slices":2,"on":true}}'


def _post(shop: Shell) -> None:
    """One call that is taken, one that could be by now, and one that never will be."""
    settings = load_settings(shop.environment, project=str(shop.folder / "shop"))
    with open_runtime(settings, "shop") as runtime, runtime.database.transaction() as connection:
        now = runtime.clock.now()
        body = b'{"batch":[{"type":"dance"},' + CALL.replace(b'"1"', b'"2"').replace(b"track", b"later") + b"]}"
        left = read_request(body, Door(), now).left
        later = [type(one)(one.index, one.reason, one.document.replace("later", "track")) for one in left]
        keep_refused(connection, runtime.vault, "web", later, now)
        call = read_call(CALL, None, Envelope([]), now)
        batch = CallBatch(((0, call),), SOURCE, now)
        record_calls(connection, runtime.vault, get_workspace(connection), batch)


def test_refused_events_are_shown_taken_again_and_thrown_away(shop: Shell) -> None:
    _post(shop)
    never, later = sorted(one["id"] for one in shop.run("quarantine", "list", "--json").document)
    assert "dance" in shop.run("quarantine", "show", str(never)).out
    retried = shop.run("quarantine", "retry", "--all", "--json")
    assert retried.code == 1
    assert {one["id"]: one["was_taken"] for one in retried.document} == {never: False, later: True}
    assert "refused" in shop.run("quarantine", "retry", str(never)).out
    assert shop.run("quarantine", "retry").code == 1
    assert shop.run("quarantine", "drop", str(never), "--json").document == {"dropped": 1}
    assert shop.run("quarantine", "list", "--json").document == []


def test_undeclared_events_are_told_with_the_yaml_that_declares_them(shop: Shell) -> None:
    _post(shop)
    told = shop.run("events", "list").out
    assert '  cake_eaten:\n    properties:\n      "on": boolean\n      slices: number' in told
    workspace = Path(shop.folder) / "shop" / "workspace.yaml"
    snippet = told[told.index("  cake_eaten:") :].rstrip() + "\n"
    text = workspace.read_text()
    workspace.write_text(
        text.replace("events:\n", f"events:\n{snippet}") if "\nevents:\n" in text else f"{text}\nevents:\n{snippet}"
    )
    assert shop.run("apply").code == 0
    assert "cake_eaten" not in shop.run("events", "list").out
    schema = shop.run("events", "schema").document
    assert schema["$defs"]["cake_eaten"]["properties"]["slices"] == {"type": ["number", "null"]}


def test_a_key_is_made_rotated_and_revoked(shop: Shell) -> None:
    made = shop.run("write-key", "create", "web", "--kind", "public", "--limit", "50", "--json").document
    rotated = shop.run("write-key", "rotate", "web", "--grace", "2d", "--json").document
    assert made["key"] != rotated["key"]
    listed = shop.run("write-key", "list", "--json").document
    assert [(key["name"], key["events_per_second"], bool(key["revoked_at"])) for key in listed] == [
        ("web", 50, True),
        ("web", 50, False),
    ]
    assert "good until" in shop.run("write-key", "list").out
    assert shop.run("write-key", "revoke", "web", "--json").document == {"name": "web", "revoked": 2}
    assert shop.run("write-key", "rotate", "web").code == 1


def test_the_secret_is_the_one_that_the_server_believes_when_it_is_shown(shop: Shell) -> None:
    settings = load_settings(shop.environment, project=str(shop.folder / "shop"))
    with open_runtime(settings, "shop") as runtime:
        believed = user_hash_secret(runtime.vault)
    assert shop.run("user-hash-secret", "--json").document == {"secret": believed}
    assert shop.run("user-hash-secret").out.strip() == believed
    assert believed != shop.run("webhook-secret", "--json").document["secret"]
