"""The confirmation of a sign-up: the address gets its person, the topics a grant, and the grant its proof."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from core.clock import to_micros
from core.runtime import Runtime
from core.vault import Vault
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lock_people, lookup_of
from customers.identity_rows import write_identities
from customers.log import NewEvent, append_events
from customers.merges import merge
from customers.profiles import find_profile, get_profile, set_attributes
from customers.tables import IdentityKind, ProfileStatus, identity, profile
from customers.tombstones import lift
from customers.workspace import Workspace
from tracking.tables import sign_up

LINK_LASTS: Final = timedelta(days=7)
COLUMN: Final = "sign_up.document"
SOURCE: Final = "form"


class Status(StrEnum):
    WAITING = "waiting"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class SignUp:
    """A sign-up that waits, or was confirmed."""

    id: int
    profile_id: int
    form: str
    topics: tuple[str, ...]
    language: str
    status: Status
    is_too_old: bool


def find_sign_up(connection: Connection, token_id: int, now: datetime) -> SignUp | None:
    """What the link in the mail stands for; it is good for a week, and after it was used it says so."""
    row = _find(connection, token_id)
    if row is None:
        return None
    too_old = row.status == Status.WAITING and row.mailed_at + LINK_LASTS <= now
    return SignUp(row.id, row.profile_id, row.form, tuple(row.topics), row.language, Status(row.status), too_old)


def confirm_sign_up(
    connection: Connection, runtime: Runtime, workspace: Workspace, token_id: int, network: str
) -> SignUp | None:
    """Do what was asked for, once; answers as `find_sign_up` does, None also for somebody erased meanwhile."""
    lock_people(connection)
    now = runtime.clock.now()
    found = find_sign_up(connection, token_id, now)
    if found is None or found.is_too_old or found.status is Status.CONFIRMED:
        return found
    row = _find(connection, token_id)
    if row is None or row.sealed_document is None:
        return None
    complete(connection, runtime, workspace, row, network, Basis.DOUBLE_OPT_IN)
    return find_sign_up(connection, token_id, now)


def complete(
    connection: Connection, runtime: Runtime, workspace: Workspace, row: Row[Any], network: str, basis: Basis
) -> None:
    """Give the address its person, the person the values and grants, and keep the proof."""
    vault, now = runtime.vault, runtime.clock.now()
    entered = vault.open_document(row.profile_id, COLUMN, row.sealed_document)
    address, is_proven = entered["address"], basis is Basis.DOUBLE_OPT_IN
    person = _person(connection, vault, workspace, row, address, now)
    known = get_profile(connection, vault, person)
    given = {name: value for name, value in entered["values"].items() if value is not None}
    if known.locale is None:
        given["locale"] = row.language
    set_attributes(connection, vault, workspace, person, given, now)
    if is_proven:
        mine = (identity.c.profile_id == person) & (identity.c.kind == IdentityKind.EMAIL.value)
        connection.execute(
            update(identity).where(mine, identity.c.lookup == row.lookup).values(is_verified=True, is_claimed=False)
        )
    _grant(connection, vault, workspace, row, person, basis, now)
    done = {
        "status": Status.CONFIRMED.value,
        "sealed_document": None,
        "confirmed_at": now,
        "confirmed_network": network,
    }
    connection.execute(update(sign_up).where(sign_up.c.id == row.id).values(**done))


def _person(
    connection: Connection, vault: Vault, workspace: Workspace, row: Row[Any], address: str, now: datetime
) -> int:
    """Who has the address: somebody known, to whom this sign-up is merged, else the sign-up's own profile.

    An address whose owner was erased comes back by this fresh opt-in, as somebody new.
    """
    lock_people(connection)
    known = find_profile(connection, vault, IdentityKind.EMAIL, address)
    if known is None:
        lift(connection, vault, IdentityKind.EMAIL, address, now)
        gained = [(row.profile_id, IdentityKind.EMAIL, lookup_of(vault, IdentityKind.EMAIL, address), address)]
        write_identities(connection, vault, gained, [], now)
        return int(row.profile_id)
    status = connection.execute(select(profile.c.status).where(profile.c.id == known)).scalar_one()
    if known != row.profile_id and status == ProfileStatus.ACTIVE:
        merge(
            connection,
            vault,
            workspace,
            known,
            row.profile_id,
            cause="manual",
            source=f"{SOURCE}:{row.form}"[:100],
            now=now,
        )
    return known


def _grant(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    row: Row[Any],
    person: int,
    basis: Basis,
    now: datetime,
) -> None:
    source = f"{SOURCE}:{row.form}"[:100]
    entries, events = [], []
    for topic in row.topics:
        key = f"sign_up:{row.id}:{topic}:{to_micros(now)}"
        entries.append(
            NewConsent(
                lookup=row.lookup,
                channel="email",
                topic=topic,
                status=ConsentStatus.GRANTED,
                basis=basis,
                source=source,
                occurred_at=now,
                profile_id=person,
                key=key,
                text_version=row.text_version,
            )
        )
        told = {"channel": "email", "topic": topic, "source": source}
        events.append(NewEvent("consent_granted", now, SOURCE, f"consent_granted:{key}", person, told))
    record_consents(connection, entries, now)
    append_events(connection, vault, workspace, events, now)


def _find(connection: Connection, token_id: int) -> Row[Any] | None:
    return connection.execute(select(sign_up).where(sign_up.c.token_id == token_id)).one_or_none()
