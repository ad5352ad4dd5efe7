"""What a dry run tells: counts, and a few rows with what would change, everything personal masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

from customers.imports.sources import Refused
from customers.tables import IdentityKind

EXAMPLE_COUNT = 20

Change = tuple[str, str | None, str | None]  # name, before, after


@dataclass(frozen=True, slots=True)
class Example:
    """One row of the file: what would become of it, who or what it is about, and each value that it changes."""

    line: int
    what: str
    who: str
    changes: tuple[Change, ...] = ()


@dataclass(slots=True)
class Tally:
    """Counts in the order in which they are told; examples of each outcome, a few of every one."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, list[Example]] = field(default_factory=dict)

    def refuse(self, refused: Sequence[Refused]) -> None:
        self.refused.update(one.reason for one in refused)

    def wants(self, what: str) -> bool:
        """Whether another example of this outcome is of use."""
        return len(self._examples.get(what, ())) < EXAMPLE_COUNT

    def show(self, line: int, what: str, who: str, changes: Sequence[Change] = ()) -> None:
        if self.wants(what):
            self._examples.setdefault(what, []).append(Example(line, what, who, tuple(changes)))

    def examples(self) -> tuple[Example, ...]:
        """At most twenty, taking turns among the outcomes, in the order of their lines."""
        in_turn = chain.from_iterable(zip_longest(*self._examples.values()))
        chosen = [one for one in in_turn if one is not None][:EXAMPLE_COUNT]
        return tuple(sorted(chosen, key=lambda one: one.line))


def masked_address(kind: str, value: str) -> str:
    """Enough of an address to find it in the file, and not enough to write to it: a***@example.org, +44***18."""
    if kind == IdentityKind.EMAIL:
        local_part, _, domain = value.rpartition("@")
        return f"{local_part[:1]}***@{domain}"
    return f"{value[:3]}***{value[-2:]}"


def shown(value: Any, *, is_personal: bool) -> str | None:
    """A value for people's eyes; of a personal one the first letter."""
    if value is None:
        return None
    text = str(value)
    if not is_personal:
        return text if len(text) <= 60 else f"{text[:59]}…"
    return f"{text[:1]}***"
