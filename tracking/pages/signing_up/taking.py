"""Signing up by a form: what waits for the confirmation by mail, and what the confirmation does.

Whoever signs up is nobody until then: a profile of its own, without an identity, holds what was entered, and the mail
goes to the address that was typed. So a known address and a strange one are treated alike, and nothing of anybody known
changes without the mailed link. Its press gives the address a person, the topics a grant, and the grant its proof.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from core.ids import random_token_id
from core.runtime import Runtime
from core.vault import Vault
from customers.consent import Basis
from customers.identities import lock_people, lookup_of
from customers.profiles import find_profile
from customers.reindex import adopt_old_lookups
from customers.tables import IdentityKind, ProfileStatus, profile
from customers.tombstones import find_buried
from customers.touches import touch
from customers.workspace import Workspace
from delivery.system_mails import DOUBLE_OPT_IN, SystemMail, send_system_mail
from delivery.tables import message
from tracking.client_address import network_of
from tracking.pages.language import Texts
from tracking.pages.mail_words import mail_words
from tracking.pages.signing_up.confirming import COLUMN, LINK_LASTS, Status, complete
from tracking.pages.signing_up.definition import Form
from tracking.tables import sign_up
from tracking.tokens import KeyRing, Token, TokenKind, sign

KEPT_FOR: Final = timedelta(days=30)
PATH: Final = "/y/"

_PER_NETWORK: Final = (timedelta(hours=1), 30)
_PER_ADDRESS: Final = (timedelta(days=1), 4)  # mails, over all forms
_BETWEEN_MAILS: Final = timedelta(minutes=5)
_MAILS: Final = 3  # of one sign-up
_NETWORK_PURPOSE: Final = "network"
_BATCH: Final = 500


class Outcome(StrEnum):
    """What became of a form. For everything but `too_many` people read the same."""

    TAKEN = "taken"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Entry:
    """A form that was filled in well. `address` is normalised, `values` are in their attributes' kinds."""

    form: Form
    address: str = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    topics: tuple[str, ...]
    network: str


def network_hash(vault: Vault, address: str) -> str:
    """A keyed hash of the client's network: its IPv4 address, or the /64 that one IPv6 subscriber has."""
    return hmac.new(vault.signing_key(_NETWORK_PURPOSE), network_of(address).encode(), hashlib.sha256).hexdigest()


def take_sign_up(
    connection: Connection, runtime: Runtime, key_ring: KeyRing, workspace: Workspace, texts: Texts, entry: Entry
) -> Outcome:
    """Keep what was entered and send the mail that confirms it, within the limits of addresses and networks.

    A form without double opt-in takes an address that nobody has at once.
    """
    vault, now = runtime.vault, runtime.clock.now()
    lock_people(connection)  # and let nobody else count at the same moment
    window, most = _PER_NETWORK
    if _count(connection, sign_up.c.network == entry.network, sign_up.c.requested_at > now - window) >= most:
        return Outcome.TOO_MANY
    adopt_old_lookups(connection, vault, IdentityKind.EMAIL, [entry.address])
    lookup = lookup_of(vault, IdentityKind.EMAIL, entry.address)
    if not _may_mail(connection, lookup, now):
        return Outcome.TAKEN
    standing = _find_waiting(connection, lookup, entry, now)
    if standing is not None:
        if standing.mail_count < _MAILS and standing.mailed_at <= now - _BETWEEN_MAILS:
            again = {"mailed_at": now, "mail_count": standing.mail_count + 1}
            connection.execute(update(sign_up).where(sign_up.c.id == standing.id).values(**again))
            _mail(connection, runtime, key_ring, workspace, texts, entry, standing.profile_id, standing.token_id, again)
        return Outcome.TAKEN
    row = _keep(connection, vault, entry, lookup, texts.language, now)
    if not entry.form.double_opt_in and not _is_known(connection, vault, entry.address):
        complete(connection, runtime, workspace, row, entry.network, Basis.OPT_IN)
    else:
        _mail(connection, runtime, key_ring, workspace, texts, entry, row.profile_id, row.token_id, {"mail_count": 1})
    return Outcome.TAKEN


