"""The hours that a message's policy states, as rules: its send window and closed days, and its quiet hours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from core.zones import find_zone
from customers.workspace import Workspace
from delivery.policy import Fallback, HoursRule, QuietRule
from delivery.quiet_hours import QuietHours
from delivery.send_window import read_hours


def quiet_rule(policy: Mapping[str, Any], workspace: Workspace) -> QuietRule | None:
    stated = policy.get("quiet_hours")
    if stated is None or policy.get("ignore_quiet_hours"):
        return None
    return QuietRule(
        hours=QuietHours(time.fromisoformat(stated["from"]), time.fromisoformat(stated["to"])),
        waits=stated.get("then", "wait") == "wait",
        no_timezone=Fallback(stated.get("no_timezone", "use_default")),
        default_zone=_default_zone(policy, workspace),
    )


def hours_rule(policy: Mapping[str, Any], workspace: Workspace) -> HoursRule | None:
    window, closed = policy.get("send_window"), policy.get("closed", ())
    if window is None and not closed:
        return None
    return HoursRule(read_hours(window, tuple(closed)), _default_zone(policy, workspace))


def _default_zone(policy: Mapping[str, Any], workspace: Workspace) -> ZoneInfo:
    return find_zone(policy.get("timezone") or "") or ZoneInfo(workspace.timezone)
