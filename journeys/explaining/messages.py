"""What became of a message, in a sentence, with delivery's own words for why it was not sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from delivery.holds import by_in_words, iter_holds
from delivery.reason_words import REASONS
from delivery.tables import MessageStatus
from journeys.explaining.clock import is_later, lasted, told
from journeys.wording.conditions import CHANNELS


def named(row: Row[Any]) -> str:
    """Such as "the e-mail welcome_hello"."""
    template = f" {row.template}" if row.template else ""
    return f"the {CHANNELS.get(row.channel, row.channel)}{template}"


def held(row: Row[Any], clock: Callable[[datetime], str]) -> str:
    """What kept it from going when it was due: "quiet hours until 08:00, then by a limit until Wed 3 Jun, 10:00"."""
    return ", then by ".join(f"{by_in_words(one.by)} until {clock(one.until)}" for one in iter_holds(row.holds))


def ended(row: Row[Any]) -> str:
    """How it ended; "" while it has not."""
    match row.status:
        case MessageStatus.SENT:
            return f"{named(row)} was sent{_after_a_hold(row)}{_feedback(row)}"
        case MessageStatus.UNKNOWN:
            return f"{named(row)} may have been sent: the provider was called and gave no answer{_feedback(row)}"
        case MessageStatus.FAILED:
            return f"{named(row)} failed: {_why(row)}"
        case MessageStatus.SKIPPED:
            return f"{named(row)} was not sent: {_why(row)}"
        case MessageStatus.CANCELLED:
            return f"{named(row)} was cancelled before it was sent: {_why(row)}"
    return ""


def waiting(row: Row[Any], zone: ZoneInfo) -> str:
    """How a message stands that has not ended."""
    if row.status in (MessageStatus.CLAIMED, MessageStatus.SENDING):
        return f"{named(row)} is being sent at this moment"
    more = f" ({row.detail})" if row.detail else ""
    held_by = f", held by {by_in_words(row.reason)}{more}" if row.reason else ""
    lapses = f"; it lapses on {told(row.expires_at, zone)}" if row.expires_at is not None else ""
    return f"{named(row)} is due on {told(row.due_at, zone)}{held_by}{lapses}"


def _after_a_hold(row: Row[Any]) -> str:
    if row.sent_at is None or not is_later(row.sent_at, row.first_due_at):
        return ""
    return f", {lasted(row.sent_at - row.first_due_at)} after it was due"


def _feedback(row: Row[Any]) -> str:
    words = (("delivered", row.delivered_at), ("bounced", row.bounced_at), ("called spam", row.complained_at))
    happened = [word for word, at in words if at is not None]
    return f" ({', then '.join(happened)})" if happened else ""


def _why(row: Row[Any]) -> str:
    said = REASONS.get(row.reason, str(row.reason or "no reason is recorded").replace("_", " "))
    return f"{said} ({row.detail})" if row.detail else said
