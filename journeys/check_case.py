"""What the rules of the checker are given: one journey, its places, and the names that exist beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from core.errors import Fault
from core.located import KeyPath, Located
from customers.tracking_consent import open_rule
from customers.workspace import Workspace
from journeys.graph import Ways
from journeys.model import Journey
from journeys.steps.contract import Step


@dataclass(frozen=True, slots=True)
class Known:
    """What exists in the project. `templates` gives each one's channel; None means that nobody has looked."""

    segments: Collection[str] | None = None
    lists: Collection[str] | None = None
    offers: Collection[str] | None = None
    journeys: Collection[str] | None = None
    templates: Mapping[str, str] | None = None
    workspace: Workspace | None = None

    @property
    def topics(self) -> Collection[str] | None:
        return self.workspace.topics if self.workspace else None

    @property
    def senders(self) -> Collection[str] | None:
        return self.workspace.senders if self.workspace else None

    @property
    def tracks_opens(self) -> bool:
        """Whether every open is one person's, wherever people live; what each of them says is another matter."""
        return self.workspace is None or open_rule(self.workspace).is_individual_everywhere


@dataclass(frozen=True, slots=True)
class Case:
    """One journey to be judged; `before` is the version in force, where there is one."""

    journey: Journey
    known: Known
    before: Journey | None
    located: Located
    ways: Ways = field(repr=False)

    def fault(self, code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> Fault:
        return self.located.fault(code, path, message, hint, at_key=at_key)

    @property
    def steps(self) -> Sequence[Step]:
        return list(self.journey.by_id.values())
