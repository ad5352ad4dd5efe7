"""What every message verb accepts beside its template; the same words stand in a journey's `defaults`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from typing import Any

from core.durations import Duration
from journeys.steps.contract import NameKind, StepSpec

NOT_YET = ("from", "reply_to", "ttl", "headers")


class OnSkip(StrEnum):
    CONTINUE = "continue"
    EXIT = "exit"
    STEPS = "steps"


@dataclass(frozen=True, slots=True)
class Options:
    """Message options, of a step or of the journey's `defaults`; None and {} leave it to the next."""

    topic: str | None = None
    kind: str | None = None
    sender: str | None = None
    expires_after: Duration | None = None
    send_at: time | None = None
    ignore_quiet_hours: bool | None = None
    ignore_limits: bool | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    on_skip: OnSkip | None = None


def parse_options(spec: StepSpec) -> Options:
    data = spec.data
    for word in NOT_YET:
        if word in data:
            spec.not_yet(word)
    for kind, word in ((NameKind.TOPIC, "topic"), (NameKind.SENDER, "sender")):
        if word in data:
            spec.mention(kind, data[word], word)
    if data.get("send_at") == "best_time":
        spec.not_yet("send_at", what="`send_at: best_time`")
    on_skip = data.get("on_skip")
    if isinstance(on_skip, list):
        spec.block("on_skip", "on_skip")
    return Options(
        topic=data.get("topic"),
        kind=data.get("kind"),
        sender=data.get("sender"),
        expires_after=spec.duration(data["expires_after"], "expires_after") if "expires_after" in data else None,
        send_at=time.fromisoformat(data["send_at"]) if data.get("send_at", "best_time") != "best_time" else None,
        ignore_quiet_hours=data.get("ignore_quiet_hours"),
        ignore_limits=data.get("ignore_limits"),
        values=spec.value(data.get("with", {}), "with"),
        on_skip=OnSkip.STEPS if isinstance(on_skip, list) else OnSkip(on_skip) if on_skip else None,
    )
