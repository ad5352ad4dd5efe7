"""A test's file as a value: who there is, what happens when, and what must come of it.

Pure. Instants without an offset are by the clock of the person they are about. What a schema cannot know is reported
here; whether names of other files exist too, because a test that names nothing would pass by mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from console.project import Project, ProjectFile
from core.durations import at_local
from core.errors import Fault
from core.located import KeyPath, Located
from core.suggest import did_you_mean
from core.zones import find_zone

ACTS = ("event", "set", "consent", "opened", "clicked", "joins", "leaves", "launch")
CHANNELS = ("email", "sms", "voice", "letter", "push", "webhook")
OUTCOMES = (*CHANNELS, "skipped", "failed", "branch", "refused", "end")
SOLE = "the_person"  # what the only one is called where the file gives no name


@dataclass(frozen=True, slots=True)
class Someone:
    """One person of a test; `zone` is the workspace's where the file names none."""

    name: str
    zone: ZoneInfo
    has_own_zone: bool
    email: str | None
    phone: str | None
    external_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    consents: Mapping[str, str] = field(default_factory=dict)
    segments: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    arms: Mapping[str, str] = field(default_factory=dict)
    is_held_out: bool = False


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happens: `act` is one of ACTS, `what` its value; `values` are the properties of an event."""

    at: datetime
    person: str
    act: str
    what: Any
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that happened or was to happen: `kind` is one of OUTCOMES, `what` tells it from others of its kind."""

    at: datetime
    person: str
    kind: str
    what: str
    detail: str = field(default="", compare=False)  # for people: why it failed

    def to_the_minute(self) -> Outcome:
        return replace(self, at=self.at.replace(second=0, microsecond=0))


@dataclass(frozen=True, slots=True)
class Case:
    """One test, ready to be played from `start` to `end`."""

    slug: str
    name: str
    file: str
    line: int
    journey: str | None
    people: Mapping[str, Someone]
    happenings: tuple[Happening, ...]
    expected: tuple[Outcome, ...]
    start: datetime
    end: datetime

    @property
    def stated_segments(self) -> frozenset[str]:
        """The segments of which the test says who is in them."""
        named = {slug for one in self.people.values() for slug in one.segments}
        return frozenset(named | {one.what for one in self.happenings if one.act in ("joins", "leaves")})


def read_case(file: ProjectFile, project: Project, zone: ZoneInfo) -> tuple[Case, list[Fault]]:
    """The test in `file`, which fits its schema, and what is wrong with it; `zone` is the workspace's."""
    return _Reader(file, project, zone).read()


