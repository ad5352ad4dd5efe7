"""What a template reads of the offers that a journey chose: their products, their code, by whichever name. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_WHOLE = frozenset({"steps", "offers"})


@dataclass(frozen=True, slots=True)
class Reading:
    """The paths of a template's variables, such as `steps.reco.items` and `vars.code`."""

    paths: frozenset[str] = frozenset()

    def reads_code(self, step: str, offers: Iterable[str], code: str | None, context: Mapping[str, Any]) -> bool:
        """Whether the step's code is shown: as such, under one of its `offers`, or in a value that has it."""
        names = {f"steps.{step}", *(f"offers.{offer}" for offer in offers)}
        if not self.paths.isdisjoint(_WHOLE | names | {f"{name}.code" for name in names}):
            return True
        values = (context.get("vars") or {}) if code else {}
        return any(
            f"vars.{name}" in self.paths and isinstance(value, str) and code is not None and code in value
            for name, value in values.items()
        )

    def lacks(self, empty: Iterable[str], context: Mapping[str, Any]) -> bool:
        """Whether it shows what one of the `empty` steps chose, of which nothing is left."""
        places = [name for step in empty for name in (f"steps.{step}", f"offers.{context['steps'][step]['offer']}")]
        gone = {f"{place}.{field}" for place in places for field in ("items", "code")}
        if places:
            gone |= {f"vars.{name}" for name, value in (context.get("vars") or {}).items() if value == []}
        return not self.paths.isdisjoint(gone)
