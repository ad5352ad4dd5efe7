"""The workspace's own quiet hours and limits, read at the moment at which a message is judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from campaigns.message_policy import policy_document
from core.durations import Duration
from customers.workspace import Hours, Limit, Workspace
from delivery.house_rules import in_force

NIGHT = Hours(time(22), time(8))
SHOP = Workspace("shop", "Shop", "Europe/London", "GBP", content_hash="0123456789abcdef")
STRICT = replace(SHOP, quiet_hours=NIGHT, limits=(Limit(3, Duration(days=7)), Limit(1, None, channel="sms")))


def test_the_rules_of_the_house_stand_beside_a_messages_own_when_it_is_judged() -> None:
    policy = policy_document("email", limits=(Limit(1, None, scope="journey"),))
    judged = in_force(policy, STRICT, "email")
    assert judged["quiet_hours"]["from"] == "22:00"
    assert [one["messages"] for one in judged["limits"]] == [3, 1]
    assert judged["workspace"] == "01234567"
    assert policy == {"workspace": True, "limits": policy["limits"]}


@pytest.mark.parametrize(
    ("own", "from_hour", "limits"),
    [
        ({"quiet_hours": Hours(time(20), time(10))}, "20:00", 1),
        ({"quiet_hours": Hours(time(20), time(10), channels=frozenset({"sms"}))}, None, 1),
        ({"ignores_quiet_hours": True}, None, 1),
        ({"ignores_limits": True}, "22:00", 0),
    ],
)
def test_what_a_message_says_itself_takes_the_place_of_the_house_rules(
    own: dict[str, object], from_hour: str | None, limits: int
) -> None:
    judged = in_force(policy_document("email", **own), STRICT, "email")  # type: ignore[arg-type] # one word a case
    hours = None if judged.get("ignore_quiet_hours") else judged.get("quiet_hours", {}).get("from")
    assert (hours, len(judged.get("limits", ()))) == (from_hour, limits)


def test_a_policy_stays_as_it_is_when_the_house_has_nothing_to_say() -> None:
    for policy, workspace in (
        ({"workspace": True}, SHOP),
        ({}, STRICT),
        (dict(in_force({"workspace": True}, STRICT, "email")), SHOP),
    ):
        assert in_force(policy, workspace, "email") is policy
