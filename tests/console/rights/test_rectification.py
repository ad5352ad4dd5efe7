"""Putting right, readmitting, and the register of requests with its deadlines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection

from console.people import get_profile_id
from console.rights.erasure import erase_profile
from console.rights.readmission import readmit
from console.rights.rectification import Rectified, rectify
from console.rights.restriction import restrict
from core.errors import ConflictError, InputError, NotFoundError
from core.runtime import Runtime
from customers.consent import ConsentStatus, consent_of
from customers.identities import lookup_of, resolve
from customers.profiles import Profile, find_profile, get_profile
from customers.rights import RequestStatus, Right, complete, due_for, get_request, list_requests, receive, refuse
from customers.tables import IdentityKind
from customers.workspace import Workspace, get_workspace
from tests.console.rights.shop import NOW, SEALED, add_alice, add_bob

LATER = NOW + timedelta(hours=1)
LONDON = ZoneInfo("Europe/London")


def workspace_of(runtime: Runtime) -> Workspace:
    with runtime.database.read() as connection:
        return get_workspace(connection)


def put_right(
    runtime: Runtime, number: int, values: dict[str, Any], addresses: dict[IdentityKind, str] | None = None
) -> Rectified:
    return rectify(
        runtime, workspace_of(runtime), number, values, addresses=addresses or {}, requested_by="her", now=LATER
    )


def person(runtime: Runtime, number: int) -> Profile:
    with runtime.database.read() as connection:
        return get_profile(connection, runtime.vault, number)


def consent_for(connection: Connection, runtime: Runtime, address: str, topic: str = "marketing") -> ConsentStatus:
    lookup = lookup_of(runtime.vault, IdentityKind.EMAIL, address)
    return consent_of(connection, "email", topic, [lookup], LATER)[lookup]


def test_attributes_are_put_right_and_the_proof_names_them_alone(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    done = put_right(runtime, bob, {"first_name": "Robert", "tier": None, "country": "GB"})
    assert done.changed == ("first_name", "tier", "country")
    assert done.request.proof == {"changed": ["first_name", "tier", "country"]}
    found = person(runtime, bob)
    assert (found.attributes, found.country) == ({"first_name": "Robert"}, "GB")


def test_the_consent_of_an_old_address_does_not_pass_to_the_new_one(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    done = put_right(runtime, bob, {}, {IdentityKind.EMAIL: "Robert@People.example"})
    assert done.replaced == (IdentityKind.EMAIL,)
    found = person(runtime, bob)
    assert found.email is not None
    assert found.email.value == "robert@people.example"
    with runtime.database.read() as connection:
        assert find_profile(connection, runtime.vault, "email", "bob@people.example") is None
        assert consent_for(connection, runtime, "robert@people.example") is ConsentStatus.UNKNOWN
        assert consent_for(connection, runtime, "bob@people.example") is ConsentStatus.GRANTED
    again = put_right(runtime, bob, {}, {IdentityKind.EMAIL: "robert@people.example"})
    assert (again.changed, again.replaced) == ((), ())


def test_what_is_restricted_can_still_be_put_right(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    restrict(runtime, workspace_of(runtime), bob, requested_by="him", now=LATER)
    put_right(runtime, bob, {"first_name": "Robert"})
    assert person(runtime, bob).attributes["first_name"] == "Robert"


@pytest.mark.parametrize(
    ("values", "addresses", "words"),
    [
        ({}, {}, "say what is to be put right"),
        ({"birthday": "31 June"}, {}, "birthday: this is not a date"),
        ({"email": "x@y.example"}, {}, "write --email ADDRESS"),
        ({}, {IdentityKind.EMAIL: "no address"}, "address"),
    ],
)
def test_what_cannot_be_right_is_refused(
    runtime: Runtime, values: dict[str, Any], addresses: dict[IdentityKind, str], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        put_right(runtime, add_bob(runtime), values, addresses)


def test_the_address_of_somebody_erased_is_given_to_nobody(runtime: Runtime) -> None:
    alice, bob = add_alice(runtime), add_bob(runtime)
    erase_profile(runtime, alice, requested_by="her", now=NOW)
    with pytest.raises(ConflictError, match="readmit"):
        put_right(runtime, bob, {}, {IdentityKind.EMAIL: SEALED["email"]})


def test_somebody_erased_comes_back_as_a_new_person_with_the_new_grant_alone(runtime: Runtime) -> None:
    alice = add_alice(runtime)
    erase_profile(runtime, alice, requested_by="her", now=NOW)
    done = readmit(
        runtime,
        workspace_of(runtime),
        [SEALED["email"]],
        ["marketing"],
        source="form",
        now=LATER - timedelta(minutes=1),
    )
    assert (done.profile_id > alice, done.lifted_count) == (True, 1)
    with runtime.database.transaction() as connection:
        assert get_profile_id(connection, runtime.vault, workspace_of(runtime), SEALED["email"]) == done.profile_id
        assert resolve(connection, runtime.vault, {IdentityKind.EMAIL: SEALED["email"]}, LATER) == done.profile_id
        assert consent_for(connection, runtime, SEALED["email"]) is ConsentStatus.GRANTED
        assert consent_for(connection, runtime, SEALED["email"], "orders") is ConsentStatus.WITHDRAWN
    assert person(runtime, done.profile_id).attributes == {}
    with pytest.raises(NotFoundError, match="nothing to lift"):
        readmit(runtime, workspace_of(runtime), [SEALED["email"]], ["marketing"], source="form", now=LATER)
    with pytest.raises(InputError, match="no topic 'marketting'"):
        readmit(runtime, workspace_of(runtime), [SEALED["email"]], ["marketting"], source="form", now=LATER)


@pytest.mark.parametrize(
    ("asked", "due"),
    [
        ("2026-01-31T09:00", "2026-02-28T09:00"),
        ("2026-03-15T09:00", "2026-04-15T08:00"),  # the same hour in London, whose clocks have moved
        ("2026-12-10T09:00", "2027-01-10T09:00"),
    ],
)
def test_a_request_is_due_one_calendar_month_later(asked: str, due: str) -> None:
    at = datetime.fromisoformat(asked).replace(tzinfo=UTC)
    assert due_for(at, LONDON) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_request_by_letter_waits_until_it_is_done_or_refused(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    with runtime.database.transaction() as connection:
        first = receive(connection, bob, Right.EXPORT, requested_by="letter", at=NOW, zone=LONDON)
        with pytest.raises(ConflictError, match="asks for the same already"):
            receive(connection, bob, Right.EXPORT, requested_by="letter", at=LATER, zone=LONDON)
        second = receive(connection, bob, Right.ERASE, requested_by="letter", at=LATER, zone=LONDON)
        assert [one.id for one in list_requests(connection, status=RequestStatus.OPEN)] == [first.id, second.id]
        done = complete(connection, [bob], Right.EXPORT, requested_by="me", proof={"rows": 3}, now=LATER, zone=LONDON)
        assert (done.id, done.status, done.requested_by, done.requested_at) == (
            first.id,
            RequestStatus.DONE,
            "letter",
            NOW,
        )
        refused = refuse(connection, second.id, because="a dispute is open", refused_by="me", now=LATER)
        assert (refused.status, refused.proof["because"]) == (RequestStatus.REFUSED, "a dispute is open")
        with pytest.raises(ConflictError, match="refused already"):
            refuse(connection, second.id, because="again", refused_by="me", now=LATER)
        assert second.is_overdue(second.due_at)
        assert not get_request(connection, second.id).is_overdue(second.due_at)
        with pytest.raises(NotFoundError):
            get_request(connection, 999)


def test_our_own_number_finds_a_person(runtime: Runtime) -> None:
    bob = add_bob(runtime)
    with runtime.database.read() as connection:
        assert get_profile_id(connection, runtime.vault, workspace_of(runtime), f"#{bob}") == bob
        with pytest.raises(NotFoundError, match="#99"):
            get_profile_id(connection, runtime.vault, workspace_of(runtime), "#99")
