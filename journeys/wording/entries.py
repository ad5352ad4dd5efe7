"""How people come into a journey, in a few words, from its YAML as published. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from journeys.wording.conditions import condition_in_words, where_in_words

Data = Mapping[str, Any]


def entries_of(document: Data) -> Sequence[Data]:
    entries = document.get("enter", ())
    return [entries] if isinstance(entries, Mapping) else entries


def entry_in_words(entry: Data) -> str:
    """Such as "signed_up, where source is web" or "comes into the segment lapsed"."""
    if "event" in entry:
        names = entry["event"]
        text = names if isinstance(names, str) else " or ".join(names)
        where = where_in_words(entry.get("where", {}))
        return f"{text}, where {where}" if where else text
    if "schedule" in entry:
        said = entry["schedule"]
        when = " ".join(str(said[word]) for word in ("every", "weekday", "day", "at") if word in said)
        return f"every {when}{_whom(entry)}"
    if "at" in entry:
        return f"on {entry['at']}{_whom(entry)}"
    if "segment" in entry:
        edge = {"exit": "leaves", "once": "is, once, in"}.get(entry.get("when", "enter"), "comes into")
        return f"{edge} the segment {entry['segment']}"
    if "date" in entry:
        said = entry["date"]
        name = said.get("attribute", "") if isinstance(said, Mapping) else said
        offset = f" {entry['offset']}" if "offset" in entry else ""
        return f"the date {name}{offset}, {entry.get('time', '09:00')}"
    return "a call of the API" if "api" in entry else "?"


def entry_in_two_lines(entry: Data) -> tuple[str, str]:
    """What lets people in, and what more is said of it; the second may be empty."""
    text = entry_in_words(entry)
    if "segment" in entry and "schedule" not in entry and "at" not in entry:
        title, more = str(entry["segment"]), [text.removesuffix(f" {entry['segment']}")]
    else:
        title, _, rest = text.partition(", ")
        more = [rest] if rest else []
    if "if" in entry:
        more.append(f"if {condition_in_words(entry['if'])}")
    return title, ", ".join(more)


def goal_in_words(goal: Data) -> str:
    said = f"comes into the segment {goal['segment']}" if "segment" in goal else str(goal.get("event", ""))
    where = where_in_words(goal.get("where", {}))
    within = f", within {goal['within']}" if "within" in goal else ""
    return f"{said}{f' where {where}' if where else ''}{within}"


def _whom(entry: Data) -> str:
    return f", for the segment {entry['segment']}" if "segment" in entry else ""
