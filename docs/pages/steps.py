"""`steps.md`: the verbs of a journey's steps, from `journeys.steps.registry` and the journey schema."""

from __future__ import annotations

import sys

from core.schema_files import definition
from docs.pages.markdown import code, first_paragraph, page, table
from docs.pages.schema_rows import rows_of
from journeys.steps.contract import Verb
from journeys.steps.registry import NOT_YET, VERBS

_SHARED = ("id", "note", "if", "disabled", "on_error")


def render() -> str:
    return page(
        "Steps of a journey",
        "`journeys/steps/` and `schema/common.schema.json`",
        "A step does one thing, and its verb says which. Beside the verb every step takes these:",
        _keys("wait", only_shared=True),
        *(_section(verb) for verb in VERBS.values()),
        "## Verbs that do not work yet",
        "These are words of the language; `postilion check` answers [E160](fault-codes.md#e160) to them: "
        + ", ".join(code(name) for name in sorted(NOT_YET))
        + ".",
    )


def _section(verb: Verb) -> str:
    purpose = first_paragraph(sys.modules[verb.advance.__module__].__doc__)
    return f"## {verb.name}\n\n{purpose}\n\n{_keys(verb.name)}"


def _keys(verb: str, *, only_shared: bool = False) -> str:
    rows = rows_of(definition(f"step_{verb}"))
    kept = [row for row in rows if (row.key.partition(".")[0] in _SHARED) is only_shared]
    return table(["key", "value", "meaning"], [row.cells for row in kept])
