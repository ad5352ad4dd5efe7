"""Legal hours: by the country of the number, in every zone where its owner may be, whatever a campaign asks for."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from core.definitions import publish
from core.runtime import Runtime
from customers.tables import profile
from customers.workspace import Hours, get_workspace, parse_workspace
from delivery.facts import gather_facts
from delivery.ledger import claim_due
from delivery.legal_hours import LegalRule, find_windows, legal_from
from delivery.phone_places import place_of
from delivery.policy import Hold, Reason, Send, decide
from delivery.tables import MessageKind
from tests.delivery.ledger_shop import NOW, WORKSPACE, add_person, queue

SHOP = {
    **WORKSPACE,
    "country": "GB",
    "legal_hours": [
        {"from": "08:00", "to": "21:00", "country": "US"},
        {"from": "10:00", "to": "13:00", "weekday": ["mon", "tue", "wed", "thu", "fri"], "country": "FR"},
        {"from": "14:00", "to": "20:00", "weekday": ["mon", "tue", "wed", "thu", "fri"], "country": "FR"},
        {"from": "09:00", "to": "10:00", "country": "RU"},
        {"from": "09:00", "to": "18:00", "weekday": "sat"},
        {"from": "08:00", "to": "20:00", "weekday": ["mon", "tue", "wed", "thu", "fri"]},
    ],
}
CASES = [
    # number, its owner's own zone, when (UTC)
    ("+12125550123", "", "2026-06-10T12:00", "New York, at the very minute"),
    ("+12125550123", "", "2026-06-10T11:59", "New York, a minute too early"),
    ("+12125550123", "", "2026-06-11T01:00", "New York, at the end, which is not part of it"),
    ("+12085550123", "", "2026-06-10T14:30", "Idaho has two zones: legal in Boise, not yet in its north"),
    ("+12085550123", "", "2026-06-11T03:30", "Idaho in the evening: not any more in Boise"),
    ("+12085550123", "America/Boise", "2026-06-10T14:30", "Idaho, and the person says which half"),
    ("+18005550199", "", "2026-06-10T14:00", "no place at all: every zone that shares +1"),
    ("+442079460018", "", "2026-06-10T06:59", "London, before eight in summer"),
    ("+442079460018", "", "2026-01-10T19:00", "London, on a Saturday evening in winter"),
    ("+442079460018", "Asia/Tokyo", "2026-06-10T08:00", "a London number whose owner lives in Tokyo"),
    ("+33612345678", "", "2026-06-14T10:00", "France, on a Sunday"),
    ("+33612345678", "", "2026-06-10T11:30", "France, at lunch"),
    ("+33612345678", "", "2026-06-12T18:30", "France, on a Friday after eight"),
    ("+79161234567", "", "2026-06-10T06:30", "Russia: no hour that is legal from Moscow to Kamchatka"),
    ("+79161234567", "Europe/Moscow", "2026-06-10T06:30", "Russia, and the person says where"),
    ("+4930901820", "", "2026-06-14T10:00", "Germany has no entry: those without a country hold"),
    ("+888123456789", "", "2026-06-10T06:00", "a number of no country: the workspace's country and zone"),
]


def test_answers_are_those_of_the_golden_table(golden: Any) -> None:
    shop = parse_workspace(SHOP)
    lines = []
    for number, own, when, words in CASES:
        now = datetime.fromisoformat(when).replace(tzinfo=UTC)
        place = place_of(number)
        zones = (ZoneInfo(own),) if own else place.zones or (ZoneInfo(shop.timezone),)
        windows = find_windows(shop.legal_hours, "sms", place.country or shop.country)
        until = legal_from(now, LegalRule(windows, zones))
        told = "never" if until is None else "now" if until == now else f"{until:%a %d %b %H:%M} UTC"
        lines.append(f"{number:<14} {own or '–':<14} {now:%a %d %b %H:%M} UTC  →  {told:<20}  {words}")
    golden("delivery/legal_hours.txt", "\n".join(lines) + "\n")


weekdays = st.frozensets(st.integers(0, 6), min_size=1)
windows = st.builds(
    lambda start, length, days: Hours(time(start), time((start + length) % 24), weekdays=days),
    st.integers(0, 23),
    st.integers(1, 23),
    weekdays,
)
zones = st.sampled_from(["Europe/London", "America/New_York", "Pacific/Honolulu", "Asia/Kolkata", "Asia/Tokyo"]).map(
    ZoneInfo
)


@given(
    st.integers(0, 366 * 24 * 4).map(
        lambda quarters: datetime(2026, 1, 1, tzinfo=UTC) + quarters * timedelta(minutes=15)
    ),
    st.lists(windows, min_size=1, max_size=3).map(tuple),
    st.lists(zones, min_size=1, max_size=3, unique=True).map(tuple),
)
def test_answers_the_first_instant_that_is_legal_everywhere(
    now: datetime, stated: tuple[Hours, ...], places: tuple[ZoneInfo, ...]
) -> None:
    rule = LegalRule(stated, places)
    until = legal_from(now, rule)
    step = timedelta(minutes=15)
    walked = now
    while walked < (until or now + timedelta(days=8)):
        assert not _is_legal(walked, rule)
        walked += step
    assert until is None or _is_legal(until, rule)


def _is_legal(instant: datetime, rule: LegalRule) -> bool:
    """Minute by minute, as a person would look it up."""

    def holds(window: Hours, local: datetime) -> bool:
        if window.start <= window.end:
            return local.weekday() in window.weekdays and window.start <= local.time() < window.end
        yesterday = (local.weekday() - 1) % 7
        return (local.weekday() in window.weekdays and local.time() >= window.start) or (
            yesterday in window.weekdays and local.time() < window.end
        )

    return all(any(holds(window, instant.astimezone(zone)) for window in rule.windows) for zone in rule.zones)


def decision(runtime: Runtime, **changes: Any) -> Any:
    """What the policy says at 08:00 UTC on a Wednesday about a message to a number in New York."""
    with runtime.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=SHOP, source="", file="workspace.yaml", now=NOW)
    someone = add_person(runtime, "alice", phone="+12125550123")
    if zone := changes.pop("zone", None):
        with runtime.database.transaction() as connection:
            connection.execute(update(profile).where(profile.c.id == someone).values(timezone=zone))
    queue(runtime, someone, channel="sms", **changes)
    with runtime.database.transaction() as connection:
        rows = claim_due(connection, worker="w", limit=1, now=NOW, paused={})
        gathered = gather_facts(connection, runtime.vault, get_workspace(connection), rows, NOW)
    return decide(gathered["m1"].facts, NOW)


def test_holds_although_the_campaign_ignores_quiet_hours(runtime: Runtime) -> None:
    held = decision(runtime, policy={"ignore_quiet_hours": True})
    assert held == Hold(datetime(2026, 6, 10, 12, tzinfo=UTC), Reason.LEGAL_HOURS)


def test_sends_when_it_is_day_where_the_person_is(runtime: Runtime) -> None:
    assert decision(runtime, zone="Europe/London") == Send()


def test_sends_at_night_when_it_is_transactional(runtime: Runtime) -> None:
    assert decision(runtime, kind=MessageKind.TRANSACTIONAL, topic="orders") == Send()


def test_expires_at_its_own_instant_when_that_comes_first(runtime: Runtime) -> None:
    lapses = NOW + timedelta(hours=1)
    assert decision(runtime, expires_at=lapses) == Hold(lapses, Reason.LEGAL_HOURS)


def test_drops_when_the_zones_have_no_legal_hour_in_common() -> None:
    shop = parse_workspace(SHOP)
    rule = LegalRule(find_windows(shop.legal_hours, "sms", "RU"), place_of("+79161234567").zones)
    assert legal_from(NOW, rule) is None


@pytest.mark.parametrize(("channel", "count"), [("sms", 2), ("voice", 2), ("email", 0)])
def test_is_about_texts_and_calls_when_no_channel_is_named(channel: str, count: int) -> None:
    assert len(find_windows(parse_workspace(SHOP).legal_hours, channel, "GB")) == count


def test_no_rule_holds_when_no_entry_is_for_the_country() -> None:
    assert (
        find_windows(parse_workspace({**SHOP, "legal_hours": SHOP["legal_hours"][:1]}).legal_hours, "sms", "GB") == ()
    )
