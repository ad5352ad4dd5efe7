"""What a journal says, one sentence an entry, with the reasons that the version's own file gives. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row

from delivery.policy import Reason
from delivery.reason_words import REASONS
from journeys.explain import PROSE
from journeys.explaining.clock import on, told, value_told
from journeys.explaining.messages import ended, held, named
from journeys.explaining.story import Passage
from journeys.steps.contract import Outcome
from journeys.transition import EndReason, JournalKind
from journeys.wording.conditions import condition_in_words
from journeys.wording.steps import MESSAGES, awaited, awaited_items, name_of, step_in_words, verb_of

Data = Mapping[str, Any]
Clock = Callable[[datetime | str], str]

_ENDS: Mapping[str, str] = {
    EndReason.COMPLETED: "Reached the end of the journey",
    EndReason.GOAL: "Left, because the goal was reached",
    EndReason.EXIT: "Left by an exit",
    EndReason.TIMED_OUT: "Left, because nothing came in time",
    EndReason.DATE_PAST: "Left, because the date was past and the file says `if_past: exit`",
    EndReason.SKIPPED: "Left, because the message was not sent and the file says `on_skip: exit`",
    EndReason.CAP: "Left, because a limit was reached and the file says `then: exit`",
    EndReason.ERROR: "Left, because a step failed and the file says `on_error: exit`",
    EndReason.LOOP: "Was taken out after 1,000 steps at one instant: the journey goes round in circles",
    EndReason.EXPIRED: "Left, because `max_stay` was over",
    EndReason.HOLDOUT: "Was held out until now: the time in which the goal is counted is over",
    EndReason.RESTARTED: "Gave way to a newer run (`mode: restart`)",
    EndReason.STOPPED: "Was taken out when the journey was stopped",
    EndReason.ERASED: "Ended with the erasure of the profile",
    EndReason.MERGED: "Ended when two profiles turned out to be one person: the run that began first goes on",
}
_INSTANTS = frozenset({"at", "until", "due"})  # words of a journal that hold ISO text
_NOT_BY_A_STEP = frozenset({EndReason.ERASED, EndReason.MERGED, EndReason.STOPPED, EndReason.RESTARTED})


def sentence(passage: Passage, entry: Row[Any], zone: ZoneInfo) -> str:
    """What one journal entry says, without a full stop."""
    kind = JournalKind(entry.kind)

    def clock(instant: datetime | str) -> str:
        return told(instant, zone, entry.at)

    if kind in _TELLERS:
        return _TELLERS[kind](passage, {**entry.data, "seq": entry.seq}, clock)
    if kind not in PROSE:
        return kind.replace("_", " ").capitalize()
    data = dict(entry.data)
    if "step" in data:
        data["step"] = name_of(data["step"], passage.data_of(data["step"]))
    return PROSE[kind]({**data, **{word: on(clock(data[word])) for word in _INSTANTS & data.keys()}})


def adds_nothing(passage: Passage, entry: Row[Any]) -> bool:
    """Whether another line says the same: a wait that was over when it said so, a message that left at once, an arm
    that was drawn.
    """
    data = entry.data
    if entry.kind == JournalKind.QUEUED:
        row = passage.messages.get(data.get("message", ""))
        return row is not None and bool(ended(row)) and row.first_due_at <= entry.at and not row.holds
    if entry.kind == JournalKind.CAPPED:
        return any(row.step == data["step"] and row.reason == Reason.CAP for row in passage.messages.values())
    has_said_so = verb_of(passage.data_of(data.get("step", ""))) in ("wait", "wait_until", "bandit")
    return entry.kind == JournalKind.STEP and has_said_so and data.get("outcome") == Outcome.DONE


def _entered(passage: Passage, data: Data, clock: Clock) -> str:
    edge, _, segment = str(data["trigger"]).partition(":")
    words = {"enter": f"came into the segment {segment}", "exit": f"left the segment {segment}"}
    if data["trigger"] == "backfill":
        why = "was in the segment when the journey went live"
    else:
        why = words.get(edge, f"{data['trigger']} happened") if segment else f"{data['trigger']} happened"
    first = passage.entries[0].at if passage.entries else passage.row.entered_at
    earlier = f" {on(clock(passage.row.entered_at))}" if (first - passage.row.entered_at).total_seconds() >= 60 else ""
    return f"Came in, because {'they ' if segment or data['trigger'] == 'backfill' else ''}{why}{earlier}"


def _waiting(passage: Passage, data: Data, clock: Clock) -> str:
    step, until = passage.data_of(data["step"]), clock(data["until"])
    name = name_of(data["step"], step)
    if "wait_for" in step:
        return f"{name}: waits {awaited(step)}, until {until}"
    length = f" {step['wait']}," if "wait" in step else ""
    return f"{name}: waits{length} until {until}"


def _rescheduled(passage: Passage, data: Data, clock: Clock) -> str:
    name = name_of(data["step"], passage.data_of(data["step"]))
    return f"{name}: the time zone changed, so it waits until {clock(data['until'])}"


def _queued(passage: Passage, data: Data, clock: Clock) -> str:
    name, row = name_of(data["step"], passage.data_of(data["step"])), passage.messages.get(data["message"])
    if row is None:
        return f"{name}: a message is due {on(clock(data['due']))}"
    was, by = "was" if ended(row) else "is", held(row, clock)
    return f"{name}: {named(row)} {was} due {on(clock(data['due']))}" + (f", and {was} held by {by}" if by else "")


def _goal(passage: Passage, data: Data, clock: Clock) -> str:
    event = passage.events.get(data.get("event", 0))
    worth = f", worth {value_told(data['value'])}" if "value" in data else ""
    return f"Reached the goal: {event.name if event is not None else 'it'} {on(clock(data['at']))}{worth}"


def _late(passage: Passage, data: Data, clock: Clock) -> str:
    name, event = name_of(data["step"], passage.data_of(data["step"])), passage.events.get(data.get("event", 0))
    if event is None:
        return f"{name}: an event became known too late to be waited for; it changes nothing here"
    return f"{name}: {event.name} of {clock(event.occurred_at)} became known too late; it changes nothing here"


def _error(passage: Passage, data: Data, clock: Clock) -> str:
    name = name_of(data["step"], passage.data_of(data["step"]))
    then = f"tried again {on(clock(data['retry_at']))}" if "retry_at" in data else "not tried again"
    return f"{name} failed: {_cause(passage, data)}; {then}"


def _cause(passage: Passage, data: Data) -> str:
    """In delivery's words, with what the ledger says of it."""
    said = REASONS.get(data["cause"], data["cause"]).partition("; `detail`")[0].rstrip(".")
    rows = [row for row in passage.messages.values() if row.step == data["step"] and row.reason == data["cause"]]
    details = [row.detail for row in rows if row.detail]
    return f"{said}: {details[0]}" if details else said


