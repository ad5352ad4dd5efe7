"""What a step does, in a few words, from its YAML as published: for the boxes of a drawing and for explanations.

Pure. Read from the data rather than from the parsed steps, so that a version of years ago still has its words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.located import KeyPath
from journeys.wording.conditions import CHANNELS, awaited_in_words, condition_in_words

Data = Mapping[str, Any]

VERBS = (
    "email", "sms", "voice", "letter", "webhook", "push", "set", "add_to", "remove_from", "emit", "offer", "task",
    "start_journey", "wait", "wait_until", "wait_for", "choose", "split", "bandit", "holdout", "repeat", "goto", "exit",
)  # fmt: skip
MESSAGES = frozenset({"email", "sms", "voice", "letter", "push"})
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_VARIABLE = re.compile(r"\{\{.*?\}\}")


def step_data(document: Data, path: KeyPath) -> Data:
    """The step at `path` of a journey's document; {} where there is none."""
    found: Any = document
    for part in path:
        try:
            found = found[part]
        except (LookupError, TypeError):
            return {}
    return found if isinstance(found, Mapping) else {}


def verb_of(data: Data) -> str:
    """The verb of a step, or "" when it has none."""
    return next((word for word in VERBS if word in data), "")


def name_of(step_id: str, data: Data) -> str:
    """The id a person gave the step, else its verb: nobody wants to read `auto_3f9c…`."""
    return str(data["id"]) if "id" in data else f"({verb_of(data) or step_id})".replace("_", " ")


def step_in_words(data: Data) -> str:
    """Such as "e-mail welcome_hello" or "wait 2d"."""
    verb = verb_of(data)
    said: Any = data.get(verb)
    match verb:
        case "email" | "sms" | "voice" | "letter" | "push":
            return f"{CHANNELS[verb]} {' / '.join(template for template, _values in templates_of(data).values())}"
        case "webhook":
            return f"call {said.get('url', '') if isinstance(said, Mapping) else said}"
        case "wait":
            return f"wait {said}"
        case "wait_until":
            return f"wait until {_moment(said)}"
        case "wait_for":
            return f"wait {awaited(data)}, at most {data.get('timeout', '')}"
        case "choose":
            return "choose a way"
        case "split" | "bandit":
            return f"{'split' if verb == 'split' else 'learn'}: {' / '.join(map(str, said))}"
        case "holdout":
            return f"hold out {str(said).removesuffix('%')}%"
        case "repeat":
            until = f", until {condition_in_words(said['until'])}" if "until" in said else ""
            return f"at most {said.get('max', '')} times{until}"
        case "goto":
            return f"go on at {said}"
        case "exit":
            return "leave" if said is True or not said else f"leave: {said}"
        case "set":
            return f"set {', '.join(said)}"
        case "add_to" | "remove_from":
            return f"{'add to' if verb == 'add_to' else 'remove from'} {_named(said)}"
        case "emit":
            return f"log {said.get('event', '') if isinstance(said, Mapping) else said}"
        case "offer":
            return f"offer {_offers(said)}"
        case "task":
            return f"task: {_VARIABLE.sub('…', said.get('title', ''))}"
        case "start_journey":
            return f"start {_named(said)}"
    return verb or "?"


def awaited(data: Data) -> str:
    """What a `wait_for` step waits for, in words that follow "wait": "for visited", "until tier is gold"."""
    said = list(map(awaited_in_words, awaited_items(data)))
    return " or ".join(
        words.removeprefix("for ") if place and said[place - 1].startswith("for ") else words
        for place, words in enumerate(said)
    )


def awaited_items(data: Data) -> Sequence[Any]:
    said = data.get("wait_for", ())
    return said if isinstance(said, list) else [said]


def templates_of(data: Data) -> dict[str, tuple[str, Data]]:
    """The templates that a message step may send, each with its own values, by arm where the verb carries a test."""
    said: Any = data.get(verb_of(data)) if verb_of(data) in MESSAGES else {}
    if isinstance(said, str):
        return {"": (said, {})}
    arms: Data = next((said[word] for word in ("split", "bandit") if word in said), {})
    return {
        arm: (str(one["template"]), one.get("with", {})) if isinstance(one, Mapping) else (str(one), {})
        for arm, one in arms.items()
    }


def _moment(said: Any) -> str:
    if not isinstance(said, Mapping):
        return str(said)
    date = f"{said['date']}{_signed(said.get('offset'))}" if "date" in said else ""
    return " ".join(part for part in (_weekdays(said.get("weekday", ())), date, str(said.get("time", ""))) if part)


def _weekdays(said: Any) -> str:
    """Such as "Mon to Fri" or "Tue, Thu"."""
    places = sorted(_DAYS.index(day) for day in ([said] if isinstance(said, str) else said))
    names = [_DAYS[place].capitalize() for place in places]
    is_run = len(places) > 2 and places == list(range(places[0], places[-1] + 1))
    return f"{names[0]} to {names[-1]}" if is_run else ", ".join(names)


def _signed(offset: Any) -> str:
    return "" if offset is None else f" {offset}" if str(offset).startswith(("-", "+")) else f" +{offset}"


def _named(said: Any) -> str:
    if isinstance(said, Mapping):
        return " ".join(str(value) for value in said.values() if isinstance(value, str))
    return ", ".join(map(str, said)) if isinstance(said, list) else str(said)


def _offers(said: Any) -> str:
    return " or ".join(said.get("from", ())) if isinstance(said, Mapping) else str(said)
