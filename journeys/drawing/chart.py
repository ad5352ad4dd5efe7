"""What is drawn of a journey: its steps with their words, the ways between them, and how many people stand where.

Pure. A tree, as the file is one: a list of steps runs downwards, and what a step leads to stands side by side below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from journeys.model import Journey
from journeys.steps.contract import Step
from journeys.wording.conditions import condition_in_words, rule_in_words
from journeys.wording.entries import entries_of, entry_in_two_lines, goal_in_words
from journeys.wording.steps import Data, awaited, step_data, step_in_words, verb_of
from journeys.wording.versions import Version


class Family(StrEnum):
    """What a step is about; each family has a colour."""

    MESSAGE = "message"
    TIME = "time"
    WAY = "way"
    DATA = "data"
    PEOPLE = "people"
    END = "end"


_FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(("email", "sms", "voice", "letter", "webhook", "push"), Family.MESSAGE),
    **dict.fromkeys(("wait", "wait_until", "wait_for"), Family.TIME),
    **dict.fromkeys(("choose", "split", "bandit", "holdout", "repeat", "goto"), Family.WAY),
    **dict.fromkeys(("set", "add_to", "remove_from", "emit"), Family.DATA),
    **dict.fromkeys(("offer", "task", "start_journey"), Family.PEOPLE),
    "exit": Family.END,
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way on from a step: what leads there, and the steps on it. `ends` when nobody comes out of it below."""

    label: str
    steps: tuple[Box, ...]
    note: str = ""

    @property
    def ends(self) -> bool:
        return bool(self.steps) and self.steps[-1].ends


@dataclass(frozen=True, slots=True)
class Box:
    """One step; `text` is "" where its name says all. `ways` stand side by side below it, `round` are the steps that a
    `repeat` goes through again.
    """

    id: str
    name: str
    text: str
    family: Family
    verb: str
    condition: str = ""
    is_disabled: bool = False
    people: int = 0
    ways: tuple[Way, ...] = ()
    round: tuple[Box, ...] = ()
    target: str | None = None  # of a goto

    @property
    def ends(self) -> bool:
        """Whether nobody goes on below it."""
        if self.condition or self.is_disabled:
            return False
        return self.verb in ("exit", "goto") or (bool(self.ways) and all(way.ends for way in self.ways))


@dataclass(frozen=True, slots=True)
class Chart:
    """`elsewhere` are people at steps that this version does not have; `held_out` those who only are measured."""

    slug: str
    name: str
    version: int
    entries: tuple[tuple[str, str], ...]  # what lets people in, and what more must hold
    steps: tuple[Box, ...]
    goal: str = ""
    exits: tuple[str, ...] = ()
    holdout: str = ""
    held_out: int = 0
    elsewhere: int = 0


def chart_of(version: Version, people: Mapping[str, int] | None = None, *, held_out: int = 0) -> Chart:
    """The chart of one version; `people` is the number of those who stand at each step, by its id."""
    document, journey, counts = version.document, version.journey, people or {}
    return Chart(
        slug=journey.slug,
        name=journey.name,
        version=journey.version,
        entries=tuple(map(entry_in_two_lines, entries_of(document))),
        steps=_Charting(document, counts).boxes(journey.steps),
        goal=goal_in_words(document["goal"]) if document.get("goal") else "",
        exits=tuple(condition_in_words(one) for one in document.get("exit", ())),
        holdout=_share(journey),
        held_out=held_out,
        elsewhere=sum(count for step, count in counts.items() if step not in journey.by_id),
    )


def _share(journey: Journey) -> str:
    return f"{journey.holdout.percent:f}%" if journey.holdout is not None else ""


@dataclass(frozen=True, slots=True)
class _Charting:
    document: Data
    people: Mapping[str, int] = field(default_factory=dict)

    def boxes(self, steps: Sequence[Step]) -> tuple[Box, ...]:
        return tuple(map(self._box, steps))

    def _box(self, step: Step) -> Box:
        data = step_data(self.document, step.path)
        verb, ways = verb_of(data), self._all_ways(step, data)
        # What leads out of a wait says how long it is at most.
        text = f"wait {awaited(data)}" if ways and verb == "wait_for" else step_in_words(data)
        return Box(
            id=step.id,
            name=str(data["id"]) if step.has_own_id else text[:1].upper() + text[1:],
            text=text if step.has_own_id else "",
            family=_FAMILIES.get(verb, Family.DATA),
            verb=verb,
            condition=rule_in_words(step.condition) if step.condition is not None else "",
            is_disabled=step.is_disabled,
            people=self.people.get(step.id, 0),
            ways=ways,
            round=self.boxes(step.blocks.get("do", ())) if verb == "repeat" else (),
            target=str(data["goto"]) if verb == "goto" else None,
        )

    def _all_ways(self, step: Step, data: Data) -> tuple[Way, ...]:
        ways = self._ways_of_verb(step, data, verb_of(data))
        aside = [
            (name, label) for name, label in (("on_skip", "not sent"), ("on_error", "failed")) if name in step.blocks
        ]
        if aside and not ways:
            ways = [Way("done", ())]
        return (*ways, *(Way(label, self.boxes(step.blocks[name])) for name, label in aside))

    def _ways_of_verb(self, step: Step, data: Data, verb: str) -> list[Way]:
        block = step.blocks.get
        match verb:
            case "choose":
                branches = [
                    Way(
                        str(one.get("name", f"way {number}")),
                        self.boxes(block(str(number), ())),
                        condition_in_words(one["if"]),
                    )
                    for number, one in enumerate(data.get("choose", ()), start=1)
                ]
                return [*branches, Way("else", self.boxes(block("else", ())))]
            case "split" | "bandit":
                return self._arms(step, data[verb], is_weighed=verb == "split")
            case "wait_for" if "then" in step.blocks or "on_timeout" in step.blocks or data.get("on_timeout") == "exit":
                leaves = data.get("on_timeout") == "exit"
                late = (_leaving(step.id),) if leaves else self.boxes(block("on_timeout", ()))
                return [
                    Way("it came", self.boxes(block("then", ()))),
                    Way(f"not in {data.get('timeout', 'time')}", late),
                ]
        return []

    def _arms(self, step: Step, arms: Data, *, is_weighed: bool) -> list[Way]:
        """Each arm, with the share of it that the file decides; a bandit's are decided by what they earn."""
        weights = [float(arm.get("weight", 1)) if isinstance(arm, Mapping) else 1.0 for arm in arms.values()]
        total = sum(weights) or 1.0
        return [
            Way(f"{name} {100 * weight / total:.3g}%" if is_weighed else name, self.boxes(step.blocks.get(name, ())))
            for name, weight in zip(arms, weights, strict=True)
        ]


def _leaving(step_id: str) -> Box:
    """What `on_timeout: exit` does, as a step."""
    return Box(f"{step_id}:timeout", "Leave: timed out", "", Family.END, "exit")


def iter_boxes(boxes: Sequence[Box]) -> list[Box]:
    """Every box in the order of the file."""
    found: list[Box] = []
    for box in boxes:
        found += [box, *iter_boxes(box.round)]
        for way in box.ways:
            found += iter_boxes(way.steps)
    return found


def heading(chart: Chart) -> str:
    return f"{chart.name} · version {chart.version}" if chart.version else chart.name


def total_people(chart: Chart) -> int:
    return sum(box.people for box in iter_boxes(chart.steps)) + chart.elsewhere