def _ended(passage: Passage, data: Data, _clock: Clock) -> str:
    reason, step = data["reason"], data.get("step", "")
    if reason == EndReason.EXIT and "exit" in data and passage.version is not None:
        exits = passage.version.document.get("exit", ())
        if 0 < data["exit"] <= len(exits):
            return f"Left, because an exit held: {condition_in_words(exits[data['exit'] - 1])}"
    at = f" at {name_of(step, passage.data_of(step))}" if step else ""
    if reason == EndReason.HOLDOUT and step:
        return f"Held out{at}: nothing more is sent, and the goal is still counted"
    if verb_of(passage.data_of(step)) == "exit" and reason not in _NOT_BY_A_STEP:
        return "Left, as the file says" + ("" if reason == EndReason.EXIT else f": {reason.replace('_', ' ')}")
    return _ENDS.get(reason, f"Left{at}: {reason.replace('_', ' ')}")


# -- steps -------------------------------------------------------------------------------------------------------------


def _step(passage: Passage, data: Data, _clock: Clock) -> str:
    step = passage.data_of(data["step"])
    return f"{name_of(data['step'], step)}: {_what_it_did(passage, data, step)}"


def _what_it_did(passage: Passage, data: Data, step: Data) -> str:
    branch: Sequence[Any] = data.get("branch", ())
    verb = verb_of(step)
    if data.get("why") == "if":
        return f"passed over, because this did not hold: {condition_in_words(step['if'])}" if "if" in step else (
            "passed over, because its condition did not hold"
        )  # fmt: skip
    if data.get("why") == "disabled":
        return "passed over, because it is disabled"
    if data["outcome"] == Outcome.FAILED:
        return "given up; goes on as `on_error` says" if isinstance(step.get("on_error"), list) else (
            "given up; the journey goes on"
        )  # fmt: skip
    if verb in MESSAGES or verb == "webhook":
        return _message(passage, data, branch)
    match verb:
        case "wait_for":
            return _waited(step, branch)
        case "choose":
            return _chose(step, branch)
        case "split":
            return f"chance gave {branch[0]}"
        case "bandit":
            return f"goes on with {branch[0]}"
        case "holdout":
            return "not among the held out"
        case "repeat":
            return _repeated(passage, data, step, branch)
        case "goto":
            return f"goes on at {step.get('goto')}"
        case "wait" | "wait_until":
            return "the wait is over"
    way = f" ({', '.join(map(str, branch))})" if branch else ""
    return f"{step_in_words(step) if step else str(data['outcome']).replace('_', ' ')}{way}"


