"""Whether a file describes one thing, and the thing that its folder is for: E100.

What stands in a file of another kind is not judged further, because every second key of it would be unknown here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from core.errors import Fault
from core.located import Located
from core.schema_files import get_schema

KINDS = ("workspace", "list", "segment", "offer", "campaign", "journey", "form", "test", "template")


def check_kind(located: Located, kind: str, faults: Iterable[Fault]) -> set[Fault]:
    """`faults` of a file that should hold a `kind`, with E100 in the place of those that come of its being none."""
    data = located.data
    if kind not in KINDS or not isinstance(data, dict):
        return set(faults)
    properties = get_schema(kind)["properties"]
    others = [one for one in KINDS if one in data and one not in properties]
    if kind not in data:
        return {_of_another_kind(located, kind, others[0])} if others else _without_kind(located, kind, faults)
    foreign = {place for other in others for place in _places(located, get_schema(other)["properties"], properties)}
    kept = {fault for fault in faults if fault.code != "E102" or (fault.line, fault.column) not in foreign}
    return kept | {_several(located, [kind, *others])} if others else kept


def _without_kind(located: Located, kind: str, faults: Iterable[Fault]) -> set[Fault]:
    missing = f"the key '{kind}' is missing"
    hint = f"begin it with '{kind}: {PurePath(located.file).stem}'"
    fault = located.fault("E100", (), f"the file does not say which {kind} it describes", hint)
    return {one for one in faults if one.message != missing} | {fault}


def _of_another_kind(located: Located, kind: str, other: str) -> Fault:
    hint = f"move it to the other {other}s, or begin it with '{kind}: {PurePath(located.file).stem}'"
    message = f"the file describes {_a(other)}, and stands where {_a(kind)} is looked for"
    return located.fault("E100", (), message, hint)


def _several(located: Located, kinds: list[str]) -> Fault:
    message = f"the file describes {' and '.join(map(_a, kinds))}"
    return located.fault("E100", (), message, "make a file of each")


def _a(kind: str) -> str:
    return f"an {kind}" if kind.startswith("o") else f"a {kind}"


def _places(located: Located, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterable[tuple[int, int]]:
    for key in theirs:
        if key in located.data and key not in ours:
            place = located.key_at((key,))
            yield place.line, place.column
