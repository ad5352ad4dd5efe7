"""Partials: pieces of templates in files of their own, put in where a template includes them, before anything is read.

`{% include "partials/footer.mjml" %}` and `<mj-include path="partials/footer.mjml" />` mean the same. What is put in
sees the variables of the place it stands in, so that `{% with label="Shop" %}` around it hands it arguments. Which line
of which file a place came from is kept, so that a fault is told where its cause was written.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from core.errors import Fault
from core.suggest import did_you_mean

PARTIALS = "partials/"
MAX_DEPTH = 10
MAX_EXPANDED = 1_000_000  # characters of a template with all its partials
MAX_INCLUDES = 1_000
MAX_FAULTS = 100

_INCLUDE = re.compile(
    r"\{%[-+]?\s*include\s+(?P<quote>[\"'])(?P<path>[^\"'\n]*)(?P=quote)\s*[-+]?%\}"
    r"|<mj-include\s+path=(?P<sign>[\"'])(?P<file>[^\"'\n]*)(?P=sign)\s*(?:/>|>\s*</mj-include>)"
)
# Comments that tell Outlook something (`<!--[if mso]>`) stay.
_OPENS_COMMENT = re.compile(r"<!--(?!\[|<!\[)|\{#")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Text that begins at (`line`, `column`) of the expanded template, and at `file_line`, `file_column` of `file`.
    `via` says where that file was included.
    """

    line: int
    column: int
    file: str
    file_line: int
    file_column: int
    via: str


@dataclass(frozen=True, slots=True)
class Places:
    """Where each place of an expanded template was written; without stretches, everything stands where it stood."""

    file: str = ""
    stretches: tuple[_Stretch, ...] = ()

    def find(self, line: int, column: int = 1) -> tuple[str, int, int, str]:
        """(file, line, column, where that file was included) of a place in the expanded template."""
        after = bisect_right(self.stretches, (line, column), key=lambda stretch: (stretch.line, stretch.column))
        if not after:
            return self.file, line, column, ""
        stretch = self.stretches[after - 1]
        if line == stretch.line:
            column += stretch.file_column - stretch.column
        return stretch.file, stretch.file_line + line - stretch.line, column, stretch.via

    def trace(self, fault: Fault) -> Fault:
        """`fault`, which was found in the expanded template, told of the file that its cause stands in."""
        if not self.stretches:
            return fault
        file, line, column, via = self.find(fault.line, fault.column)
        return replace(
            fault,
            file=file,
            line=line,
            column=column,
            end_column=max(0, fault.end_column + column - fault.column),
            hint="; ".join(filter(None, (fault.hint, via))),
        )


@dataclass(slots=True)
class Expansion:
    """A template's text with its partials in it, while it is written; `line` and `column` are where it ends."""

    partials: Mapping[str, str]
    line: int
    column: int = 1
    parts: list[str] = field(default_factory=list)
    stretches: list[_Stretch] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    size: int = 0
    includes: int = 0

    def take(self) -> str:
        """What was written since this was last asked."""
        text = "".join(self.parts)
        self.parts.clear()
        return text

    def write(self, text: str, file: str, at: tuple[int, int], via: str) -> None:
        """Append `text`, which was written at the line and column `at` of `file`."""
        if not text:
            return
        self.stretches.append(_Stretch(self.line, self.column, file, *at, via))
        self.parts.append(text)
        self.size += len(text)
        self.line, self.column = _behind(text, self.line, self.column)


def has_includes(text: str) -> bool:
    return any(True for _match, _path in _find_includes(text))


def find_included(text: str, partials: Mapping[str, str]) -> dict[str, str]:
    """Those of `partials` that `text` includes, and those that these include, by their paths."""
    found: dict[str, str] = {}
    wanted = [text]
    while wanted:
        for _match, path in _find_includes(wanted.pop()):
            if path in partials and path not in found:
                found[path] = partials[path]
                wanted.append(partials[path])
    return found


def expand(text: str, expansion: Expansion, file: str, line: int, *, is_text: bool) -> None:
    """Write `text`, which begins on `line` of `file`, with its partials in it; what cannot be put in is a fault.

    In plain text (`is_text`) only partials of plain text can stand.
    """
    _expand(text, expansion, file, line, (), "", is_text=is_text)


def _expand(
    text: str, expansion: Expansion, file: str, line: int, chain: tuple[str, ...], via: str, *, is_text: bool
) -> None:
    at, place = 0, (line, 1)
    for match, path in _find_includes(text):
        if len(expansion.faults) >= MAX_FAULTS:
            break
        before = text[at : match.start()]
        expansion.write(before, file, place, via)
        here = _behind(before, *place)
        at, place = match.end(), _behind(match.group(), *here)
        expansion.includes += 1
        refusal = _refusal(path, expansion, chain, is_text=is_text)
        if refusal is not None:
            message, hint = refusal
            hint = "; ".join(filter(None, (hint, via)))
            expansion.faults.append(Fault(file, *here, "E178", message, hint, here[1] + len(match.group())))
            continue
        partial = expansion.partials[path].removesuffix("\n")
        told = f"included in {file}, line {here[0]}"
        _expand(partial, expansion, f"templates/{path}", 1, (*chain, path), told, is_text=is_text)
    expansion.write(text[at:], file, place, via)


def _refusal(path: str, expansion: Expansion, chain: tuple[str, ...], *, is_text: bool) -> tuple[str, str] | None:
    """What is wrong and the way out, where `path` cannot be put in."""
    if path in chain:
        return f"'{path}' includes itself: {' → '.join((*chain[chain.index(path) :], path))}", "take one of them out"
    if path not in expansion.partials:
        return f"there is no '{path[:100]}' in templates/", _way_to(path, expansion.partials)
    if is_text and not path.endswith(".txt"):
        return f"'{path}' is MJML, and this is plain text", "include a partial that ends in .txt"
    if len(chain) >= MAX_DEPTH:
        return f"partials are nested more than {MAX_DEPTH} levels deep", "include fewer in each other"
    if expansion.includes > MAX_INCLUDES:
        return f"one template includes more than {MAX_INCLUDES:,} partials", "include less"
    if expansion.size + len(expansion.partials[path]) > MAX_EXPANDED:
        return f"with its partials the template is longer than {MAX_EXPANDED:,} characters", "include less"
    return None


def _way_to(path: str, known: Iterable[str]) -> str:
    hint = did_you_mean(path, known)
    if not hint and not path.startswith(PARTIALS):
        return f"partials stand in templates/{PARTIALS}: write '{PARTIALS}{path.rpartition('/')[2][:60]}'"
    return hint or f"add templates/{path[:100]}"


def _find_includes(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """The includes in `text` and the paths that they name, but for those that are commented out."""
    behind_comment, comment = 0, _OPENS_COMMENT.search(text)
    for match in _INCLUDE.finditer(text):
        while comment is not None and comment.start() < match.start():
            closer = "-->" if comment.group() == "<!--" else "#}"
            end = text.find(closer, comment.end())
            behind_comment = len(text) if end < 0 else end + len(closer)
            comment = _OPENS_COMMENT.search(text, behind_comment)
        if match.start() >= behind_comment:
            yield match, match["path"] if match["path"] is not None else match["file"]


def _behind(text: str, line: int, column: int) -> tuple[int, int]:
    """Where `text` ends that begins at (`line`, `column`)."""
    ends = text.count("\n")
    return line + ends, len(text) - text.rfind("\n") if ends else column + len(text)
