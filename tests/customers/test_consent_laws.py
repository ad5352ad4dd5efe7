"""The laws of consent, over any order and any duplication of what people say and what files say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select

from core.database import Database
from core.errors import InputError
from customers.consent import (
    WHOLE_CHANNEL,
    Basis,
    ConsentStatus,
    NewConsent,
    consent_of,
    denied_lookups,
    granted_lookups,
    import_consents,
    record_consents,
)
from customers.tables import consent_entry
from tests.customers.conftest import NOW

GRANTED, WITHDRAWN, UNKNOWN = ConsentStatus.GRANTED, ConsentStatus.WITHDRAWN, ConsentStatus.UNKNOWN
TOPICS = ("news", "offers")
PEOPLE = ("alice", "bob")
HOUR = timedelta(hours=1)

on_each_database = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])


def entry(
    status: ConsentStatus,
    hours: int,
    topic: str = "news",
    *,
    who: str = "alice",
    lasts: int | None = None,
    channel: str = "email",
) -> NewConsent:
    return NewConsent(
        lookup=who,
        channel=channel,
        topic=topic,
        status=status,
        basis=Basis.OPT_IN if status is GRANTED else None,
        source="test",
        occurred_at=NOW + hours * HOUR,
        profile_id=None,
        key=f"{who}:{channel}:{topic}:{status}:{hours}:{lasts}",
        expires_at=None if lasts is None or status is WITHDRAWN else NOW + lasts * HOUR,
    )


def expected(history: Sequence[NewConsent], who: str, channel: str, topic: str) -> ConsentStatus:
    """The law in words: what was granted after the last withdrawal holds as long as one of those grants lasts."""
    relevant = [
        one for one in history if (one.lookup, one.channel) == (who, channel) and one.topic in (topic, WHOLE_CHANNEL)
    ]
    withdrawn_at = [one.occurred_at for one in relevant if one.status is WITHDRAWN]
    grants = [
        one for one in relevant if one.status is GRANTED and all(one.occurred_at > instant for instant in withdrawn_at)
    ]
    if not grants:
        return WITHDRAWN if withdrawn_at else UNKNOWN
    return GRANTED if any(one.expires_at is None or one.expires_at > NOW for one in grants) else UNKNOWN


entries = st.builds(
    entry,
    st.sampled_from([GRANTED, WITHDRAWN]),
    st.integers(-3, 0),
    st.sampled_from([*TOPICS, WHOLE_CHANNEL]),
    who=st.sampled_from(PEOPLE),
    lasts=st.sampled_from([None, None, -1, 0, 1]),
    channel=st.sampled_from(["email", "email", "sms"]),
)


def states(database: Database) -> dict[tuple[str, str, str], ConsentStatus]:
    """Every state, after asking in all three ways whether they agree."""
    found: dict[tuple[str, str, str], ConsentStatus] = {}
    with database.read() as connection:
        for channel in ("email", "sms"):
            for topic in (*TOPICS, WHOLE_CHANNEL):
                told = consent_of(connection, channel, topic, PEOPLE, NOW)
                granted = set(connection.execute(granted_lookups(channel, topic, NOW)).scalars())
                denied = set(connection.execute(denied_lookups(channel, topic, NOW)).scalars())
                assert granted == {who for who, state in told.items() if state is GRANTED}
                assert denied == {who for who, state in told.items() if state is WITHDRAWN}
                found |= {(who, channel, topic): state for who, state in told.items()}
    return found


def forget(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(delete(consent_entry))


@on_each_database
@given(history=st.lists(entries, max_size=8), data=st.data())
def test_state_equals_the_model_when_entries_come_in_any_order_and_any_number(
    database: Database, history: list[NewConsent], data: st.DataObject
) -> None:
    forget(database)
    twice = data.draw(st.lists(st.sampled_from(history), max_size=4)) if history else []
    arrival = data.draw(st.permutations(history + twice))
    size = data.draw(st.integers(1, 4))
    for start in range(0, len(arrival), size):
        with database.transaction() as connection:
            record_consents(connection, arrival[start : start + size], NOW)
    assert states(database) == {place: expected(history, *place) for place in states(database)}
    with database.read() as connection:
        count = connection.execute(select(func.count()).select_from(consent_entry)).scalar_one()
    assert count == len({one.key for one in history})


@on_each_database
@given(history=st.lists(entries, max_size=6), file=st.lists(entries, max_size=6))
def test_no_denied_state_becomes_granted_when_a_file_is_imported_in_any_form(
    database: Database, history: list[NewConsent], file: list[NewConsent]
) -> None:
    forget(database)
    with database.transaction() as connection:
        record_consents(connection, history, NOW)
    before = states(database)
    with database.transaction() as connection:
        import_consents(connection, [replace(one, key=f"file:{one.key}") for one in file], NOW)
    once = states(database)
    assert [place for place, state in before.items() if state is WITHDRAWN and once[place] is GRANTED] == []
    with database.transaction() as connection:
        again = import_consents(connection, [replace(one, key=f"file:{one.key}") for one in file], NOW)
    assert again.new == frozenset()
    assert states(database) == once


@on_each_database
@given(history=st.lists(entries, max_size=6), topic=st.sampled_from([*TOPICS, WHOLE_CHANNEL]))
def test_nothing_of_it_stays_granted_when_somebody_withdraws_now(
    database: Database, history: list[NewConsent], topic: str
) -> None:
    forget(database)
    with database.transaction() as connection:
        record_consents(connection, [*history, entry(WITHDRAWN, 0, topic, who="bob")], NOW)
    found = states(database)
    left = [*TOPICS, WHOLE_CHANNEL] if topic == WHOLE_CHANNEL else [topic]
    assert {found["bob", "email", one] for one in left} == {WITHDRAWN}


def test_whole_channel_grant_of_a_file_is_refused_when_bob_left_one_topic(database: Database) -> None:
    everything = entry(GRANTED, -1, WHOLE_CHANNEL, who="bob")
    with database.transaction() as connection:
        record_consents(connection, [entry(WITHDRAWN, -2, "offers", who="bob")], NOW)
        told = import_consents(connection, [everything], NOW)
        assert told.denied == {everything.key}
        assert consent_of(connection, "email", "offers", ["bob"], NOW) == {"bob": WITHDRAWN}


def test_a_later_withdrawal_counts_when_a_file_dated_its_grant_in_the_future(database: Database) -> None:
    later = NOW + 24 * HOUR
    with database.transaction() as connection:
        record_consents(connection, [entry(GRANTED, 24 * 365, who="bob")], NOW)
        assert consent_of(connection, "email", "news", ["bob"], NOW) == {"bob": GRANTED}
        record_consents(connection, [replace(entry(WITHDRAWN, 0, who="bob"), occurred_at=later)], later)
        assert consent_of(connection, "email", "news", ["bob"], later + 24 * 365 * HOUR) == {"bob": WITHDRAWN}


def test_express_consent_stays_when_an_implied_one_runs_out_beside_it(database: Database) -> None:
    with database.transaction() as connection:
        record_consents(connection, [entry(GRANTED, -3), entry(GRANTED, -2, lasts=-1)], NOW)
        assert consent_of(connection, "email", "news", ["alice"], NOW) == {"alice": GRANTED}


def test_implied_consent_ends_after_six_months_when_nobody_says_how_long_it_lasts(database: Database) -> None:
    implied = replace(
        entry(GRANTED, 0), basis=Basis.CASL_IMPLIED, occurred_at=datetime(2025, 8, 31, 12, tzinfo=UTC), key="implied"
    )
    bought = replace(implied, lookup="bob", key="bought", expires_at=datetime(2027, 8, 31, 12, tzinfo=UTC))
    with database.transaction() as connection:
        record_consents(connection, [implied, bought], NOW)
        ends = dict(connection.execute(select(consent_entry.c.lookup, consent_entry.c.expires_at)).tuples().all())
        assert ends == {"alice": datetime(2026, 2, 28, 12, tzinfo=UTC), "bob": bought.expires_at}
        assert consent_of(connection, "email", "news", PEOPLE, NOW) == {"alice": UNKNOWN, "bob": GRANTED}


def test_grant_is_refused_when_it_does_not_say_why_it_is_lawful(database: Database) -> None:
    with database.transaction() as connection, pytest.raises(InputError, match="double_opt_in"):
        record_consents(connection, [replace(entry(GRANTED, 0), basis=None)], NOW)
