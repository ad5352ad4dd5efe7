"""Gathers what the policy must know about a batch of claimed messages, in a handful of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

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
from delivery.legal_hours import LegalRule, find_windows
from delivery.phone_places import place_of
from delivery.pinned import find_pinned
from delivery.policy import Cap, Fallback, MessageFacts, QuietRule
from delivery.quiet_hours import QuietHours
from delivery.tables import MessageKind, MessageStatus, OriginKind, message

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
    occupying = _occupying(connection, rows, now)
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
                quiet=_quiet_rule(row.policy, workspace),
                caps=_caps(row, occupying[row.profile_id], now),
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


def _quiet_rule(policy: Mapping[str, Any], workspace: Workspace) -> QuietRule | None:
    stated = policy.get("quiet_hours")
    if stated is None or policy.get("ignore_quiet_hours"):
        return None
    return QuietRule(
        hours=QuietHours(time.fromisoformat(stated["from"]), time.fromisoformat(stated["to"])),
        waits=stated.get("then", "wait") == "wait",
        no_timezone=Fallback(stated.get("no_timezone", "use_default")),
        default_zone=find_zone(policy.get("timezone") or "") or ZoneInfo(workspace.timezone),
    )


@dataclass(frozen=True, slots=True)
class _Occupant:
    """A message that may count under a cap."""

    id: str
    channel: str
    topic: str
    origin_kind: str
    origin: str
    origin_id: str
    at: datetime
    rank: tuple[int, datetime, str] | None  # its place in the queue while it is only claimed


def _occupying(connection: Connection, rows: Sequence[MessageRow], now: datetime) -> dict[int, list[_Occupant]]:
    """Marketing messages that occupy a cap, by profile, as far back as any cap of these rows looks."""
    limits = [limit for row in rows for limit in row.policy.get("limits", ())]
    found: dict[int, list[_Occupant]] = defaultdict(list)
    if not limits:
        return found
    window = max((limit["per_s"] for limit in limits if limit["per_s"] is not None), default=0)
    started = now - timedelta(seconds=window)
    capped = sorted({row.profile_id for row in rows if row.policy.get("limits")})
    whole_runs = any(limit["per_s"] is None for limit in limits)
    since = [] if whole_runs else [(message.c.claimed_at > started)]
    query = select(message).where(
        message.c.profile_id.in_(capped),
        message.c.kind == MessageKind.MARKETING,
        message.c.status.in_([MessageStatus.CLAIMED, MessageStatus.SENDING, MessageStatus.SENT, MessageStatus.UNKNOWN]),
        *since,
    )
    for row in connection.execute(query):
        waiting = row.status == MessageStatus.CLAIMED
        found[row.profile_id].append(
            _Occupant(
                row.id,
                row.channel,
                row.topic,
                row.origin_kind,
                row.origin,
                row.origin_id,
                row.sent_at or row.claimed_at,
                (-row.priority, row.due_at, row.id) if waiting else None,
            )
        )
    return found


def _caps(row: MessageRow, occupants: Sequence[_Occupant], now: datetime) -> list[Cap]:
    rank = (-row.priority, row.due_at, row.id)
    ahead = [item for item in occupants if item.id != row.id and (item.rank is None or item.rank < rank)]
    return [
        Cap(
            messages=limit["messages"],
            per=timedelta(seconds=limit["per_s"]) if limit["per_s"] is not None else now - _BEGINNING,
            waits=limit.get("then") == "wait",
            occupied_at=[item.at for item in ahead if _counts(item, limit, row)],
        )
        for limit in row.policy.get("limits", ())
    ]


_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _counts(item: _Occupant, limit: Mapping[str, Any], row: MessageRow) -> bool:
    """Does `item` count under `limit` of `row`? A whole-run limit (`per: journey`) counts one enrolment's messages."""
    if limit.get("channel", item.channel) != item.channel or limit.get("topic", item.topic) != item.topic:
        return False
    if limit["per_s"] is None:
        return bool(item.origin_id == row.origin_id)
    match limit.get("scope", "workspace"):
        case "workspace":
            return True
        case "journeys":
            return item.origin_kind == OriginKind.JOURNEY
        case "topic":
            return bool(item.topic == row.topic)
        case _:
            return bool((item.origin_kind, item.origin) == (row.origin_kind, row.origin))
