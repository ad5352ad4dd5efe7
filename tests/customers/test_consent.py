from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from core.database import Database
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


def entry(
    status: ConsentStatus, hours: int, topic: str = "news", *, who: str = "alice", lasts: int | None = None
) -> NewConsent:
    return NewConsent(
        lookup=who,
        channel="email",
        topic=topic,
        status=status,
        basis=Basis.OPT_IN if status is GRANTED else None,
        source="test",
        occurred_at=NOW + timedelta(hours=hours),
        profile_id=None,
        key=f"{who}:{topic}:{status}:{hours}:{lasts}",
        expires_at=None if lasts is None else NOW + timedelta(hours=lasts),
    )


def expected(history: Sequence[NewConsent], topic: str) -> ConsentStatus:
    """The rule in words: the latest entry counts, a withdrawal wins a tie, a grant that ran out is unknown."""
    relevant = [one for one in history if one.topic in (topic, WHOLE_CHANNEL)]
    if not relevant:
        return UNKNOWN
    last = max(one.occurred_at for one in relevant)
    latest = [one for one in relevant if one.occurred_at == last]
    if any(one.status is WITHDRAWN for one in latest):
        return WITHDRAWN
    return GRANTED if any(one.expires_at is None or one.expires_at > NOW for one in latest) else UNKNOWN


entries = st.builds(
    entry,
    st.sampled_from([GRANTED, WITHDRAWN]),
    st.integers(-3, 0),
    st.sampled_from(["news", "offers", WHOLE_CHANNEL]),
    who=st.sampled_from(["alice", "bob"]),
    lasts=st.sampled_from([None, None, -1, 1]),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(entries, max_size=6), again=st.data())
def test_the_state_is_the_same_when_entries_come_in_any_order_and_twice(
    database: Database, history: list[NewConsent], again: st.DataObject
) -> None:
    arrival = again.draw(st.permutations(history + history[:2]))
    with database.transaction() as connection:
        connection.execute(delete(consent_entry))
        for one in arrival:
            record_consents(connection, [one], NOW)
        for topic in ("news", "offers"):
            states = consent_of(connection, "email", topic, ["alice", "bob"], NOW)
            for who in ("alice", "bob"):
                assert states[who] is expected([one for one in history if one.lookup == who], topic)
            granted = set(connection.execute(granted_lookups("email", topic, NOW)).scalars())
            denied = set(connection.execute(denied_lookups("email", topic, NOW)).scalars())
        assert granted == {who for who, state in states.items() if state is GRANTED}
        assert denied == {who for who, state in states.items() if state is WITHDRAWN}


def test_every_older_topic_grant_is_beaten_when_bob_leaves_the_channel(database: Database) -> None:
    history = [entry(GRANTED, -3), entry(GRANTED, -2, "offers"), entry(WITHDRAWN, -1, WHOLE_CHANNEL)]
    for arrival in permutations(history):
        with database.transaction() as connection:
            connection.execute(delete(consent_entry))
            record_consents(connection, list(arrival), NOW)
            for topic in ("news", "offers", WHOLE_CHANNEL):
                assert consent_of(connection, "email", topic, ["alice"], NOW) == {"alice": WITHDRAWN}
    with database.transaction() as connection:
        record_consents(connection, [entry(GRANTED, 0)], NOW)
        assert consent_of(connection, "email", "news", ["alice"], NOW) == {"alice": GRANTED}
        assert consent_of(connection, "email", "offers", ["alice"], NOW) == {"alice": WITHDRAWN}
        assert consent_of(connection, "sms", "news", ["alice"], NOW) == {"alice": UNKNOWN}


def test_a_denial_stays_when_a_file_says_granted(database: Database) -> None:
    with database.transaction() as connection:
        record_consents(connection, [entry(WITHDRAWN, -2, WHOLE_CHANNEL, who="bob")], NOW)
        told = import_consents(
            connection, [entry(GRANTED, -1, who="bob"), entry(GRANTED, -1, who="alice"), entry(WITHDRAWN, -3)], NOW
        )
        states = consent_of(connection, "email", "news", ["alice", "bob"], NOW)
        keys = set(connection.execute(select(consent_entry.c.key)).scalars())
    assert states == {"alice": WITHDRAWN, "bob": WITHDRAWN}
    assert told.denied == {entry(GRANTED, -1, who="bob").key, entry(GRANTED, -1, who="alice").key}
    assert told.new < keys


def test_granted_lookups_can_stand_inside_another_query(database: Database) -> None:
    with database.transaction() as connection:
        record_consents(connection, [entry(GRANTED, -1), entry(WITHDRAWN, -1, who="bob")], NOW)
        inside = select(consent_entry.c.lookup).where(
            consent_entry.c.lookup.in_(granted_lookups("email", "news", NOW)),
            consent_entry.c.lookup.not_in(denied_lookups("email", "news", NOW)),
        )
        assert connection.execute(inside).scalars().all() == ["alice"]
