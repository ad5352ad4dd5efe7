"""What is wrong with the Jinja of a template, before anything is compiled: every fault of a part in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from jinja2 import TemplateSyntaxError, nodes

from core.errors import Fault
from core.suggest import did_you_mean
from delivery.front_matter import Part
from delivery.jinja_limits import asset_named, refusals
from delivery.jinja_tokens import LineIndex, find_tokens, find_unclosed
from delivery.template_variables import Variable, find_variables, misnamed

MAX_FAULTS = 100

_CLOSERS = {"{{": "}}", "{%": "%}", "{#": "#}"}


@dataclass(frozen=True, slots=True)
class CheckedPart:
    variables: list[Variable]
    faults: list[Fault]


def check_part(
    part: Part, file: str, parse: Callable[[str], nodes.Template], assets: Mapping[str, str], *, is_text: bool
) -> CheckedPart:
    """The variables that `part` reads and its faults; `parse` may raise `TemplateSyntaxError`."""
    index = LineIndex(part.text, part.line)
    tokens = find_tokens(part.text, index)
    columns = {token.line: (index.column(token.start), token.end - token.start) for token in reversed(tokens)}

    def fault(line: int, code: str, message: str, hint: str = "") -> Fault:
        line += part.line - 1
        column, width = columns.get(line, (1, 0))
        return Fault(file, line, column, code, message, hint, column + width)

    raw = [token for token in tokens if token.expression in ("raw", "endraw")]
    if raw:
        hint = "write {{ '{{' }} for two braces"
        return CheckedPart(
            [], [fault(token.line - part.line + 1, "E172", "'raw' is not available", hint) for token in raw]
        )
    unclosed = find_unclosed(part.text, tokens)
    if unclosed is not None:
        opener, line, column = part.text[unclosed:][:2], index.line(unclosed), index.column(unclosed)
        message, hint = f"'{opener}' is opened here and never closed", f"close it with '{_CLOSERS[opener]}'"
        return CheckedPart([], [Fault(file, line, column, "E172", message, hint, column + 2)])
    try:
        tree = parse(part.text)
        faults = [
            fault(line, "E172", message, hint)
            for line, message, hint in islice(refusals(tree, is_text=is_text), MAX_FAULTS)
        ]
        faults += [fault(line, "E123", message, hint) for line, message, hint in islice(misnamed(tree), MAX_FAULTS)]
        faults += [
            fault(line, "E179", message, hint) for line, message, hint in islice(_lost(tree, assets), MAX_FAULTS)
        ]
        return CheckedPart(find_variables(tree, part.line), faults)
    except TemplateSyntaxError as error:
        hint = "check its words, and that each `if` and `for` has its end"
        return CheckedPart([], [fault(error.lineno, "E172", f"this is not Jinja: {error.message}", hint)])
    except RecursionError:
        return CheckedPart([], [fault(1, "E172", "an expression is nested too deeply", "make it simpler")])


def _lost(tree: nodes.Template, assets: Mapping[str, str]) -> Iterator[tuple[int, str, str]]:
    """(line, what is wrong, the way out) for each asset that is not there."""
    for call in tree.find_all(nodes.Call):
        name = asset_named(call)
        if name is not None and name not in assets:
            hint = did_you_mean(name, assets) or "put the file into assets/"
            yield call.lineno, f"there is no asset '{name[:100]}'", hint
