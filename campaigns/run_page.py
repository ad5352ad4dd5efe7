"""What a run of a launch says on its page, and which moment it stands for. Pure, and knows no Prefect."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from campaigns.launch import LaunchResult

_EARLY = timedelta(minutes=1)  # a run may begin a little before the moment that it was scheduled for


def moment_of_run(now: datetime, scheduled_at: datetime | None) -> datetime:
    """Now, or the scheduled moment where the run has begun a breath too early for it."""
    if scheduled_at is None or not now < scheduled_at <= now + _EARLY:
        return now
    # Prefect hands over a datetime of another library, whose differences are no timedelta.
    return datetime.fromtimestamp(scheduled_at.timestamp(), UTC)


def as_markdown(campaign: str, results: Sequence[LaunchResult]) -> str:
    """The launch in a marketer's words."""
    if not results:
        return f"Nothing of **{campaign}** was due, or it is out already."
    lines = []
    for result in results:
        messages, held_out = result.counts.get("message", 0), result.counts.get("held_out", 0)
        rest = result.member_count - messages - held_out
        lines.append(
            f"**{campaign}**, {result.occurrence}: {result.member_count:,} people addressed. "
            f"{messages:,} messages wait to be sent, {held_out:,} people are held out to measure the effect, "
            f"and {rest:,} get nothing for the reasons below."
        )
    return "\n\n".join(lines)
