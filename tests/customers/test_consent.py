from __future__ import annotations

from datetime import timedelta
from itertools import permutations

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
