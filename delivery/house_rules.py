"""The workspace's own quiet hours and limits, bound to a message at the instant at which it is judged.

A message keeps what its journey or campaign says, for good; of the workspace it keeps only that its rules hold for it.
Whoever judges reads them as they are in force then, also after a hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final

from customers.workspace import Hours, Limit, Workspace
from delivery.envelope import MessageRow

# In a stored policy: true, the workspace's rules hold. In one that is in force: the digest of the workspace that said
# so, where it had anything to say.
HOUSE: Final = "workspace"
DIGEST_LENGTH: Final = 8


def in_force(policy: Mapping[str, Any], workspace: Workspace, channel: str) -> Mapping[str, Any]:
    """The stored `policy` of a message over `channel` with what `workspace` says beside it.

    Own quiet hours take the place of the workspace's, own limits stand behind them.
    """
    if policy.get(HOUSE) is not True:
        return policy
    said: dict[str, Any] = {}
    hours = workspace.quiet_hours
    if hours is not None and is_for(hours.channels, channel) and not _has_hours(policy):
        said["quiet_hours"] = write_hours(hours)
    limits = [] if policy.get("ignore_limits") else write_limits(workspace.limits, channel)
    if limits:
        said["limits"] = [*limits, *policy.get("limits", ())]
    return {**policy, **said, HOUSE: workspace.content_hash[:DIGEST_LENGTH]} if said else policy


def bind(rows: Sequence[MessageRow], workspace: Workspace) -> list[MessageRow]:
    """The rows of the ledger, each with its policy in force."""
    bound = []
    for row in rows:
        policy = in_force(row.policy, workspace, row.channel)
        bound.append(row if policy is row.policy else SimpleNamespace(**{**row._mapping, "policy": policy}))
    return bound


def digest_of(row: MessageRow) -> str | None:
    """Which workspace had its say in the policy of a bound row; None where none had anything to say."""
    digest = getattr(row, "policy", {}).get(HOUSE)
    return digest if isinstance(digest, str) else None


def is_for(channels: frozenset[str], channel: str) -> bool:
    """Whether a rule for `channels` (none: for all) is one for `channel`."""
    return not channels or channel in channels


def write_hours(hours: Hours) -> dict[str, Any]:
    """Quiet hours as a policy states them."""
    return {
        "from": hours.start.isoformat("minutes"),
        "to": hours.end.isoformat("minutes"),
        "then": hours.then,
        "no_timezone": hours.no_timezone,
    }


def write_limits(limits: Sequence[Limit], channel: str) -> list[dict[str, Any]]:
    """Those of `limits` that may hold a message over `channel` back, as a policy states them; `per_s` in seconds."""
    return [_limit(one) for one in limits if one.channel in (None, channel)]


def _limit(limit: Limit) -> dict[str, Any]:
    stated = {
        "messages": limit.messages,
        "per_s": None if limit.per is None else int(limit.per.as_elapsed().total_seconds()),
        "channel": limit.channel,
        "topic": limit.topic,
        "scope": limit.scope,
        "then": limit.then,
    }
    return {key: value for key, value in stated.items() if value is not None or key == "per_s"}


def _has_hours(policy: Mapping[str, Any]) -> bool:
    return "quiet_hours" in policy or bool(policy.get("ignore_quiet_hours"))