class _Reader:
    def __init__(self, file: ProjectFile, project: Project, zone: ZoneInfo) -> None:
        self.file, self.project, self.zone = file, project, zone
        self.located: Located = file.located
        self.data: Mapping[str, Any] = file.document
        self.faults: list[Fault] = []
        self.people: dict[str, Someone] = {}

    def read(self) -> tuple[Case, list[Fault]]:
        data = self.data
        self._read_people()
        self._named("journey", "journey", data.get("journey"), ("journey",))
        happenings = tuple(self._happening(item, number) for number, item in enumerate(data["given"]))
        expected = tuple(
            outcome for number, item in enumerate(data["expect"]) for outcome in self._outcomes(item, number)
        )
        instants = [one.at for one in happenings] + [one.at for one in expected]
        start = self._instant(data["from"], self.zone) if "from" in data else min(
            (one.at for one in happenings), default=min(instants, default=datetime(2026, 1, 1, tzinfo=UTC))
        )  # fmt: skip
        last = max(instants, default=start) + timedelta(days=1)
        end = self._instant(data["until"], self.zone) if "until" in data else last
        if end < start:
            self._report("E103", ("until",), "the clock would stop before it begins", "write a later instant")
        case = Case(
            slug=data["test"],
            name=data.get("name", ""),
            file=self.file.file,
            line=self.located.key_at(("test",)).line,
            journey=data.get("journey"),
            people=self.people,
            happenings=tuple(sorted(happenings, key=lambda one: one.at)),
            expected=tuple(sorted(expected, key=lambda one: one.at)),
            start=start,
            end=end,
        )
        return case, sorted(self.faults)

    # -- people ------------------------------------------------------------------------------------------------------

    def _read_people(self) -> None:
        if "profile" in self.data and "people" in self.data:
            self._report("E103", ("people",), "`profile` is for one person, `people` for several", "keep one of them")
        written: Mapping[str, Any] = self.data.get("people") or {SOLE: self.data.get("profile", {})}
        for name, data in written.items():
            path: KeyPath = ("people", name) if "people" in self.data else ("profile",)
            for kind, key in (("segment", "segments"), ("list", "lists")):
                for number, slug in enumerate(data.get(key, ())):
                    self._named(kind, kind, slug, (*path, key, number))
            self.people[name] = self._someone(name, data)

    def _someone(self, name: str, data: Mapping[str, Any]) -> Someone:
        own = find_zone(data.get("timezone", ""))
        email = data.get("email", f"{name}@people.example")
        return Someone(
            name=name,
            zone=own or self.zone,
            has_own_zone=own is not None,
            email=None if email == "none" else email,
            phone=data.get("phone"),
            external_id=data.get("external_id", name),
            attributes=data.get("attributes", {}),
            consents=data.get("consents", {}),
            segments=tuple(data.get("segments", ())),
            lists=tuple(data.get("lists", ())),
            arms=data.get("arms", {}),
            is_held_out=bool(data.get("held_out")),
        )

    # -- what happens, and what must come of it ----------------------------------------------------------------------

    def _happening(self, data: Mapping[str, Any], number: int) -> Happening:
        path: KeyPath = ("given", number)
        acts = [word for word in ACTS if word in data]
        if len(acts) != 1:
            self._report("E103", path, "one thing happens at a time", f"keep one of {', '.join(ACTS)}")
        act = acts[0] if acts else "set"
        person = self._person(data, path)
        if act in ("joins", "leaves"):
            self._named("segment", "segment", data[act], (*path, act))
        if act == "launch":
            self._named("campaign", "campaign", data[act], (*path, act))
        at = self._instant(data["at"], self.people[person].zone)
        return Happening(at, person, act, data.get(act, {}), data.get("with", {}))

    def _outcomes(self, data: Mapping[str, Any], number: int) -> Iterator[Outcome]:
        path: KeyPath = ("expect", number)
        kinds = [word for word in OUTCOMES if word in data]
        person = self._person(data, path)
        at = self._instant(data["at"], self.people[person].zone)
        if not kinds:
            self._report("E103", path, "nothing is expected here", f"add one of {', '.join(OUTCOMES)}")
        for kind in kinds:
            what = data[kind]
            if kind in CHANNELS and kind != "webhook":
                self._template(what, (*path, kind))
            for words in _words(what):
                yield Outcome(at, person, kind, words)

    def _person(self, data: Mapping[str, Any], path: KeyPath) -> str:
        name = data.get("person")
        if name in self.people:
            return str(name)
        if name is not None or len(self.people) > 1:
            message = f"there is no person '{name}' in this test" if name else "it is not said who"
            hint = did_you_mean(name or "", self.people) or f"add `person: {next(iter(self.people))}`"
            self._report("E120", (*path, "person"), message, hint)
        return next(iter(self.people))

    # -- words -------------------------------------------------------------------------------------------------------

    def _instant(self, text: str, zone: ZoneInfo) -> datetime:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else at_local(instant.date(), instant.time(), zone)

    def _template(self, written: str, path: KeyPath) -> None:
        name = written.partition("@")[0]
        known = {line.partition(":")[2].strip() for file in self.project.templates for line in _heads(file.text)}
        if name not in known:
            self._unknown("template", name, known, path)

    def _named(self, word: str, kind: str, name: str | None, path: KeyPath) -> None:
        known = self.project.names(kind)
        if name is not None and name not in known:
            self._unknown(word, name, known, path)

    def _unknown(self, word: str, name: str, known: Sequence[str] | set[str] | frozenset[str], path: KeyPath) -> None:
        hint = did_you_mean(name, sorted(known)) or f"name a {word} of this project"
        self._report("E120", path, f"unknown {word} '{name}'", hint)

    def _report(self, code: str, path: KeyPath, message: str, hint: str) -> None:
        self.faults.append(self.located.fault(code, path, message, hint))


def _words(what: Any) -> Iterator[str]:
    """A value as it is compared: the ways of several steps are several outcomes."""
    if isinstance(what, Mapping):
        yield from (f"{step} → {way}" for step, way in what.items())
    else:
        yield str(what).partition("@")[0]


def _heads(text: str) -> Iterator[str]:
    yield from (line for line in text.splitlines() if line.startswith("template:"))
