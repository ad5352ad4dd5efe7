"""Asks again, for the few messages that are about to be called: did anything change since their facts were gathered?

One query over those people, instead of gathering everything anew: it finds whoever has a stop, a withdrawal, a status
or an objection at all, and what is paused. Only those it finds are judged again in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection

from core.clock import to_micros
from customers.consent import ConsentStatus
from customers.tables import ProfileStatus
from delivery.envelope import MessageRow


def find_changed(
    connection: Connection, rows: Sequence[MessageRow], lookups: Mapping[str, str], now: datetime
) -> tuple[set[str], dict[str, str]]:
    """The ids of those `rows` that have to be judged again, and what is paused: scope to cause.

    `lookups` has the address of each message. It finds too many rather than too few.
    """
    asked = (
        sorted({row.channel for row in rows}),
        sorted(set(lookups.values())),
        sorted({row.profile_id for row in rows}),
    )
    stopped: set[str] = set()
    people: set[int] = set()
    paused: dict[str, str] = {}
    question = _question(connection.dialect.name, *map(len, asked))
    channels, addresses, profiles = asked
    parameters = (*channels, *addresses, *addresses, *profiles, to_micros(now))
    for what, name, cause in connection.exec_driver_sql(question, parameters):
        match what:
            case "stop":
                stopped.add(name)
            case "person":
                people.add(int(name))
            case _:
                paused[name] = cause
    changed = {row.id for row in rows if row.profile_id in people or lookups[row.id] in stopped}
    return changed, paused


def is_paused(row: MessageRow, paused: Mapping[str, str]) -> bool:
    """Whether one of `paused` covers the message."""
    scopes = ("everything", f"channel:{row.channel}", f"sender:{row.sender}", f"{row.origin_kind}:{row.origin}")
    return bool(paused) and any(scope in paused for scope in scopes)


@lru_cache(maxsize=1024)
def _question(dialect: str, channels: int, addresses: int, people: int) -> str:
    """Plain SQL, because it is asked a hundred times a second and composing it would cost more than asking."""
    mark = "?" if dialect == "sqlite" else "%s"
    some_channels, some_addresses, some_people = (
        f"({', '.join([mark] * count)})" for count in (channels, addresses, people)
    )
    return (
        "SELECT 'stop', lookup, NULL FROM suppression "
        f"WHERE channel IN {some_channels} AND lookup IN {some_addresses} "
        "UNION ALL SELECT 'stop', lookup, NULL FROM consent_entry "
        f"WHERE lookup IN {some_addresses} AND status = '{ConsentStatus.WITHDRAWN}' "
        "UNION ALL SELECT 'person', CAST(id AS VARCHAR(20)), NULL FROM profile "
        f"WHERE id IN {some_people} AND (status <> '{ProfileStatus.ACTIVE}' OR objected_at IS NOT NULL) "
        f"UNION ALL SELECT 'pause', scope, cause FROM pause WHERE until IS NULL OR until > {mark}"
    )
