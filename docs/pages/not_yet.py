"""Words of the language that this version reads and cannot act on, kind of file by kind of file.

Where the code has a list of them, it is that list; the reference pages mark them.
"""

from __future__ import annotations

from collections.abc import Mapping

from campaigns import definition_words
from customers import workspace
from journeys.steps import registry
from segments.language import parser

_IN_A_VARIANT = ("push", "subject")

CHOICES: Mapping[str, frozenset[str]] = {
    "condition": parser.NOT_YET,
    "step": registry.NOT_YET,
}

KEYS: Mapping[str, frozenset[str]] = {
    "workspace": frozenset(".".join(path) for path in workspace.NOT_YET),
    "campaign": frozenset(definition_words.NOT_YET) | {f"variants.<name>.{word}" for word in _IN_A_VARIANT},
    "mapping": frozenset({"skip"}),
}
