"""The last question before every attempt: may this message go to this person now?

Pure: facts and the instant come in, a named decision comes out. The gates stand in the order of docs/journeys.md, and
the first refusal is the recorded reason. What only a journey knows (is the enrolment active, does `if` hold) is asked
by the journey, when the step falls due.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from customers.consent import ConsentStatus
from delivery.legal_hours import LegalRule, legal_from
from delivery.quiet_hours import QuietHours, quiet_until
from delivery.tables import MessageKind


class Reason(StrEnum):
    """Why a message was not sent; one word each, the same in the table, the reports and the documentation."""

    ERASED = "erased"
    RESTRICTED = "restricted"
    OBJECTED = "objected"
    NO_ADDRESS = "no_address"
    SUPPRESSED = "suppressed"
    CONSENT = "consent"
    PAUSED = "paused"
    EXPIRED = "expired"
    HOLDOUT = "holdout"
    LEGAL_HOURS = "legal_hours"
    QUIET_HOURS = "quiet_hours"
    NO_TIMEZONE = "no_timezone"
    CAP = "cap"
    THROTTLED = "throttled"
    RENDER_ERROR = "render_error"
    REJECTED = "rejected"
    EXIT = "exit"
    STOPPED = "stopped"
    NO_OFFER = "no_offer"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Send:
    """All gates are open."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Ask again at `until`; `reason` says what holds it."""

    until: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class Drop:
    """It will not be sent; final."""

    reason: Reason


Decision = Send | Hold | Drop


class Fallback(StrEnum):
    """What quiet hours do with a profile that has no zone of its own."""

    USE_DEFAULT = "use_default"
    SEND = "send"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class QuietRule:
    hours: QuietHours
    waits: bool  # hold until the end, or drop
    no_timezone: Fallback
    default_zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `messages` within the rolling `per`; `occupied_at` are the instants that count now, any order."""

    messages: int
    per: timedelta
    waits: bool
    occupied_at: Sequence[datetime] = ()


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """What is true of one message and its person at the moment of sending."""

    kind: MessageKind
    is_erased: bool
    has_address: bool
    is_suppressed: bool
    consent: ConsentStatus
    is_restricted: bool = False
    has_objected: bool = False
    is_paused: bool = False
    expires_at: datetime | None = None
    is_held_out: bool = False
    zone: ZoneInfo | None = None
    legal: LegalRule | None = None
    quiet: QuietRule | None = None
    caps: Sequence[Cap] = ()


def decide(facts: MessageFacts, now: datetime) -> Decision:
    """The decision for a message at `now` (UTC)."""
    is_marketing = facts.kind is MessageKind.MARKETING
    if facts.is_erased:
        return Drop(Reason.ERASED)
    if facts.is_restricted:
        return Drop(Reason.RESTRICTED)
    if is_marketing and facts.has_objected:
        return Drop(Reason.OBJECTED)
    if not facts.has_address:
        return Drop(Reason.NO_ADDRESS)
    if facts.is_suppressed:
        return Drop(Reason.SUPPRESSED)
    if is_marketing and facts.consent is not ConsentStatus.GRANTED:
        return Drop(Reason.CONSENT)
    if is_marketing and facts.is_paused:
        return Drop(Reason.PAUSED)
    if facts.expires_at is not None and now >= facts.expires_at:
        return Drop(Reason.EXPIRED)
    if is_marketing and facts.is_held_out:
        return Drop(Reason.HOLDOUT)
    refusals = [_ask_legal_hours(facts.legal, now)] if is_marketing and facts.legal else []
    if facts.quiet:
        refusals.append(_ask_quiet_hours(facts, now))
    if is_marketing:
        refusals += [_ask_cap(cap, now) for cap in facts.caps]
    for refusal in refusals:
        if isinstance(refusal, Hold):
            return _until_expiry(refusal, facts.expires_at)
        if isinstance(refusal, Drop):
            return refusal
    return Send()


def _ask_legal_hours(rule: LegalRule, now: datetime) -> Decision:
    """Hold until it is legal; who may be in zones that never have a legal hour in common gets nothing."""
    until = legal_from(now, rule)
    if until is None:
        return Drop(Reason.LEGAL_HOURS)
    return Send() if until == now else Hold(until, Reason.LEGAL_HOURS)


def _ask_quiet_hours(facts: MessageFacts, now: datetime) -> Decision:
    rule = facts.quiet
    assert rule is not None
    zone = facts.zone
    if zone is None:
        if rule.no_timezone is Fallback.SEND:
            return Send()
        if rule.no_timezone is Fallback.SKIP:
            return Drop(Reason.NO_TIMEZONE)
        zone = rule.default_zone
    until = quiet_until(now, rule.hours, zone)
    if until is None:
        return Send()
    return Hold(until, Reason.QUIET_HOURS) if rule.waits else Drop(Reason.QUIET_HOURS)


def _ask_cap(cap: Cap, now: datetime) -> Decision:
    """A message at t occupies [t, t+per): at exactly t+per it no longer counts."""
    counting = sorted(at for at in cap.occupied_at if now - cap.per < at)
    if len(counting) < cap.messages:
        return Send()
    if not cap.waits or cap.messages == 0:
        return Drop(Reason.CAP)
    return Hold(counting[-cap.messages] + cap.per, Reason.CAP)


def _until_expiry(hold: Hold, expires_at: datetime | None) -> Hold:
    """A held message that lapses before it may go is asked again at the moment it lapses."""
    if expires_at is not None and expires_at < hold.until:
        return Hold(expires_at, hold.reason)
    return hold


def in_sending_order(rows: Iterable[tuple[int, datetime, str]]) -> list[tuple[int, datetime, str]]:
    """(priority, due_at, message id) in the order in which messages compete for a cap."""
    return sorted(rows, key=lambda row: (-row[0], row[1], row[2]))
