"""What every message verb accepts beside its template; the same words stand in a journey's `defaults`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum
from typing import Any, Final

from campaigns.definition_words import LONGEST_TTL, SHORTEST_TTL, parse_headers
from core.durations import Duration
from core.located import KeyPath
from journeys.steps.contract import NameKind, Report, StepSpec

BEST_TIME: Final = "best_time"
# Words that one channel alone can carry.
_CARRIED_BY: Mapping[str, frozenset[str]] = {
    "from": frozenset({"email"}),
    "reply_to": frozenset({"email"}),
    "headers": frozenset({"email"}),
    "ttl": frozenset({"sms", "voice"}),
}


class OnSkip(StrEnum):
    CONTINUE = "continue"
    EXIT = "exit"
    STEPS = "steps"


@dataclass(frozen=True, slots=True)
class Options:
    """Message options, of a step or of the journey's `defaults`; None and {} leave it to the next.

    `send_at` is a local clock, or the word for the hour at which the person mostly reads.
    """

    topic: str | None = None
    kind: str | None = None
    sender: str | None = None
    expires_after: Duration | None = None
    send_at: time | str | None = None
    ignore_quiet_hours: bool | None = None
    ignore_limits: bool | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    on_skip: OnSkip | None = None
    visible_sender: str | None = None
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    ttl: timedelta | None = None


def parse_options(spec: StepSpec, channel: str | None = None) -> Options:
    """The options of a message over `channel`; without one, of a journey's `defaults`, where each takes what it can."""
    data = spec.data
    for word, channels in _CARRIED_BY.items():
        if word in data and channel is not None and channel not in channels:
            hint = f"only {' and '.join(sorted(channels))} can: leave it out"
            spec.report("E103", word, message=f"{channel} cannot carry `{word}`", hint=hint, at_key=True)
    for kind, word in ((NameKind.TOPIC, "topic"), (NameKind.SENDER, "sender")):
        if word in data:
            spec.mention(kind, data[word], word)
    on_skip = data.get("on_skip")
    if isinstance(on_skip, list):
        spec.block("on_skip", "on_skip")
    return Options(
        topic=data.get("topic"),
        kind=data.get("kind"),
        sender=data.get("sender"),
        expires_after=spec.duration(data["expires_after"], "expires_after") if "expires_after" in data else None,
        send_at=_send_at(data.get("send_at")),
        ignore_quiet_hours=data.get("ignore_quiet_hours"),
        ignore_limits=data.get("ignore_limits"),
        values=spec.value(data.get("with", {}), "with"),
        on_skip=OnSkip.STEPS if isinstance(on_skip, list) else OnSkip(on_skip) if on_skip else None,
        visible_sender=data.get("from"),
        reply_to=data.get("reply_to"),
        headers=parse_headers(data.get("headers") or {}, _reporter(spec)),
        ttl=_ttl(spec, data["ttl"]) if "ttl" in data else None,
    )


def carried(channel: str, options: Options, defaults: Options) -> dict[str, Any]:
    """What goes on the outside of a message over `channel`, as its context keeps it (`campaigns.envelopes.Outside`)."""
    ttl = options.ttl or defaults.ttl
    stated = {
        "from": options.visible_sender or defaults.visible_sender,
        "reply_to": options.reply_to or defaults.reply_to,
        "headers": {**defaults.headers, **options.headers},
        "ttl": int(ttl.total_seconds()) if ttl else None,
    }
    return {word: value for word, value in stated.items() if value and channel in _CARRIED_BY[word]}


def _send_at(written: str | None) -> time | str | None:
    return written if written in (None, BEST_TIME) else time.fromisoformat(written)


def _ttl(spec: StepSpec, text: str) -> timedelta:
    length = spec.duration(text, "ttl").as_elapsed()
    if not SHORTEST_TTL <= length <= LONGEST_TTL:
        spec.report("E103", "ttl", message="a provider tries for 5 seconds to 72 hours", hint="write 1h, say")
    return length


def _reporter(spec: StepSpec) -> Report:
    """Reports inside the step, for readers of words that know only paths from a root."""

    def report(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        spec.report(code, *path, message=message, hint=hint, at_key=at_key)

    return report
