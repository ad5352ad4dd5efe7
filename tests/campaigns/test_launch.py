"""Freezing an audience: who gets what, once, whatever is killed."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

import campaigns.launch
from campaigns.due import choose_occurrence, find_due
from campaigns.launch import LaunchResult, finish_launches, launch_campaign
from campaigns.schedule import Occurrence
from campaigns.tables import LaunchStatus, audience_member, launch
from campaigns.variants import is_held_out
from core.errors import ConfigError, ConflictError
from core.runtime import Runtime
from customers.consent import ConsentStatus
from customers.suppression import suppress
from customers.tables import identity
from delivery.tables import message
from tests.campaigns.shop import CAMPAIGN, NOW, OFFER, TEMPLATES, add_people, open_shop, publish_template, publish_yaml

HERE = Occurrence(NOW)


def members(runtime: Runtime) -> list[dict[str, Any]]:
    with runtime.database.read() as connection:
        query = select(audience_member).order_by(audience_member.c.profile_id)
        return [dict(row._mapping) for row in connection.execute(query)]


def messages(runtime: Runtime) -> list[Any]:
    with runtime.database.read() as connection:
        return list(connection.execute(select(message).order_by(message.c.profile_id)))


def go(runtime: Runtime, occurrence: Occurrence = HERE, now: datetime = NOW) -> LaunchResult:
    return launch_campaign(runtime, "summer", occurrence, now)


def test_everybody_gets_a_row_with_message_holdout_or_reason_when_a_campaign_is_launched(runtime: Runtime) -> None:
    open_shop(runtime, people=40)
    with runtime.database.transaction() as connection:
        (bob,) = add_people(connection, runtime.vault, ["bob"], consent=ConsentStatus.WITHDRAWN)
        (carol,) = add_people(connection, runtime.vault, ["carol"])
        (phone_only,) = add_people(connection, runtime.vault, ["erin"], channel="sms")
        (lookup,) = connection.execute(
            select(identity.c.lookup).where(identity.c.profile_id == carol, identity.c.kind == "email")
        ).scalars()
        suppress(connection, "email", lookup, "bounced", "test", NOW)

    result = go(runtime)

    rows = {row["profile_id"]: row for row in members(runtime)}
    assert result.member_count == len(rows) == 43
    assert rows[bob]["reason"] == "consent"
    assert rows[carol]["reason"] == "suppressed"
    assert rows[phone_only]["reason"] == "no_address"
    held = {number for number, row in rows.items() if row["is_holdout"]}
    assert held == {number for number in rows if is_held_out("summer", 20, number)} - {bob, carol, phone_only}  # type: ignore[arg-type]  # an int compares as well
    sent_to = {row.profile_id: row for row in messages(runtime)}
    assert sent_to.keys() == rows.keys() - held - {bob, carol, phone_only}
    assert {row.variant for row in sent_to.values()} == {"letter", "short"}
    for number, row in sent_to.items():
        assert (row.id, row.variant) == (rows[number]["message_id"], rows[number]["variant"])
        assert (row.origin_kind, row.origin, row.topic, row.sender) == ("campaign", "summer", "marketing", "letters")
    assert result.counts == {
        "message": len(sent_to),
        "held_out": len(held),
        "consent": 1,
        "suppressed": 1,
        "no_address": 1,
    }


def test_nothing_changes_when_the_same_occurrence_is_launched_again(runtime: Runtime) -> None:
    open_shop(runtime, people=10)
    first = go(runtime)
    before = (members(runtime), messages(runtime))

    again = go(runtime, now=NOW + timedelta(hours=1))

    assert (first.is_new, again.is_new, again.counts) == (True, False, first.counts)
    assert (members(runtime), messages(runtime)) == before


def test_the_same_rows_stand_when_a_launch_is_killed_between_batches_and_started_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = open_shop(runtime, people=30)
    monkeypatch.setattr(campaigns.launch, "BATCH", 7)

    def die(done: int, _total: int) -> None:
        if done >= 14:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        launch_campaign(runtime, "summer", HERE, NOW, die)
    assert 0 < len(members(runtime)) < 30
    with runtime.database.transaction() as connection:  # what is published meanwhile is for the next launch
        publish_yaml(connection, "campaign", CAMPAIGN.replace("holdout: 20%", "holdout: 90%"))
        assert find_due(connection, "summer", NOW) == [HERE]
        assert choose_occurrence(connection, "summer", NOW) == HERE

    result = go(runtime, now=NOW + timedelta(minutes=5))

    assert [row["profile_id"] for row in members(runtime)] == ids
    held = [row["profile_id"] for row in members(runtime) if row["is_holdout"]]
    assert held == [number for number in ids if is_held_out("summer", 20, number)]  # type: ignore[arg-type]  # as above
    assert len(messages(runtime)) == result.counts["message"]
    with runtime.database.transaction() as connection:
        assert connection.execute(select(launch.c.status)).scalar_one() == LaunchStatus.SENDING
        assert finish_launches(connection, NOW) == 0


def test_a_launch_is_done_when_no_message_is_open(runtime: Runtime) -> None:
    open_shop(runtime, people=4)
    go(runtime)
    with runtime.database.transaction() as connection:
        connection.execute(message.update().values(status="sent"))
        assert finish_launches(connection, NOW) == 1
        assert connection.execute(select(launch.c.status)).scalar_one() == LaunchStatus.DONE


def test_messages_are_spread_when_the_campaign_has_a_pace_and_a_life(runtime: Runtime) -> None:
    open_shop(runtime, CAMPAIGN + "throttle: 2/m\nexpires_after: 2d\n", people=12)
    go(runtime)
    rows = sorted(messages(runtime), key=lambda row: row.due_at)
    assert [row.due_at - NOW for row in rows] == [timedelta(seconds=30 * place) for place in range(len(rows))]
    assert {row.expires_at - row.due_at for row in rows} == {timedelta(days=2)}


def test_each_profile_is_due_on_its_own_clock_when_the_send_is_local(runtime: Runtime) -> None:
    """Scenario 10, through the ledger."""
    local = CAMPAIGN.replace("send: manual", 'send: {at: "2026-05-01T09:00", local: true}').replace("20%", "0%")
    zones = {
        "kiritimati": "Pacific/Kiritimati",
        "tokyo": "Asia/Tokyo",
        "berlin": "Europe/Berlin",
        "angeles": "America/Los_Angeles",
        "pago": "Pacific/Pago_Pago",
    }
    launched_at = datetime.fromisoformat("2026-05-01T06:00Z")
    open_shop(runtime, local, people=1)  # who has no zone is on the workspace's clock
    with runtime.database.transaction() as connection:
        ids = {name: add_people(connection, runtime.vault, [name], timezone=zone)[0] for name, zone in zones.items()}
        (occurrence,) = find_due(connection, "summer", launched_at)
    go(runtime, occurrence, launched_at)
    due = {row.profile_id: f"{row.due_at:%m-%dT%H:%MZ}" for row in messages(runtime)}
    assert {name: due.pop(number) for name, number in ids.items()} == {
        "kiritimati": "05-01T06:00Z",
        "tokyo": "05-01T06:00Z",
        "berlin": "05-01T07:00Z",
        "angeles": "05-01T16:00Z",
        "pago": "05-01T20:00Z",
    }
    assert list(due.values()) == ["05-01T08:00Z"]


def test_a_profile_without_a_zone_is_left_out_when_the_send_says_so(runtime: Runtime) -> None:
    local = CAMPAIGN.replace("send: manual", 'send: {at: "2026-06-10T09:00", local: true, no_timezone: skip}')
    open_shop(runtime, local, people=3)
    go(runtime, Occurrence.of_key("2026-06-10T09:00"))
    assert Counter(row["reason"] for row in members(runtime)) == {"no_timezone": 3}


def test_a_launch_is_refused_as_a_whole_when_something_is_missing(runtime: Runtime) -> None:
    broken = CAMPAIGN.replace("email: short", "email: shrt").replace("offer: cross_sell", "offer: upsell")
    open_shop(runtime, broken, people=2, postal_address=None)
    with pytest.raises(ConfigError) as caught:
        go(runtime)
    assert [fault.code for fault in caught.value.faults] == ["E120", "E120", "E152"]
    assert members(runtime) == []
    with runtime.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(launch)).scalar_one() == 0


def test_a_launch_is_refused_when_it_would_show_a_code_that_nobody_draws(runtime: Runtime) -> None:
    open_shop(runtime, CAMPAIGN, people=2)
    code = "{{ offers.cross_sell.code }}"
    with runtime.database.transaction() as connection:
        publish_template(connection, TEMPLATES["letter"].replace("See what is new", code))
        publish_yaml(connection, "offer", OFFER + "code: {pool: ten}\n")
    with pytest.raises(ConfigError, match=r"'letter' reads `offers\.cross_sell\.code`, which a campaign cannot draw"):
        go(runtime)
    with runtime.database.transaction() as connection:
        publish_yaml(connection, "offer", OFFER + "code: {static: TEN}\n")
    go(runtime)


def test_a_launch_is_refused_when_the_campaign_is_not_live(runtime: Runtime) -> None:
    open_shop(runtime, CAMPAIGN + "status: draft\n", people=2)
    with pytest.raises(ConflictError, match="status: live"):
        go(runtime)


def test_a_second_launch_by_hand_is_refused_when_the_first_was_just_now(runtime: Runtime) -> None:
    open_shop(runtime, people=2)
    with runtime.database.read() as connection:
        assert choose_occurrence(connection, "summer", NOW) == HERE
    go(runtime)
    later = NOW + timedelta(hours=1)
    with runtime.database.read() as connection:
        with pytest.raises(ConflictError, match="--again"):
            choose_occurrence(connection, "summer", later)
        assert choose_occurrence(connection, "summer", later, again=True) == Occurrence(later)
        assert choose_occurrence(connection, "summer", NOW + timedelta(days=2)) == Occurrence(NOW + timedelta(days=2))


def test_a_rhythm_is_due_from_its_publication_when_the_schedule_asks(runtime: Runtime) -> None:
    weekly = CAMPAIGN.replace("send: manual", 'send: {every: week, weekday: wed, at: "09:00"}')
    open_shop(runtime, weekly, people=2)  # published on Wednesday at 09:00 London time
    with runtime.database.read() as connection:
        assert find_due(connection, "summer", NOW - timedelta(minutes=1)) == []
        assert find_due(connection, "summer", NOW) == [HERE]
    go(runtime)
    with runtime.database.read() as connection:
        assert find_due(connection, "summer", NOW) == []
        assert find_due(connection, "summer", NOW + timedelta(days=7)) == [Occurrence(NOW + timedelta(days=7))]
