"""What a verb is: how its words are read, and what happens when somebody stands at it.

A verb reads its part of the file once (`parse`) and is then asked again and again (`advance`): when a person arrives,
and whenever something happens while the person waits there. It answers with a named decision and never acts itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from core.durations import Duration, InvalidDurationError, parse_duration
from core.located import KeyPath
from journeys.steps.values import mentioned_steps
from segments.language.parser import parse_conditions
from segments.language.rules import Rule

if TYPE_CHECKING:
    from journeys.steps.run import Run

Report = Callable[..., object]  # (code, path, message, hint="", *, at_key=False), as `located.Located.fault`


class OnError(StrEnum):
    """What follows when a step has failed for good; `retry` leaves it to the journey."""

    RETRY = "retry"
    CONTINUE = "continue"
    EXIT = "exit"
    STEPS = "steps"


class Outcome(StrEnum):
    """How a step ended; conditions ask for it by `{step: x, was: done}`."""

    DONE = "done"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    FAILED = "failed"


class NameKind(StrEnum):
    """What a name that stands in a journey must be the name of."""

    TEMPLATE_EMAIL = "email template"
    TEMPLATE_SMS = "sms template"
    TEMPLATE_VOICE = "voice template"
    TEMPLATE_LETTER = "letter template"
    SENDER = "sender"
    TOPIC = "topic"
    OFFER = "offer"
    SEGMENT = "segment"
    JOURNEY = "journey"
    LIST = "list"
    STEP = "step"
    MESSAGE_STEP = "step that sends a message"  # which may lie further down


@dataclass(frozen=True, slots=True)
class Mention:
    """A name and its place in the file; `version` where it is pinned to one."""

    kind: NameKind
    name: str
    path: KeyPath
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step as defined. `blocks` are the lists of steps inside it, `path` its place in the file.

    `rules` and `mentions` are everything that it refers to, for the checker.
    """

    id: str
    path: KeyPath
    verb: Verb
    action: Any
    blocks: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    condition: Rule | None = None
    is_disabled: bool = False
    on_error: OnError = OnError.RETRY
    has_own_id: bool = False
    rules: tuple[Rule, ...] = ()
    mentions: tuple[Mention, ...] = ()


# -- decisions ---------------------------------------------------------------------------------------------------------


class Done(Struct, frozen=True, gc=False):
    """The step is over. `answers` is what `{branch: …}` may call the way that was taken; `block` is where it leads."""

    outcome: Outcome = Outcome.DONE
    answers: tuple[str | int, ...] = ()
    block: str | None = None


class Stay(Struct, frozen=True, gc=False):
    """The person waits here. `memo` is what the verb wants back next time: plain values, instants as ISO text.

    `until` sets the timer; `names` are the events that may end the waiting, by position (from 1).
    """

    memo: Mapping[str, Any]
    until: datetime | None = None
    names: Sequence[tuple[int, str]] = ()


class Jump(Struct, frozen=True, gc=False):
    """Go on at another step."""

    target: str


class End(Struct, frozen=True, gc=False):
    """The run is over."""

    reason: str


class Fail(Struct, frozen=True, gc=False):
    """The step failed; `is_final` when trying again could not help."""

    cause: str
    is_final: bool = False


Decision = Done | Stay | Jump | End | Fail

# In `Stay.names`, beside names of events:
ANY_EVENT = "*"  # whatever happens to this person is worth another look
PROFILE_CHANGE = "~"  # so is a change of the profile, and nothing else


def goes_on(_step: Step) -> bool:
    return True


def jumps_nowhere(_action: Any) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb. `can_go_on` says whether the step below may follow directly, `jumps_to` where else it leads.

    `waits` are the verbs of time, at which people stand for long.
    """

    name: str
    parse: Callable[[StepSpec], Any]
    advance: Callable[[Step, Run], Decision]
    waits: bool = False
    can_go_on: Callable[[Step], bool] = goes_on
    jumps_to: Callable[[Any], str | None] = jumps_nowhere


# -- reading -----------------------------------------------------------------------------------------------------------


class StepSpec:
    """One step as written, with its place, and a note of everything that it refers to.

    The data fits its schema; what is wrong beyond that goes to `report`.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        path: KeyPath,
        report: Report,
        parse_steps: Callable[[Sequence[Any], KeyPath], tuple[Step, ...]],
    ) -> None:
        self.data = data
        self.path = path
        self.blocks: dict[str, tuple[Step, ...]] = {}
        self.rules: list[Rule] = []
        self.mentions: list[Mention] = []
        self._report = report
        self._parse_steps = parse_steps

    def report(self, code: str, *path: str | int, message: str, hint: str = "", at_key: bool = False) -> None:
        self._report(code, (*self.path, *path), message, hint, at_key=at_key)

    @property
    def report_at(self) -> Report:
        """The reporter as `segments` wants it, with paths from the file's root."""
        return self._report

    def not_yet(self, *path: str | int, what: str = "") -> None:
        """Report a word that the language has and this version cannot act on."""
        message = f"{what or repr(str(path[-1]))} does not work yet"
        self.report("E160", *path, message=message, hint="leave it out for now", at_key=True)

    def block(self, name: str, *path: str | int) -> None:
        """Read the list of steps at `path` as the block `name`; nothing there is an empty block."""
        data: Any = self.data
        for part in path:
            data = data[part] if isinstance(part, int) else data.get(part)
        self.blocks[name] = self._parse_steps(data or (), (*self.path, *path))

    def conditions(self, data: Any, *path: str | int) -> Rule:
        rule = parse_conditions(data, self._report, (*self.path, *path))
        self.rules.append(rule)
        return rule

    def duration(self, text: str, *path: str | int) -> Duration:
        try:
            duration = parse_duration(text)
        except InvalidDurationError as error:
            message, hint = error.told
            self.report("E103", *path, message=message, hint=hint)
            return Duration()
        hours = duration.elapsed_part.total_seconds() / 3600
        if not duration.has_date_part and hours >= 24 and hours % 24 == 0:
            hint = f"write {hours // 24:.0f}d if days on the calendar are meant"
            self.report("W204", *path, message=f"'{text}' counts hours, also when the clocks change", hint=hint)
        return duration

    def value(self, data: Any, *path: str | int) -> Any:
        """`data` with its `{{ steps.x… }}` noted; what they say is filled in when the step runs."""
        if isinstance(data, Mapping):
            return {key: self.value(item, *path, key) for key, item in data.items()}
        if isinstance(data, list):
            return [self.value(item, *path, place) for place, item in enumerate(data)]
        for step, problem in mentioned_steps(data):
            if problem:
                self.report("E160", *path, message=problem, hint="write {{ entry.x }} or {{ steps.id.x }}")
            elif step:
                self.mention(NameKind.STEP, step, *path)
        return data

    def mention(self, kind: NameKind, name: str, *path: str | int, version: int | None = None) -> None:
        self.mentions.append(Mention(kind, name, (*self.path, *path), version))


def iter_steps(steps: Sequence[Step]) -> Iterator[Step]:
    """Every step in the order of the file."""
    for step in steps:
        yield step
        for block in step.blocks.values():
            yield from iter_steps(block)