def delete_unconfirmed(runtime: Runtime, now: datetime, *, batches: int = 100) -> int:
    """Forget what nobody confirmed within 30 days, with the key that sealed it; answers how many there were."""
    total = 0
    for _ in range(batches):
        with runtime.database.transaction() as connection:
            old = (sign_up.c.status == Status.WAITING.value) & (sign_up.c.requested_at < now - KEPT_FOR)
            query = select(sign_up.c.profile_id).where(old).order_by(sign_up.c.id).limit(_BATCH)
            profiles = sorted(set(connection.scalars(query)))
            _forget(connection, profiles, now)
        for number in profiles:
            runtime.vault.destroy(number)
        total += len(profiles)
        if len(profiles) < _BATCH:
            break
    return total


def _forget(connection: Connection, profile_ids: Sequence[int], now: datetime) -> None:
    connection.execute(delete(sign_up).where(sign_up.c.profile_id.in_(profile_ids)))
    emptied = {"context": None, "links": None, "lookup": None, "recipient_domain": None}
    connection.execute(update(message).where(message.c.profile_id.in_(profile_ids)).values(**emptied))
    gone = {"status": ProfileStatus.ERASED.value, "locale": None, "updated_at": now}
    connection.execute(update(profile).where(profile.c.id.in_(profile_ids)).values(**gone))
    touch(connection, profile_ids)


def _keep(connection: Connection, vault: Vault, entry: Entry, lookup: str, language: str, now: datetime) -> Row[Any]:
    nobody = {"status": ProfileStatus.ACTIVE.value, "locale": language, "created_at": now, "updated_at": now}
    profile_id = connection.execute(insert(profile).values(**nobody).returning(profile.c.id)).scalar_one()
    touch(connection, [profile_id])
    vault.prepare([profile_id])
    values = {
        "token_id": random_token_id(),
        "profile_id": profile_id,
        "form": entry.form.slug,
        "form_version": entry.form.version,
        "status": Status.WAITING.value,
        "lookup": lookup,
        "topics": list(entry.topics),
        "text_version": entry.form.consent_version,
        "language": language,
        "sealed_document": vault.seal_document(
            profile_id, COLUMN, {"address": entry.address, "values": dict(entry.values)}
        ),
        "network": entry.network,
        "requested_at": now,
        "mailed_at": now,
        "mail_count": 1,
    }
    return connection.execute(insert(sign_up).values(**values).returning(*sign_up.c)).one()


def _mail(
    connection: Connection,
    runtime: Runtime,
    key_ring: KeyRing,
    workspace: Workspace,
    texts: Texts,
    entry: Entry,
    profile_id: int,
    token_id: int,
    turn: Mapping[str, Any],
) -> None:
    now = runtime.clock.now()
    until = now + LINK_LASTS
    token = sign(key_ring, Token(TokenKind.CONFIRM, token_id))
    mail = SystemMail(
        template=DOUBLE_OPT_IN,
        profile_id=profile_id,
        cause=f"{token_id}:{turn['mail_count']}",
        words=mail_words(
            workspace, texts, "optin", ignore="optin_ignore", form=entry.form.title, date=texts.day(until)
        ),
        button=f"{runtime.settings.public_url.rstrip('/')}{PATH}{token}",
        expires_at=until,
        to=entry.address,
    )
    send_system_mail(connection, runtime.vault, workspace, mail, now)


def _find_waiting(connection: Connection, lookup: str, entry: Entry, now: datetime) -> Row[Any] | None:
    """The sign-up of this address by this form that can still be confirmed, if nothing else was asked for."""
    mine = (sign_up.c.lookup == lookup) & (sign_up.c.form == entry.form.slug)
    fresh = (sign_up.c.status == Status.WAITING.value) & (sign_up.c.requested_at > now - LINK_LASTS)
    query = select(sign_up).where(mine, fresh).order_by(sign_up.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    is_same = row is not None and tuple(row.topics) == entry.topics and row.text_version == entry.form.consent_version
    return row if is_same else None


def _may_mail(connection: Connection, lookup: str, now: datetime) -> bool:
    window, most = _PER_ADDRESS
    query = select(func.sum(sign_up.c.mail_count))
    mailed = connection.execute(query.where(sign_up.c.lookup == lookup, sign_up.c.mailed_at > now - window)).scalar()
    return (mailed or 0) < most


def _is_known(connection: Connection, vault: Vault, address: str) -> bool:
    """Whether somebody has this address, or had it and was erased."""
    if find_profile(connection, vault, IdentityKind.EMAIL, address) is not None:
        return True
    return bool(find_buried(connection, vault, [(IdentityKind.EMAIL, address)]))


def _count(connection: Connection, *conditions: Any) -> int:
    return connection.execute(select(func.count()).select_from(sign_up).where(*conditions)).scalar_one()
