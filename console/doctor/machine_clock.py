"""The machine's clock: a wrong one writes to people at night, and AWS refuses requests that are minutes off.

Compared with what answers and has a clock of its own: the PostgreSQL server, and AWS (or its stand-in) by the `Date` of
an answer; and with the newest record in the database, which cannot be of the future.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime

from sqlalchemy import func, select, text

from console.doctor.finding import Finding, fine, note, warning, wrong
from console.doctor.patient import Patient
from core.clock import SystemClock
from core.database import Database
from core.definitions import definition

_NOTICEABLE = timedelta(seconds=10)
_TOO_MUCH = timedelta(minutes=4)  # AWS refuses from five minutes on
_WAY_OUT = "let the machine take its time from the network: `timedatectl set-ntp true`"
_TIMEOUT_S = 3


def examine(patient: Patient) -> Iterator[Finding]:
    if patient.database is not None:
        yield from _of_database(patient.database)
    if patient.is_offline:
        yield note("AWS was not asked for the time")
    else:
        yield from _of_aws(patient)


def _of_database(database: Database) -> Iterator[Finding]:
    if not database.is_sqlite:
        with database.read() as connection:
            asked_at = SystemClock().now()
            told: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        yield _compare("the PostgreSQL server", told.astimezone(UTC) - asked_at)
    with database.read() as connection:
        newest = connection.execute(select(func.max(definition.c.published_at))).scalar()
    if newest is not None and newest > SystemClock().now() + _NOTICEABLE:
        yield warning(f"something was published in the future, at {newest:%Y-%m-%d %H:%M} UTC", _WAY_OUT)


def _of_aws(patient: Patient) -> Iterator[Finding]:
    settings = patient.settings
    url = settings.aws_endpoint_url or f"https://email.{settings.aws_region}.amazonaws.com"
    date = _ask(url)
    if date is None:
        yield note(f"{url} was not reached and could not be asked for the time")
    else:
        yield _compare(url, parsedate_to_datetime(date).astimezone(UTC) - SystemClock().now())


def _ask(url: str) -> str | None:
    """The `Date` of whatever is answered."""
    request = urllib.request.Request(url, method="HEAD")  # from the settings, for an operator
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # as above
            headers: Message = answer.headers
    except urllib.error.HTTPError as refusal:
        with refusal:
            headers = refusal.headers
    except (OSError, ValueError):
        return None
    return headers.get("Date")


def _compare(who: str, ahead: timedelta) -> Finding:
    off = abs(ahead)
    if off < _NOTICEABLE:
        return fine(f"agrees with {who}")
    text = f"{off.total_seconds():.0f} seconds {'behind' if ahead > timedelta() else 'ahead of'} {who}"
    return wrong(text, _WAY_OUT) if off > _TOO_MUCH else warning(text, _WAY_OUT)
