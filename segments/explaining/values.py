"""What a condition has found, in values and words for a person: numbers of events, consents, lists and messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select
from sqlalchemy.sql.expression import FromClause

from customers.consent import WHOLE_CHANNEL, ConsentStatus, consent_of
from customers.tables import consent_entry, identity, profile, static_list_member
from delivery.tables import message
from segments.compiling.consents import ADDRESS_OF
from segments.compiling.features import Features
from segments.compiling.predicates import Moment
from segments.compiling.values import Member, Plain
from segments.language.rules import AggregateKind, ConsentRule, EventRule, ListRule, MessageRule

_BY_WEIGHT = (ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN)


def tell_events(connection: Connection, leaf: EventRule, profile_id: int, moment: Moment) -> Any:
    """The value of the one aggregate, or all of several in words; the rule's own pass over the log gives them."""
    values = reckon_events(connection, leaf, profile_id, moment)
    if len(values) == 1:
        return values[0]
    words = (
        f"{one.kind}{f' of {one.of}' if one.of else ''} {'–' if value is None else _plain(value)}"
        for one, value in zip(leaf.aggregates, values, strict=True)
    )
    return ", ".join(words)


def reckon_events(connection: Connection, leaf: EventRule, profile_id: int, moment: Moment) -> list[Any]:
    """What each aggregate of `leaf` yields for one person; None is missing."""
    features = Features([leaf], moment, [profile_id])
    source: FromClause = profile
    for table in features.tables:
        source = source.outerjoin(table, table.c.profile_id == profile.c.id)
    columns: list[ColumnElement[Any]] = []
    for number, aggregate in enumerate(leaf.aggregates):
        subject = features.subject(leaf, aggregate)
        if isinstance(subject, Member):
            columns.append(subject.document.label(f"value_{number}"))
        else:
            assert isinstance(subject, Plain)
            assert subject.element.number is not None
            columns.append(subject.element.number.label(f"value_{number}"))
    row = connection.execute(select(*columns).select_from(source).where(profile.c.id == profile_id)).one_or_none()
    if row is None:
        return [None] * len(columns)
    return [
        (value or {}).get(one.of) if one.kind in (AggregateKind.FIRST, AggregateKind.LAST) else value
        for one, value in zip(leaf.aggregates, row, strict=True)
    ]


def tell_consent(connection: Connection, leaf: ConsentRule, profile_id: int, now: datetime) -> str | None:
    """Such as `granted since 2026-03-01 (double_opt_in)`; None without an address to consent with."""
    address, entry = identity.c, consent_entry.c
    of_person = select(address.lookup).where(
        address.profile_id == profile_id, address.kind == ADDRESS_OF[leaf.channel].value
    )
    lookups = list(connection.scalars(of_person))
    if not lookups:
        return "no address"
    states = consent_of(connection, leaf.channel, leaf.topic, lookups, now)
    state = next((one for one in _BY_WEIGHT if one in states.values()), ConsentStatus.UNKNOWN)
    said = select(entry.occurred_at, entry.expires_at, entry.basis).where(
        entry.lookup.in_([lookup for lookup, found in states.items() if found is state]),
        entry.channel == leaf.channel,
        entry.topic.in_([leaf.topic, WHOLE_CHANNEL]),
    )
    if state is ConsentStatus.UNKNOWN:
        return "never said" if connection.execute(said.limit(1)).first() is None else "run out"
    last = connection.execute(said.where(entry.status == state.value).order_by(entry.occurred_at.desc())).first()
    assert last is not None  # the state follows from such an entry
    basis = f" ({last.basis})" if last.basis else ""
    until = f", until {last.expires_at:%Y-%m-%d}" if last.expires_at and state is ConsentStatus.GRANTED else ""
    return f"{state} since {last.occurred_at:%Y-%m-%d}{basis}{until}"


def tell_list(connection: Connection, leaf: ListRule, profile_id: int) -> str | None:
    member = static_list_member.c
    added = connection.scalar(select(member.added_at).where(member.list == leaf.slug, member.profile_id == profile_id))
    return f"since {added:%Y-%m-%d}" if added else None


def tell_message(connection: Connection, leaf: MessageRule, profile_id: int) -> str | None:
    """The newest message of that name, whatever became of it."""
    sent = message.c
    named = or_(sent.origin == leaf.name, sent.template == leaf.name)
    query = select(sent.status, sent.sent_at, sent.due_at, sent.reason).where(sent.profile_id == profile_id, named)
    newest = connection.execute(query.order_by(sent.due_at.desc(), sent.id).limit(1)).first()
    if newest is None:
        return "no such message"
    reason = f" ({newest.reason})" if newest.reason else ""
    return f"newest {newest.status}{reason} {newest.sent_at or newest.due_at:%Y-%m-%d %H:%M}"


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
