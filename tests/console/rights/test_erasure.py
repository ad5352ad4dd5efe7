"""Erasing: what goes, what stays, who is not touched, and that it is complete whatever happens in between."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, make_url, select

from console.rights import erasure
from console.rights.erasure import erase_profile
from console.rights.owned import emptied, personal_tables, rows_of
from console.rights.replay import replay_erasures
from console.server import serving
from core.cursors import get_position
from core.database import Database
from core.erasures import CURSOR
from core.errors import ConflictError, NotFoundError
from core.personal import OnErasure
from core.runtime import Runtime
from core.vault import Vault, open_key_store
from customers.consent import ConsentStatus, consent_of, record_consents
from customers.identities import lookup_of, resolve
from customers.profiles import find_profile, get_profile, load_profiles
from customers.rights import RequestStatus, Right, list_requests
from customers.tables import IdentityKind, ProfileStatus, customer_event, customer_order, identity, profile
from customers.tombstones import find_buried
from tests.canary import search
from tests.console.rights.conftest import KEY
from tests.console.rights.shop import (
    NOW,
    PLAIN,
    SEALED,
    add_alice,
    add_bob,
    add_person,
    count_rows,
    grant,
    merge_into,
)

LATER = NOW + timedelta(hours=1)


def erase(runtime: Runtime, profile_id: int) -> None:
    erase_profile(runtime, profile_id, requested_by="her letter", now=LATER)


def test_every_table_is_deleted_cleared_or_kept_as_it_says_of_itself(runtime: Runtime) -> None:
    alice, bob = add_alice(runtime), add_bob(runtime)
    with runtime.database.read() as connection:
        before, of_bob = count_rows(connection, [alice]), count_rows(connection, [bob])
    assert {name for name, count in before.items() if count == 0} == set(), "she has nothing in these tables"

    erase(runtime, alice)

    with runtime.database.read() as connection:
        after = count_rows(connection, [alice])
        for table, personal in personal_tables():
            kept = 0 if personal.on_erasure is OnErasure.DELETE else before[table.name]
            if table.name in ("consent_handle", "rights_request", "journal"):
                continue  # the link to her is what is cleared; the proof is added; the end is noted
            assert after[table.name] == kept, table.name
            for row in connection.execute(select(table).where(rows_of(table, personal, [alice]))).mappings():
                if personal.on_erasure is OnErasure.CLEAR:
                    cleared = {name: emptied(table.c[name]) for name in personal.clears}
                    assert {name: row[name] for name in personal.clears} == cleared, table.name
        assert count_rows(connection, [bob]) == of_bob


def test_nothing_is_found_in_clear_and_nothing_opens(runtime: Runtime, tmp_path: Path) -> None:
    alice = add_alice(runtime)
    url = str(runtime.database.url.render_as_string(hide_password=False))
    assert search(SEALED.values(), [tmp_path], [url]) == []
    assert {hit.word for hit in search(PLAIN.values(), [tmp_path], [url])} == set(PLAIN.values())

    erase(runtime, alice)

    if not runtime.database.is_sqlite:  # what autovacuum does sooner or later
        with runtime.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM FULL")
    assert search([*SEALED.values(), *PLAIN.values()], [tmp_path], [url]) == []
    with runtime.database.read() as connection:
        assert load_profiles(connection, runtime.vault, [alice])[alice].status is ProfileStatus.ERASED
        for table, personal in personal_tables():
            for row in connection.execute(select(table).where(rows_of(table, personal, [alice]))).mappings():
                for name, sealed_as in personal.sealed.items():
                    if row[name] is not None:
                        with pytest.raises(NotFoundError):
                            runtime.vault.open(alice, sealed_as, row[name])


def test_sums_and_counts_stay_true(runtime: Runtime) -> None:
    alice = add_alice(runtime)
    add_bob(runtime)

    def totals() -> tuple[object, ...]:
        with runtime.database.read() as connection:
            return (
                connection.scalar(select(func.sum(customer_order.c.total))),
                connection.scalar(select(func.count()).select_from(customer_event)),
                connection.scalar(select(func.count()).select_from(profile)),
            )

    before = totals()
    erase(runtime, alice)
    assert totals() == before


def test_the_request_holds_the_proof_and_nothing_personal(runtime: Runtime) -> None:
    alice = add_alice(runtime)
    request = erase_profile(runtime, alice, requested_by="her letter", now=LATER)
    assert (request.kind, request.status, request.requested_by) == (Right.ERASE, RequestStatus.DONE, "her letter")
    assert request.done_at == LATER
    proof = request.proof
    assert (proof["erasure"], proof["profiles"], proof["tombstones"], proof["keys_destroyed"]) == (1, 1, 4, 1)
    assert proof["rows"]["identity"] == 4
    assert proof["rows"]["enrolment"] == 2  # ended, and emptied
    with runtime.database.read() as connection:
        assert [one.id for one in list_requests(connection, status=RequestStatus.OPEN)] == []
        assert get_position(connection, CURSOR).row_id == 1


def test_all_profiles_of_a_person_go_together(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    first = add_person(runtime, "eve", {IdentityKind.EMAIL: "eve@people.example"}, first_name="Eve")
    second = add_person(runtime, "eve2", {IdentityKind.EMAIL: "eve2@people.example"}, first_name="Eva")
    with runtime.database.transaction() as connection:
        merge_into(connection, second, first)
    request = erase_profile(runtime, second, requested_by="her", now=LATER)
    assert (request.profile_id, request.proof["profiles"], request.proof["keys_destroyed"]) == (first, 2, 2)
    with runtime.database.read() as connection:
        statuses = dict(connection.execute(select(profile.c.id, profile.c.status)).tuples().all())
        assert statuses == {bob: "active", first: "erased", second: "erased"}
        buried = [(IdentityKind.EMAIL, "eve@people.example"), (IdentityKind.EMAIL, "eve2@people.example")]
        assert find_buried(connection, runtime.vault, buried) == frozenset(buried)


def test_an_address_that_comes_again_makes_nobody_and_an_old_grant_does_not_live_again(runtime: Runtime) -> None:
    alice = add_alice(runtime)
    lookup = lookup_of(runtime.vault, IdentityKind.EMAIL, SEALED["email"])
    erase(runtime, alice)
    with runtime.database.transaction() as connection:
        assert find_profile(connection, runtime.vault, "email", SEALED["email"]) is None
        assert resolve(connection, runtime.vault, {IdentityKind.EMAIL: SEALED["email"]}, LATER) is None
        record_consents(connection, [grant(runtime, SEALED["email"], alice, "an old list")], LATER)
        states = consent_of(connection, "email", "marketing", [lookup], LATER)
        assert states == {lookup: ConsentStatus.WITHDRAWN}


def test_an_address_that_somebody_else_has_too_keeps_their_consent(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    with runtime.database.transaction() as connection:
        pair = {IdentityKind.EXTERNAL_ID: "bobs-wife", IdentityKind.EMAIL: "bob@people.example"}
        wife = resolve(connection, runtime.vault, pair, NOW)
    assert wife is not None
    assert wife != bob
    erase(runtime, bob)
    with runtime.database.read() as connection:
        lookup = lookup_of(runtime.vault, IdentityKind.EMAIL, "bob@people.example")
        assert consent_of(connection, "email", "marketing", [lookup], LATER)[lookup] is ConsentStatus.GRANTED
        email = get_profile(connection, runtime.vault, wife).email
        assert email is not None
        assert email.value == "bob@people.example"


def test_erasing_again_says_that_it_was_done(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    erase(runtime, bob)
    with pytest.raises(ConflictError, match="erased already"):
        erase(runtime, bob)


@pytest.mark.parametrize("step", ["_note", "delete_exports_of", "save_position"])
def test_a_process_that_dies_on_the_way_is_completed_by_the_next_one(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    alice = add_alice(runtime)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(erasure, step, die)
        with pytest.raises(KeyboardInterrupt):
            erase(runtime, alice)
    assert replay_erasures(runtime, LATER) == 1
    assert replay_erasures(runtime, LATER) == 0
    with runtime.database.read() as connection:
        (request,) = [one for one in list_requests(connection) if one.kind is Right.ERASE]
        assert (request.status, request.requested_by) == (RequestStatus.DONE, "her letter")
        assert request.proof["rows"]["identity"] == 4, "the counts of the first attempt are kept"
        assert count_rows(connection, [alice])["identity"] == 0
    with pytest.raises(NotFoundError):
        runtime.vault.open(alice, "x", b"")


@contextmanager
def restored(runtime: Runtime, copy: str, keys: Path) -> Iterator[Runtime]:
    """Another process on a copy of the database, with the keys as they are now."""
    opened = Database(copy)
    vault = Vault(KEY, open_key_store(f"sqlite:///{keys}"))
    vault.create_store()
    yield replace(runtime, database=opened, vault=vault)
    vault.close()
    opened.close()


@pytest.fixture
def take_copy(runtime: Runtime, database_url: str, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Copies the database as it is now; answers the copy's address."""
    name = "restored_copy"

    def in_server(statement: str) -> None:
        runtime.database.close()  # PostgreSQL copies what nobody uses
        server = Database(str(make_url(database_url).set(database="postgres").render_as_string(hide_password=False)))
        with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
        server.close()

    def take() -> str:
        if runtime.database.is_sqlite:
            runtime.database.drop_traces()
            shutil.copyfile(tmp_path / "postilion.db", tmp_path / "yesterday.db")
            return f"sqlite:///{tmp_path}/yesterday.db"
        in_server(f"CREATE DATABASE {name} TEMPLATE {make_url(database_url).database}")
        return make_url(database_url).set(database=name).render_as_string(hide_password=False)

    yield take
    if not runtime.database.is_sqlite:
        in_server(f"DROP DATABASE IF EXISTS {name}")


