"""A shop to rotate the key of, and a process to be killed at it: `python -m tests.core.rotation_shop … STOP_AFTER`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, select, update

from core.clock import ManualClock
from core.keys import create_key, load_key
from core.runtime import Runtime, open_runtime
from core.settings import Settings
from customers.consent import WHOLE_CHANNEL, Basis, ConsentStatus, NewConsent, consent_of, record_consents
from customers.identities import lookup_of, resolve
from customers.key_rotation import rotate_keys
from customers.profiles import find_profile, get_profile, set_attributes
from customers.suppression import find_suppressed, suppress
from customers.tables import IdentityKind, sealed_attribute
from customers.workspace import parse_workspace
from delivery.tables import message
from tracking.events.write_keys import create_write_key, find_write_key
from tracking.handles import HandleFor, ensure_handles, find_handle
from tracking.tokens import KeyRing, TokenKind, verify, write

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
WORKSPACE = parse_workspace(
    {
        "workspace": "shop",
        "timezone": "Europe/London",
        "currency": "GBP",
        "country": "GB",
        "attributes": {"first_name": {"kind": "text", "personal": True}},
        "topics": {"marketing": {"kind": "marketing"}},
    }
)
PEOPLE = ("alice", "bob", "carol")
STRANGER = "stranger@people.example"  # has consents and a stop, and is nobody's identity


def email_of(name: str) -> str:
    return f"{name}@people.example"


@dataclass(frozen=True, slots=True)
class Shop:
    """What was in the shop before the rotation, to be compared with afterwards."""

    settings: Settings
    ids: dict[str, int]
    write_key: str
    token: str
    handle: int


def settings_of(folder: Path, database_url: str) -> Settings:
    return Settings(project=str(folder), database_url=database_url, key_file=str(folder / "apart" / "shop.key"))


@contextmanager
def opened(settings: Settings) -> Iterator[Runtime]:
    with open_runtime(settings, "shop", ManualClock(NOW)) as runtime:
        yield runtime


def fill(folder: Path, database_url: str, more: int = 0) -> Shop:
    """Alice consented, Bob withdrew, Carol's address bounced; and `more` people about whom nothing is known."""
    settings = settings_of(folder, database_url)
    create_key(settings.key_path("shop"))
    with opened(settings) as runtime, runtime.database.transaction() as connection:
        vault = runtime.vault
        ids = {}
        for number, name in enumerate([*PEOPLE, *(f"person{number}" for number in range(more))]):
            who = {IdentityKind.EXTERNAL_ID: name, IdentityKind.EMAIL: email_of(name)}
            if number < len(PEOPLE):
                who[IdentityKind.PHONE] = f"+4420794600{number:02d}"
            found = resolve(connection, vault, who, NOW)
            assert found is not None
            ids[name] = found
            set_attributes(connection, vault, WORKSPACE, found, {"first_name": name.title()}, NOW)
        _consent(connection, vault, email_of("alice"), ConsentStatus.GRANTED)
        _consent(connection, vault, email_of("bob"), ConsentStatus.WITHDRAWN)
        _consent(connection, vault, STRANGER, ConsentStatus.WITHDRAWN)
        for address in (email_of("carol"), STRANGER):
            suppress(connection, "email", lookup_of(vault, IdentityKind.EMAIL, address), "bounced", "test", NOW)
        lookup = lookup_of(vault, IdentityKind.EMAIL, email_of("alice"))
        _send(connection, ids["alice"], lookup)
        handle = ensure_handles(connection, [HandleFor("m1", lookup, "email", "marketing", ids["alice"])], NOW)["m1"]
        write_key = create_write_key(connection, vault, kind="public", name="web", now=NOW)
        ring = KeyRing.derive(vault.signing_key, vault.key_version)
        token = write(ring, TokenKind.UNSUBSCRIBE, handle)
    return Shop(settings, ids, write_key, token, handle)


def check(shop: Shop, version: int) -> None:
    """Everything is found as before, under `version` of the key."""
    assert load_key(shop.settings.key_path("shop")).current == version
    with opened(shop.settings) as runtime, runtime.database.transaction() as connection:
        vault = runtime.vault
        for name, number in shop.ids.items():
            assert find_profile(connection, vault, IdentityKind.EMAIL, email_of(name)) == number
            profile = get_profile(connection, vault, number)
            assert profile.email is not None
            assert profile.email.value == email_of(name)
            assert profile.email.lookup.startswith(f"{version:x}.")
            assert profile.attributes["first_name"] == name.title()
        lookups = {name: lookup_of(vault, IdentityKind.EMAIL, email_of(name)) for name in PEOPLE}
        states = consent_of(connection, "email", "marketing", list(lookups.values()), NOW)
        assert [states[lookups[name]].value for name in PEOPLE] == ["granted", "withdrawn", "unknown"]
        assert find_suppressed(connection, "email", list(lookups.values())) == {lookups["carol"]: "bounced"}
        wanted = vault.blind_index("attribute:first_name", "Bob")
        found = connection.execute(select(sealed_attribute.c.profile_id).where(sealed_attribute.c.lookup == wanted))
        assert found.scalars().all() == [shop.ids["bob"]]
        assert connection.execute(select(message.c.lookup)).scalar_one() == lookups["alice"]
        handle = find_handle(connection, shop.handle)
        assert handle is not None
        assert handle.lookup == lookups["alice"]
        assert find_write_key(connection, vault, shop.write_key, NOW) is not None
        assert verify(KeyRing.derive(vault.signing_key, vault.key_version), TokenKind.UNSUBSCRIBE, shop.token)


def _consent(connection, vault, address: str, status: ConsentStatus) -> None:  # type: ignore[no-untyped-def] # a test's
    lookup = lookup_of(vault, IdentityKind.EMAIL, address)
    basis = Basis.OPT_IN if status is ConsentStatus.GRANTED else None
    topic = "marketing" if status is ConsentStatus.GRANTED else WHOLE_CHANNEL
    entry = NewConsent(lookup, "email", topic, status, basis, "test", NOW, None, f"till:{lookup}:{status}")
    record_consents(connection, [entry], NOW)


def _send(connection, profile_id: int, lookup: str) -> None:  # type: ignore[no-untyped-def] # a test's
    row = {
        "id": "m1",
        "kind": "marketing",
        "channel": "email",
        "profile_id": profile_id,
        "topic": "marketing",
        "template": "letter",
        "origin_kind": "campaign",
        "origin": "summer",
        "origin_id": "launch-1",
        "due_at": NOW,
        "first_due_at": NOW,
        "created_at": NOW,
        "token_id": 77,
    }
    connection.execute(insert(message).values(**row))
    connection.execute(update(message).values(lookup=lookup))


def main(folder: str, database_url: str, stop_after: str) -> None:
    """Rotate, and die without a word after the so-manieth step."""
    left = int(stop_after)

    def tell(_what: str, _done: int, _total: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    rotate_keys(settings_of(Path(folder), database_url), "shop", tell)


if __name__ == "__main__":
    main(*sys.argv[1:])
