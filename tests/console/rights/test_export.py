"""The copy of a person's data: complete, opened, safe in a spreadsheet, behind a link that serves once, and gone."""

from __future__ import annotations

import csv
import io
import json
import stat
import tracemalloc
from datetime import timedelta
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from sqlalchemy import insert, update

from console.rights.erasure import erase_profile
from console.rights.export import Export, export_profile
from console.rights.export_files import delete_old_exports
from console.server import serving
from core.clock import ManualClock
from core.errors import ConflictError
from core.runtime import Runtime
from customers.profiles import set_attributes
from customers.rights import RequestStatus, Right, list_requests
from customers.tables import IdentityKind, customer_event, identity
from customers.workspace import get_workspace
from tests.console.rights.shop import NOW, PLAIN, SEALED, add_alice, add_bob, add_person, count_rows, merge_into


def export(runtime: Runtime, profile_id: int) -> Export:
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
    return export_profile(runtime, workspace, profile_id, requested_by="her", now=runtime.clock.now())


def documents_of(done: Export) -> tuple[dict[str, Any], dict[str, list[dict[str, str]]], str]:
    with ZipFile(done.file) as archive:
        texts = {name: archive.read(name).decode("utf-8-sig") for name in archive.namelist()}
    tables = {
        name.removesuffix(".csv"): list(csv.DictReader(io.StringIO(text, newline="")))
        for name, text in texts.items()
        if name.endswith(".csv")
    }
    return json.loads(texts["profile.json"]), tables, texts["README.txt"]


def test_everything_that_a_table_says_is_hers_is_in_the_copy(runtime: Runtime) -> None:
    alice = add_alice(runtime)
    add_bob(runtime)
    with runtime.database.read() as connection:
        counts = {name: count for name, count in count_rows(connection, [alice]).items() if count}
    done = export(runtime, alice)
    document, tables, read_me = documents_of(done)
    assert dict(done.rows) == counts
    assert {name: len(rows) for name, rows in tables.items()} == counts
    assert {name: len(part["rows"]) for name, part in document["records"].items()} == counts
    for name in counts:
        assert f"{name}.csv" in read_me
    assert "bob" not in json.dumps(document)


def test_what_was_sealed_can_be_read_in_it(runtime: Runtime) -> None:
    alice = add_alice(runtime)
    document, tables, _ = documents_of(export(runtime, alice))
    text = json.dumps(document, ensure_ascii=False)
    assert [word for word in [*SEALED.values(), *PLAIN.values()] if word not in text] == []
    profile = document["profile"]
    assert (profile["email"], profile["first_name"], profile["number"]) == (
        SEALED["email"],
        SEALED["first_name"],
        alice,
    )
    (row,) = document["records"]["profile"]["rows"]
    assert row["attributes"] == {
        "tier": PLAIN["tier"],
        "first_name": SEALED["first_name"],
        "birthday": "1980-04-05",
        "note": SEALED["note"],
    }
    assert {one["value"] for one in tables["identity"]} >= {SEALED["email"], PLAIN["external_id"]}
    assert not {"lookup", "transaction_no", "token_id"} & set(tables["identity"][0])


def test_what_belonged_to_a_merged_profile_is_opened_with_its_own_key(runtime: Runtime) -> None:
    first = add_person(runtime, "eve", {IdentityKind.EMAIL: "eve@people.example"}, first_name="Eve")
    second = add_person(runtime, "eve2", {IdentityKind.EMAIL: "eve2@people.example"}, first_name="Eva")
    with runtime.database.transaction() as connection:
        merge_into(connection, second, first)
    document, tables, _ = documents_of(export(runtime, second))
    assert {one["value"] for one in tables["identity"]} == {"eve@people.example", "eve2@people.example"}
    assert len(document["records"]["profile"]["rows"]) == 2