def test_a_copy_of_yesterday_is_erased_again_before_it_serves(
    runtime: Runtime, take_copy: Callable[[], str], tmp_path: Path
) -> None:
    alice, bob = add_alice(runtime), add_bob(runtime)
    copy = take_copy()
    late = add_person(runtime, "late", {IdentityKind.EMAIL: "late@people.example"})  # not in the copy
    erase(runtime, alice)
    erase(runtime, late)

    with restored(runtime, copy, tmp_path / "keys.db") as yesterday:
        with yesterday.database.read() as connection:
            assert get_profile(connection, yesterday.vault, bob).is_active
        with serving(yesterday):
            pass  # whatever serves has replayed before it answers
        if yesterday.database.is_sqlite:
            assert search([*SEALED.values(), *PLAIN.values()], [tmp_path / "yesterday.db"]) == []
        with yesterday.database.transaction() as connection:
            assert load_profiles(connection, yesterday.vault, [alice])[alice].status is ProfileStatus.ERASED
            (request,) = [one for one in list_requests(connection) if one.kind is Right.ERASE]
            assert (request.status, request.requested_by) == (RequestStatus.DONE, "replay")
            new = resolve(connection, yesterday.vault, {IdentityKind.EMAIL: "new@people.example"}, LATER)
            assert (new or 0) > late, "the id of somebody erased never returns"
        assert replay_erasures(yesterday, LATER) == 0


def test_nothing_is_replayed_where_nobody_was_ever_erased(runtime: Runtime) -> None:
    add_bob(runtime)
    assert replay_erasures(runtime, LATER) == 0
    with runtime.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(identity)) == 2
