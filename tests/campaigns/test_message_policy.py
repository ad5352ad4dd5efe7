"""The hours and limits that a message takes with it, from a campaign's file to the send ledger."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from campaigns.launch import launch_campaign
from campaigns.message_policy import policy_document
from campaigns.schedule import Occurrence
from core.runtime import Runtime
from customers.workspace import Limit
from delivery.send_window import Closed
from delivery.tables import message
from tests.campaigns.shop import NOW, open_shop

LIMITS = (Limit(3, None, channel="sms"),)
HOURS = """
send_window: {email: {tue: ["09:00-12:00"]}, sms: {}}
closed: [{from: 2026-12-24, to: 2026-12-27}, {from: 2027-01-01, to: 2027-01-02, channels: [sms]}]
"""


def policies(runtime: Runtime) -> list[dict[str, Any]]:
    with runtime.database.read() as connection:
        return list(connection.execute(select(message.c.policy)).scalars())


def test_a_campaigns_messages_keep_the_hours_of_their_own_channel(runtime: Runtime) -> None:
    open_shop(runtime, "campaign: plain\nto: {segment: newsletter}\nsend: manual\nemail: plain" + HOURS, people=2)
    launch_campaign(runtime, "plain", Occurrence(NOW), NOW)
    for policy in policies(runtime):
        assert policy["send_window"] == "tue 09:00-12:00"
        assert policy["closed"] == ["2026-12-24T00:00/2026-12-27T00:00"]


def test_nothing_is_stated_that_does_not_hold_for_the_channel() -> None:
    whole = Closed(NOW.replace(tzinfo=None), NOW.replace(tzinfo=None, hour=23), frozenset({"sms"}))
    windows = {"sms": "mon 09:00-12:00"}
    assert policy_document("email", windows=windows, closed=(whole,), limits=LIMITS) == {"workspace": True}
    stated = policy_document("sms", windows=windows, closed=(whole,), limits=LIMITS, throttle=0.5, asks_again=True)
    assert set(stated) == {"workspace", "send_window", "closed", "throttle_per_s", "asks_again", "limits"}