def test_a_cell_that_could_be_a_formula_is_text(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    with runtime.database.transaction() as connection:
        workspace = get_workspace(connection)
        values = {"timezone": None, "locale": "=HYPERLINK(A1)"}
        set_attributes(connection, runtime.vault, workspace, bob, values, NOW)
        number = runtime.vault.seal(bob, "identity.email", "+bob@people.example")
        connection.execute(update(identity).where(identity.c.kind == "email").values(sealed=number))
    document, tables, read_me = documents_of(export(runtime, bob))
    assert tables["profile"][0]["locale"] == "'=HYPERLINK(A1)"
    assert "'+bob@people.example" in {one["value"] for one in tables["identity"]}
    assert document["profile"]["email"] == "+bob@people.example", "a program reads it as it is"
    assert "apostrophe" in read_me


def test_the_file_is_for_its_owner_alone_and_its_hash_is_the_proof(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    done = export(runtime, bob)
    assert stat.S_IMODE(done.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(done.file.parent.stat().st_mode) == 0o700
    with runtime.database.read() as connection:
        (request,) = list_requests(connection)
    assert (request.kind, request.status) == (Right.EXPORT, RequestStatus.DONE)
    assert request.proof["file"] == done.file.name
    assert len(request.proof["sha256"]) == 64
    assert "people.example" not in json.dumps(request.proof)


def test_ten_thousand_events_take_no_more_memory_than_ten(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    sealed = runtime.vault.seal_document(bob, "customer_event.properties", {"text": "x" * 500})
    with runtime.database.transaction() as connection:
        row = {
            "profile_id": bob,
            "name": "product_viewed",
            "occurred_at": NOW,
            "received_at": NOW,
            "source": "site",
            "properties": {"product_id": "kettle"},
            "sealed_properties": sealed,
        }
        connection.execute(insert(customer_event), [row] * 10_000)
    tracemalloc.start()
    try:
        done = export(runtime, bob)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert done.rows["customer_event"] == 10_003
    assert peak < 8 * 1024 * 1024


def test_the_link_shows_a_page_hands_the_file_out_once_and_is_gone(runtime: Runtime) -> None:
    done = export(runtime, add_bob(runtime))
    path = done.url.removeprefix("https://links.shop.example")
    with serving(runtime) as url, httpx.Client(base_url=url) as client:
        for _ in range(3):  # mail scanners look as often as they like
            shown = client.get(path)
            assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store, private")
            assert "Download my data" in shown.text
        handed = client.post(path)
        assert handed.status_code == 200
        assert handed.content == done.file.read_bytes()
        assert handed.headers["cache-control"] == "no-store, private"
        assert "shop-your-data.zip" in handed.headers["content-disposition"]
        assert [client.get(path).status_code, client.post(path).status_code] == [410, 410]
        assert client.post("/x/somebody-guesses").status_code == 410


def test_the_link_ends_after_half_an_hour(runtime: Runtime) -> None:
    done = export(runtime, add_bob(runtime))
    assert isinstance(runtime.clock, ManualClock)
    runtime.clock.advance(timedelta(minutes=30))
    path = done.url.removeprefix("https://links.shop.example")
    with serving(runtime) as url, httpx.Client(base_url=url) as client:
        assert [client.get(path).status_code, client.post(path).status_code] == [410, 410]


def test_files_go_after_a_week_and_with_their_person(runtime: Runtime) -> None:
    bob, alice = add_bob(runtime), add_alice(runtime)
    of_bob, of_alice = export(runtime, bob).file, export(runtime, alice).file
    assert delete_old_exports(runtime, NOW + timedelta(days=7)) == 0
    erase_profile(runtime, alice, requested_by="her", now=NOW)
    assert (of_bob.exists(), of_alice.exists()) == (True, False)
    assert delete_old_exports(runtime, NOW + timedelta(days=7, seconds=1)) == 1
    assert list(of_bob.parent.iterdir()) == []
    with pytest.raises(ConflictError, match="erased"):
        export(runtime, alice)
