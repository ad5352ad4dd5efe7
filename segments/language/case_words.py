"""The words that a condition on a case may compare with: statuses of tasks, and those kinds that are cases. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.located import KeyPath
from core.suggest import did_you_mean
from customers.task_tables import CASES, TaskStatus
from segments.language.matcher_parser import NOTHING, Report, parse_matcher
from segments.language.rules import Matcher, Operator

_WORDS: Mapping[str, Sequence[str]] = {
    "status": [status.value for status in TaskStatus],
    "kind": sorted(kind.value for kind in CASES),
}
_ASKABLE = frozenset({Operator.EQ, Operator.NE, Operator.IN, Operator.NOT_IN})


def parse_case_word(word: str, data: Any, report: Report, path: KeyPath) -> Matcher:
    """The matcher of `status` or `kind`; see `parse_word`."""
    return parse_word(word, "a case", _WORDS[word], data, report, path)


def parse_word(word: str, owner: str, known: Sequence[str], data: Any, report: Report, path: KeyPath) -> Matcher:
    """The matcher of a `word` (such as the status of `owner`, a case) that can only be one of `known`.

    Reports (E103) a comparison that means nothing and a word that there is not.
    """
    matcher = parse_matcher(data, report, path)
    is_right = True
    for comparison in matcher.comparisons:
        place = (*path, comparison.operator.value) if isinstance(data, Mapping) else path
        if comparison.operator not in _ASKABLE:
            message = f"the {word} of {owner} cannot be asked for '{comparison.operator}'"
            report("E103", place, message, "use eq, ne, in or not_in", at_key=True)
            is_right = False
            continue
        several = isinstance(comparison.operand, tuple)
        wanted = comparison.operand if isinstance(comparison.operand, tuple) else (comparison.operand,)
        for number, one in enumerate(wanted):
            if one not in known:
                hint = did_you_mean(str(one), known) or f"write one of {', '.join(known)}"
                nobody = f"no {owner.removeprefix('a ')} has the {word} '{one}'"
                report("E103", (*place, number) if several else place, nobody, hint)
                is_right = False
    return matcher if is_right else NOTHING
