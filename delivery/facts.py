"""Gathers what the policy must know about a batch of claimed messages, in a handful of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from core.ids import bucket
from core.vault import Vault
from core.zones import find_zone
from customers.consent import ConsentStatus, consent_of
from customers.ownership import survivors_of
from customers.pausing import find_paused
from customers.profiles import Address, Profile, load_profiles
from customers.suppression import find_suppressed
from customers.tables import ProfileStatus
from customers.workspace import Workspace
from delivery.envelope import MessageRow
from delivery.hour_rules import hours_rule, quiet_rule
from delivery.legal_hours import LegalRule, find_windows
from delivery.limits import caps_of, find_occupants
from delivery.phone_places import place_of
from delivery.pinned import find_pinned
from delivery.policy import MessageFacts
from delivery.tables import MessageKind

_NOBODY = Address("", "", "")
_GLOBAL_HOLDOUT_SEED = "workspace/global_holdout"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts of one message and the profile they are about."""

    facts: MessageFacts
    profile: Profile
    address: Address | None


def gather_facts(
    connection: Connection,
    vault: Vault,
    workspace: Workspace,
    rows: Sequence[MessageRow],
    now: datetime,
    *,
    takes_synthetic: bool = False,
) -> dict[str, Gathered]:
    """Facts by message id. An address that an import made up is none, unless `takes_synthetic`: a sandbox does."""
    survivors = survivors_of(connection, {row.profile_id for row in rows})  # a merge may be younger than the row
    loaded = load_profiles(connection, vault, sorted(set(survivors.values())))
    profiles = {number: loaded[survivor] for number, survivor in survivors.items()}
    addresses = {row.id: address_of(profiles[row.profile_id], row.channel) for row in rows}
    addresses.update(find_pinned(vault, rows))
    if not takes_synthetic:
        addresses = {key: one if one and not one.is_synthetic else None for key, one in addresses.items()}
    suppressed = _suppressed(connection, rows, addresses)
    consents = _consents(connection, rows, addresses, now)
    paused = _paused(connection, rows, addresses, now)
    occupants = find_occupants(connection, rows, now)
    gathered = {}
    for row in rows:
        profile, address = profiles[row.profile_id], addresses[row.id]
        gathered[row.id] = Gathered(
            MessageFacts(
                kind=MessageKind(row.kind),
                is_erased=profile.status in (ProfileStatus.ERASED, ProfileStatus.MERGED),
                is_restricted=profile.status is ProfileStatus.RESTRICTED,
                has_objected=profile.objected_at is not None,
                has_address=address is not None,
                is_suppressed=address is not None and (row.channel, address.lookup) in suppressed,
                is_paused=row.id in paused,
                consent=consents.get(row.id, ConsentStatus.UNKNOWN),
                expires_at=row.expires_at,
                is_held_out=is_globally_held_out(workspace, row.profile_id),
                zone=find_zone(profile.timezone or ""),
                legal=_legal_rule(workspace, row, profile, address),
                hours=hours_rule(row.policy, workspace),
                quiet=quiet_rule(row.policy, workspace),
                caps=caps_of(row, occupants.get(row.profile_id, ())),
            ),
            profile,
            address,
        )
    return gathered


def is_globally_held_out(workspace: Workspace, profile_id: int) -> bool:
    """Whether a profile gets no marketing at all, so that its worth can be measured: by a hash, the same for ever."""
    return bucket(_GLOBAL_HOLDOUT_SEED, profile_id) < workspace.global_holdout * 100


def address_of(profile: Profile, channel: str) -> Address | None:
    """Where a channel reaches a profile, and what consent to it binds. A webhook reaches a system, not a person.

    A letter goes to what the profile's attributes say; consent to it binds the e-mail address.
    """
    if channel == "webhook":
        return _NOBODY
    return profile.email if channel in ("email", "letter") else profile.phone


def _suppressed(
    connection: Connection, rows: Sequence[MessageRow], addresses: Mapping[str, Address | None]
) -> set[tuple[str, str]]:
    by_channel: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if address := addresses[row.id]:
            by_channel[row.channel].add(address.lookup)
    return {
        (channel, lookup)
        for channel, lookups in by_channel.items()
        for lookup in find_suppressed(connection, channel, sorted(lookups))
    }


def _consents(
    connection: Connection, rows: Sequence[MessageRow], addresses: Mapping[str, Address | None], now: datetime
) -> dict[str, ConsentStatus]:
    groups: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in rows:
        if address := addresses[row.id]:
            groups[row.channel, row.topic][row.id] = address.lookup
    states: dict[str, ConsentStatus] = {}
    for (channel, topic), lookups in groups.items():
        found = consent_of(connection, channel, topic, sorted(set(lookups.values())), now)
        states |= {message_id: found.get(lookup, ConsentStatus.UNKNOWN) for message_id, lookup in lookups.items()}
    return states


def _paused(
    connection: Connection, rows: Sequence[MessageRow], addresses: Mapping[str, Address | None], now: datetime
) -> set[str]:
    """The ids of marketing messages to people who asked for a pause."""
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for row in rows:
        if row.kind == MessageKind.MARKETING and (address := addresses[row.id]):
            groups[row.channel][row.id] = address.lookup
    found: set[str] = set()
    for channel, lookups in groups.items():
        quiet = find_paused(connection, channel, sorted(set(lookups.values())), now)
        found |= {message_id for message_id, lookup in lookups.items() if lookup in quiet}
    return found


def _legal_rule(workspace: Workspace, row: MessageRow, profile: Profile, address: Address | None) -> LegalRule | None:
    """The hours of the number's country, in the person's own zone, else in each that the number may be in."""
    if not workspace.legal_hours or row.kind != MessageKind.MARKETING or address is None:
        return None
    place = None if row.channel == "email" else place_of(address.value)
    country = (place.country if place else None) or profile.country or workspace.country
    windows = find_windows(workspace.legal_hours, row.channel, country)
    if not windows:
        return None
    own = find_zone(profile.timezone or "")
    zones = (own,) if own else place.zones if place else ()
    return LegalRule(windows, zones or (ZoneInfo(workspace.timezone),))
