"""How many messages of a campaign or a journey bounced or were called spam, counted as the reports come in.

Counts go by the day on which a message was sent, so that a late complaint counts among its own. Seven days decide, or
the time since somebody lifted a pause.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, select, update

from core.database import insert_ignore
from delivery.alarms import clear_alarm, raise_alarm
from delivery.breakers import Feedback, Severity, judge_feedback
from delivery.envelope import MessageRow
from delivery.pauses import pause
from delivery.tables import OriginKind, feedback_count

log = logging.getLogger(__name__)

_WINDOW = timedelta(days=7)
_COUNTED = frozenset({OriginKind.CAMPAIGN, OriginKind.JOURNEY})
_WORDS = ("arrived", "bounced", "can_complain", "complained")
# Google tells of complaints in Postmaster Tools alone; counted among the delivered they would hide everybody else's.
_TELL_NOTHING = frozenset({"gmail.com", "googlemail.com"})


@dataclass(frozen=True, slots=True)
class Novelty:
    """What a report has told about a message for the first time."""

    origin_kind: str
    origin: str
    day: str
    words: frozenset[str]


def novelty_of(row: MessageRow, after: Mapping[str, datetime | None], occurred_at: datetime) -> Novelty | None:
    """What is new of a message whose row was `row`; `after` has what delivered_at and so on are now.

    None where nothing is that is counted.
    """
    if row.origin_kind not in _COUNTED:
        return None
    new = {name for name, at in after.items() if at is not None and getattr(row, name) is None}
    tells = row.channel == "email" and (row.recipient_domain or "") not in _TELL_NOTHING
    words = {
        "arrived": bool(new & {"delivered_at", "bounced_at"}) and row.delivered_at is None and row.bounced_at is None,
        "bounced": "bounced_at" in new,
        "can_complain": "delivered_at" in new and tells,
        "complained": "complained_at" in new and tells,
    }
    told = frozenset(word for word, is_told in words.items() if is_told)
    return Novelty(row.origin_kind, row.origin, _day(row.sent_at or occurred_at), told) if told else None


def count_feedback(connection: Connection, novelties: Iterable[Novelty], now: datetime) -> None:
    """Add to the counts, and let go off what they set off: a warning, or a pause of the campaign or journey."""
    counts: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for one in novelties:
        counts[one.origin_kind, one.origin, one.day].update(one.words)
    if not counts:
        return
    places = sorted(counts)  # always in one order: two writers must not wait for each other
    _add(connection, places, counts)
    alarming = {place[:2] for place in places if counts[place]["bounced"] or counts[place]["complained"]}
    for origin_kind, origin in sorted(alarming):
        _judge(connection, origin_kind, origin, now)


def read_feedback(connection: Connection, origin_kind: str, origin: str, now: datetime) -> Feedback:
    """The counts that decide at `now`."""
    counted = feedback_count.c
    sums = [func.coalesce(func.sum(counted[word]), 0) for word in _WORDS]
    mine = (counted.origin_kind == origin_kind, counted.origin == origin, counted.day >= _day(now - _WINDOW))
    return Feedback(*(int(value) for value in connection.execute(select(*sums).where(*mine)).one()))


def forget_feedback(connection: Connection, scope: str) -> None:
    """Count afresh: somebody has put right what was wrong with a campaign or a journey, and lets it go on."""
    origin_kind, _, origin = scope.partition(":")
    columns = feedback_count.c
    connection.execute(delete(feedback_count).where(columns.origin_kind == origin_kind, columns.origin == origin))
    clear_alarm(connection, f"feedback:{scope}")


def _judge(connection: Connection, origin_kind: str, origin: str, now: datetime) -> None:
    scope = f"{origin_kind}:{origin}"
    alarm = f"feedback:{scope}"
    verdict = judge_feedback(read_feedback(connection, origin_kind, origin, now))
    if verdict is None:
        clear_alarm(connection, alarm)
    elif verdict.severity is Severity.WARN:
        raise_alarm(connection, alarm, verdict.cause, now)
    elif pause(connection, scope, verdict.cause, now):
        log.warning("%s is paused: %s", scope, verdict.cause)


def _add(
    connection: Connection,
    places: list[tuple[str, str, str]],
    counts: Mapping[tuple[str, str, str], Counter[str]],
) -> None:
    keys = ("origin_kind", "origin", "day")
    empty = dict.fromkeys(_WORDS, 0)
    insert_ignore(connection, feedback_count, [{**dict(zip(keys, place, strict=True)), **empty} for place in places])
    columns = feedback_count.c
    statement = (
        update(feedback_count)
        .where(*(columns[name] == bindparam(f"b_{name}") for name in keys))
        .values({columns[word]: columns[word] + bindparam(f"b_{word}") for word in _WORDS})
    )
    connection.execute(
        statement,
        [
            {f"b_{name}": value for name, value in zip(keys, place, strict=True)}
            | {f"b_{word}": counts[place][word] for word in _WORDS}
            for place in places
        ],
    )


def _day(instant: datetime) -> str:
    return instant.astimezone(UTC).date().isoformat()
