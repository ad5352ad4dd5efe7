"""What a person gets elsewhere than where a link was sent to: it can be left by any of our mails, and not begun.

A mail is forwarded and proves nothing about a telephone, so the other channels show only what is granted there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from core.vault import Vault
from customers.consent import ConsentStatus, consent_of
from customers.profiles import load_profiles
from customers.workspace import Workspace
from delivery.tables import MessageKind
from tracking.handles import Handle

_CHANNELS = ("email", "sms", "voice", "letter")


@dataclass(frozen=True, slots=True)
class OtherChannel:
    """A channel on which something is granted, under the address `lookup`; `topics` by slug."""

    name: str
    lookup: str
    topics: tuple[str, ...]


def list_other_channels(
    connection: Connection, vault: Vault, workspace: Workspace, handle: Handle, now: datetime
) -> list[OtherChannel]:
    """The other channels of the handle's person, without those on which nothing is granted."""
    person = load_profiles(connection, vault, [handle.profile_id]).get(handle.profile_id) if handle.profile_id else None
    if person is None or not person.is_active:
        return []
    marketing = [slug for slug, topic in workspace.topics.items() if topic.kind == MessageKind.MARKETING]
    found = []
    for channel in _CHANNELS:
        address = person.email if channel in ("email", "letter") else person.phone
        if channel == handle.channel or address is None:
            continue
        states = {slug: consent_of(connection, channel, slug, [address.lookup], now) for slug in marketing}
        granted = [slug for slug, state in states.items() if state[address.lookup] is ConsentStatus.GRANTED]
        if granted:
            found.append(OtherChannel(channel, address.lookup, tuple(granted)))
    return found