def _message(passage: Passage, data: Data, branch: Sequence[Any]) -> str:
    rows = [row for row in passage.messages.values() if row.step == data["step"]]
    said = next((text for row in reversed(rows) if (text := ended(row))), "")
    if said:
        return said
    word = str(branch[0]) if branch else str(data["outcome"])
    return f"not sent: {REASONS.get(word, word)}" if data["outcome"] == Outcome.SKIPPED else word.replace("_", " ")


def _waited(step: Data, branch: Sequence[Any]) -> str:
    items = awaited_items(step)
    if branch and isinstance(branch[0], int) and 0 < branch[0] <= len(items):
        return f"it came: {condition_in_words(items[branch[0] - 1])}"
    return f"nothing came within {step.get('timeout', 'the time')}"


def _repeated(passage: Passage, data: Data, step: Data, branch: Sequence[Any]) -> str:
    """A round that begins, or why none follows: a round that is over tells its own number once more."""
    said: Data = step.get("repeat", {})
    count = branch[0] if branch else 0
    before = [
        entry.data["branch"][0]
        for entry in passage.entries
        if entry.seq < data["seq"] and entry.data.get("step") == data["step"] and entry.data.get("branch")
    ]
    alike = list(takewhile(count.__eq__, reversed(before)))
    if count and len(alike) % 2 == 0:
        return f"round {count} of at most {said.get('max', count)} begins"
    rounds = {0: "no round", 1: "1 round"}.get(count, f"{count} rounds")
    if count != said.get("max") and "until" in said:
        return f"over after {rounds}, because this held: {condition_in_words(said['until'])}"
    return f"over after {rounds}"


def _chose(step: Data, branch: Sequence[Any]) -> str:
    branches = step.get("choose", ())
    if branch and isinstance(branch[0], int) and 0 < branch[0] <= len(branches):
        taken = branches[branch[0] - 1]
        name = taken.get("name", f"number {branch[0]}")
        return f"took the way {name}, because {condition_in_words(taken['if'])}"
    asked = "; ".join(condition_in_words(one["if"]) for one in branches)
    way = "took the way else" if "else" in step else "went straight on"
    return f"{way}, because none of these held: {asked}"


_TELLERS: Mapping[JournalKind, Callable[[Passage, Data, Clock], str]] = {
    JournalKind.ENTERED: _entered,
    JournalKind.HELD_OUT: lambda _passage, _data, _clock: (
        "Was held out by chance: gets nothing, so that the effect can be measured"
    ),
    JournalKind.STEP: _step,
    JournalKind.WAITING: _waiting,
    JournalKind.RESCHEDULED: _rescheduled,
    JournalKind.QUEUED: _queued,
    JournalKind.GOAL: _goal,
    JournalKind.ERROR: _error,
    JournalKind.LATE_FOR_WAIT: _late,
    JournalKind.ENDED: _ended,
}
