"""The last question before every attempt: may this message go to this person now?

Pure: facts and the instant come in, a named decision comes out. The gates stand in the order of docs/journeys.md, and
the first refusal is the recorded reason. What only a journey knows (is the enrolment active, does `if` hold) is asked
by the journey, when the step falls due.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from customers.consent import ConsentStatus
from delivery.legal_hours import LegalRule, legal_from
from delivery.quiet_hours import QuietHours, quiet_until
from delivery.send_window import SendHours, opens_at
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
    CLOSED = "closed"
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


class Then(StrEnum):
    """What a used-up limit does with the next message."""

    SKIP = "skip"
    WAIT = "wait"
    EXIT = "exit"


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `messages` within the rolling `per` (None: of the whole journey).

    `occupied_at` are the instants that count now, in any order; `taken_by` says whose message took the last place.
    """

    messages: int
    per: timedelta | None
    then: Then = Then.SKIP
    occupied_at: Sequence[datetime] = ()
    taken_by: str = ""

    @property
    def detail(self) -> str:
        allowed = f"{self.messages} in {'the journey' if self.per is None else _length(self.per)}"
        return f"{allowed}, the last by {self.taken_by}" if self.taken_by else allowed


@dataclass(frozen=True, slots=True)
class Send:
    """All gates are open."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Ask again at `until`; `reason` says what holds it, and `detail` more of it: a clock's zone, a limit."""

    until: datetime
    reason: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """It will not be sent; final. `refusal` is the limit that refused it, where it was one."""

    reason: Reason
    refusal: Cap | None = None


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
class HoursRule:
    """A send window and closed days; `default_zone` is for profiles without a zone of their own."""

    hours: SendHours
    default_zone: ZoneInfo


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
    hours: HoursRule | None = None
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
    for answer in _ask_clocks_and_caps(facts, now, is_marketing=is_marketing):
        if isinstance(answer, Hold):
            return _until_expiry(answer, facts.expires_at)
        if isinstance(answer, Drop):
            return answer
    return Send()


def is_open(hours: HoursRule | None, quiet: QuietRule | None, zone: ZoneInfo | None, at: datetime) -> bool:
    """Whether send window, closed days and quiet hours let a message go at `at`; `zone` is the profile's own."""
    answers = (hours and _ask_hours(hours, zone, at), quiet and _ask_quiet_hours(quiet, zone, at))
    return all(answer is None or isinstance(answer, Send) for answer in answers)


def _ask_clocks_and_caps(facts: MessageFacts, now: datetime, *, is_marketing: bool) -> Iterator[Decision]:
    """The gates that may open later, in their order; each is asked only when those before it are open."""
    if is_marketing and facts.legal:
        yield _ask_legal_hours(facts.legal, now)
    if facts.hours:
        yield _ask_hours(facts.hours, facts.zone, now)
    if facts.quiet:
        yield _ask_quiet_hours(facts.quiet, facts.zone, now)
    if is_marketing:
        for cap in facts.caps:
            yield _ask_cap(cap, now)


def _ask_legal_hours(rule: LegalRule, now: datetime) -> Decision:
    """Hold until it is legal; who may be in zones that never have a legal hour in common gets nothing."""
    until = legal_from(now, rule)
    if until is None:
        return Drop(Reason.LEGAL_HOURS)
    return Send() if until == now else Hold(until, Reason.LEGAL_HOURS)


def _ask_hours(rule: HoursRule, zone: ZoneInfo | None, now: datetime) -> Decision:
    zone = zone or rule.default_zone
    until = opens_at(now, rule.hours, zone)
    if until is None:
        return Drop(Reason.CLOSED)
    return Send() if until == now else Hold(until, Reason.CLOSED, zone.key)


def _ask_quiet_hours(rule: QuietRule, zone: ZoneInfo | None, now: datetime) -> Decision:
    if zone is None:
        if rule.no_timezone is Fallback.SEND:
            return Send()
        if rule.no_timezone is Fallback.SKIP:
            return Drop(Reason.NO_TIMEZONE)
        zone = rule.default_zone
    until = quiet_until(now, rule.hours, zone)
    if until is None:
        return Send()
    return Hold(until, Reason.QUIET_HOURS, zone.key) if rule.waits else Drop(Reason.QUIET_HOURS)


def _ask_cap(cap: Cap, now: datetime) -> Decision:
    """A message at t occupies [t, t+per): at exactly t+per it no longer counts. A whole journey frees no place."""
    counting = sorted(at for at in cap.occupied_at if cap.per is None or now - cap.per < at)
    if len(counting) < cap.messages:
        return Send()
    if cap.then is not Then.WAIT or cap.messages == 0 or cap.per is None:
        return Drop(Reason.CAP, cap)
    return Hold(counting[-cap.messages] + cap.per, Reason.CAP, cap.detail)


def _until_expiry(hold: Hold, expires_at: datetime | None) -> Hold:
    """A held message that lapses before it may go is asked again at the moment it lapses."""
    if expires_at is not None and expires_at < hold.until:
        return Hold(expires_at, hold.reason, hold.detail)
    return hold


def _length(length: timedelta) -> str:
    """Such as "7d" or "1d12h", as limits are written."""
    days, rest = divmod(length, timedelta(days=1))
    hours, rest = divmod(rest, timedelta(hours=1))
    parts = ((days, "d"), (hours, "h"), (rest // timedelta(minutes=1), "m"))
    return "".join(f"{count}{unit}" for count, unit in parts if count) or f"{rest.total_seconds():g}s"
