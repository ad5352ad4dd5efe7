"""A journey's file as a value: who enters, what ends it, and the tree of its steps.

Pure. The file has passed its schema before it comes here; what is reported here is what a schema cannot know, and what
is part of the language and does not work yet (E160). References to other files are the business of `check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.durations import Duration
from core.errors import Fault
from core.located import Located
from journeys.entry_reading import read_admissions, read_entries
from journeys.model import (
    DEFAULT_MAX_STAY,
    Freeze,
    Goal,
    Holdout,
    Journey,
    JourneyStatus,
    Mode,
    Reentry,
)
from journeys.reading import MakeFault, Reader
from journeys.sending_words import parse_sending
from journeys.steps.contract import NameKind, StepSpec
from journeys.steps.holdout import as_share
from journeys.steps.message_options import parse_options
from segments.language.matcher_parser import parse_where
from segments.language.rules import Comparison, Matcher, Operator, PropertyTest, Rule, Where


def parse_journey(located: Located, file: str) -> tuple[Journey | None, list[Fault]]:
    """The journey in a file that fits its schema, and what is wrong with it, sorted.

    There is a journey even where there are faults, so that `check.check_journey` can find the others in the same run;
    only one without errors may be published. None when the data is no journey at all.
    """
    if not isinstance(located.data, Mapping) or "journey" not in located.data:
        return None, [located.fault("E100", (), f"{file} holds no journey", "begin it with 'journey: <name>'")]
    return read_journey(located.data, located.fault)


def read_journey(
    document: Mapping[str, Any], make_fault: MakeFault, *, version: int = 0
) -> tuple[Journey, list[Fault]]:
    """As `parse_journey`, from plain data; `make_fault(code, path, message, hint, at_key=…)` knows the places."""
    when_skipped = document.get("defaults", {}).get("on_skip")
    reader = Reader(make_fault, when_skipped if isinstance(when_skipped, list) else ())
    top = reader.spec(document, ())
    reenter = _reentry(top, document.get("reenter", "after_exit"))
    entries = read_entries(top, document["enter"])
    exits = tuple(_exit(top, item, place) for place, item in enumerate(document.get("exit", ())))
    rules = tuple(top.rules)
    journey = Journey(
        slug=document["journey"],
        name=document.get("name") or document["journey"],
        version=version,
        status=JourneyStatus(document.get("status", JourneyStatus.DRAFT)),
        entries=entries,
        steps=reader.steps(document["steps"], ("steps",)),
        admissions=read_admissions(top, document.get("schedule", {})),
        mode=Mode(document.get("mode", Mode.SINGLE)),
        reentry=reenter,
        goal=_goal(top, document["goal"]) if document.get("goal") else None,
        exits=exits,
        holdout=_holdout(document),
        epoch=document.get("epoch", 1),
        priority=document.get("priority", 50),
        sending=parse_sending(top),
        timezone=document.get("timezone"),
        max_stay=top.duration(document["max_stay"], "max_stay") if "max_stay" in document else DEFAULT_MAX_STAY,
        exits_on_error=document.get("on_error") == "exit",
        freeze=Freeze(document.get("pause", {}).get("timers", Freeze.FREEZE)),
        defaults=_defaults(reader, document.get("defaults", {}), top),
        removed=dict(document.get("migrate", {}).get("removed", {})),
        top_rules=rules,
        mentions=tuple(top.mentions),
    )
    return journey, sorted(reader.faults)


def _reentry(top: StepSpec, data: Any) -> Reentry:
    if isinstance(data, str):
        return Reentry(is_allowed=data != "never")
    every = top.duration(data["every"], "reenter", "every") if "every" in data else None
    return Reentry(every=every, max=data.get("max"))


def _goal(top: StepSpec, data: Mapping[str, Any]) -> Goal | None:
    if ("event" in data) == ("segment" in data):
        message = "a goal is an event or a segment"
        second = ("segment",) if "segment" in data else ()
        top.report("E103", "goal", *second, message=message, hint="keep one of `event` and `segment`", at_key=True)
        return None
    where = _where(top, data, ("goal",))
    if "segment" in data:
        top.mention(NameKind.SEGMENT, data["segment"], "goal", "segment")
        is_it = Matcher((Comparison(Operator.EQ, data["segment"]),))
        where = (PropertyTest("segment", is_it), *where)
    within: Duration | None = top.duration(data["within"], "goal", "within") if "within" in data else None
    return Goal(
        names=(data.get("event", "segment_entered"),),
        where=where,
        within=within,
        value=data.get("value"),
        exits=bool(data.get("exit")),
    )


def _exit(top: StepSpec, data: Mapping[str, Any], place: int) -> Rule:
    """An exit's events count from entering, unless the file says otherwise: what happened before let nobody out."""
    return top.conditions(_since_entry(data), "exit", place)


def _since_entry(data: Any) -> Any:
    if isinstance(data, list):
        return [_since_entry(item) for item in data]
    if not isinstance(data, Mapping):
        return data
    if "event" in data and "since" not in data and "within" not in data:
        return {**data, "since": "entry"}
    return {key: _since_entry(item) if key in ("all", "any", "not") else item for key, item in data.items()}


def _holdout(document: Mapping[str, Any]) -> Holdout | None:
    data = document.get("holdout")
    if data is None:
        return None
    seed = data.get("seed") if isinstance(data, Mapping) else None
    percent = data["percent"] if isinstance(data, Mapping) else data
    return Holdout(as_share(percent), seed or f"{document['journey']}/holdout")


def _defaults(reader: Reader, data: Mapping[str, Any], top: StepSpec) -> Any:
    spec = reader.spec(data, ("defaults",))
    options = parse_options(spec)
    top.mentions.extend(spec.mentions)
    return options


def _where(top: StepSpec, data: Mapping[str, Any], path: tuple[str | int, ...]) -> Where:
    return parse_where(data.get("where", {}), top.report_at, (*path, "where"))
