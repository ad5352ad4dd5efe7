"""Smaller words of a campaign's file: hours, limits, headers, and those that are known and do not work yet. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from core.durations import parse_duration
from customers.workspace import Hours, Limit
from delivery.send_window import Closed, write_window
from segments.language.matcher_parser import Report
from tracking.utm import utm_flaws

SHORTEST_TTL, LONGEST_TTL = timedelta(seconds=5), timedelta(hours=72)  # what AWS takes for texts and calls
OWN_SCOPE = "campaign"  # of a limit that says nothing else: the file it stands in

NOT_YET = {
    "winner": "sending a sample first is known and does not work yet",
    "push": "push messages are known and do not work yet",
    "seeds": "copies to seed addresses are known and do not work yet",
    "approve": "the approval of a second person is known and does not work yet",
}
_OF_A_VARIANT = {
    "subject": "another subject for the same template is known and does not work yet",
    "push": NOT_YET["push"],
}
# What the composer or the provider writes; a second one would contradict it.
_RESERVED_HEADERS = frozenset(
    {
        "bcc", "cc", "content-type", "date", "feedback-id", "from", "list-unsubscribe", "list-unsubscribe-post",
        "message-id", "mime-version", "received", "reply-to", "return-path", "sender", "subject", "to",
    }
)  # fmt: skip


def report_unsupported(document: Mapping[str, Any], report: Report) -> None:
    """Report the words that this release knows and cannot act on, each at its place."""
    for word, message in NOT_YET.items():
        if document.get(word) not in (None, False):
            report("E160", (word,), message, "leave it out for now", at_key=True)
    if document.get("on_skip") not in (None, "continue"):
        report("E103", ("on_skip",), "a campaign has nothing to do after a message", "leave it out", at_key=True)
    for parameter, message, hint in utm_flaws(document.get("utm")):
        report("E120", ("utm", parameter), message, hint)
    for name, arm in (document.get("variants") or {}).items():
        for word, message in _OF_A_VARIANT.items():
            if word in arm:
                report("E160", ("variants", name, word), message, "leave it out for now", at_key=True)


def parse_quiet_hours(data: Mapping[str, Any]) -> Hours:
    return Hours(
        start=time.fromisoformat(data["from"]),
        end=time.fromisoformat(data["to"]),
        then=data.get("then", "wait"),
        no_timezone=data.get("no_timezone", "use_default"),
        channels=frozenset(data.get("channels") or ()),
    )


def parse_windows(data: Mapping[str, Mapping[str, Sequence[str]]], report: Report) -> Mapping[str, str]:
    """`send_window`, by channel, as a message keeps it."""
    for channel, week in data.items():
        for day, ranges in week.items():
            for place, text in enumerate(ranges):
                start, _, end = text.partition("-")
                if start == end:
                    path = ("send_window", channel, day, place)
                    report("E103", path, f"'{text}' is no hour at all", "write 00:00-24:00 for the whole day")
    return {channel: write_window(week) for channel, week in data.items()}


def parse_closed(data: Sequence[Mapping[str, Any]], report: Report) -> tuple[Closed, ...]:
    """Closed days in local time; a date alone is its midnight, so `to` is the first day that is open again."""
    closed = []
    for place, item in enumerate(data):
        start, end = datetime.fromisoformat(item["from"]), datetime.fromisoformat(item["to"])
        if start.tzinfo or end.tzinfo:
            key = "from" if start.tzinfo else "to"
            report("E103", ("closed", place, key), "days are closed by everybody's own clock", "leave the offset out")
        elif end <= start:
            hint = "`to` is the first day on which it is open again"
            report("E103", ("closed", place, "to"), f"it ends before it begins, on {item['from']}", hint)
        else:
            closed.append(Closed(start, end, frozenset(item.get("channels") or ())))
    return tuple(closed)


def parse_limits(data: Sequence[Mapping[str, Any]], report: Report) -> tuple[Limit, ...]:
    limits = []
    for place, item in enumerate(data):
        if item["per"] == "journey" or item.get("scope") in ("journey", "journeys"):
            key = "per" if item["per"] == "journey" else "scope"
            report("E103", ("limits", place, key), "a campaign is no journey", "write a length of time such as 7d")
            continue
        if item.get("then") == "exit":
            report("E103", ("limits", place, "then"), "there is nothing to exit from", "write skip or wait")
            continue
        limits.append(
            Limit(
                messages=item["messages"],
                per=parse_duration(item["per"]),
                channel=item.get("channel"),
                topic=item.get("topic"),
                scope=item.get("scope", OWN_SCOPE),
                then=item.get("then", "skip"),
            )
        )
    return tuple(limits)


def parse_headers(data: Mapping[str, str], report: Report) -> Mapping[str, str]:
    """Further mail headers; those that are written for every message are refused."""
    for name, value in data.items():
        if name.lower() in _RESERVED_HEADERS:
            report("E103", ("headers", name), f"'{name}' is written by Postilion itself", "leave it out", at_key=True)
        elif not name.isascii() or not name.replace("-", "").isalnum() or not (value.isascii() and value.isprintable()):
            report("E103", ("headers", name), f"'{name}' is no header of one line", "write X-Name: value", at_key=True)
    return data
