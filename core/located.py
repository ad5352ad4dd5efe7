"""A YAML or template file that a person wrote, as plain data that remembers where each word stands.

Whatever bytes come, the answer is data, faults with positions, or both; never a traceback. What the words
mean is no business of this module: `schema_check` and the packages above ask it where to point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.errors import Fault
from core.located_nodes import Node, Position, UnreadableError, compose

__all__ = ["FrontMatter", "KeyPath", "Located", "Position", "load_yaml", "split_front_matter"]

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000
_FENCE = "---"


@dataclass(frozen=True, slots=True)
class Located:
    """Plain data (dict, list, str, int, float, bool, None) with the position of every key and value.

    A path is a tuple of keys and list positions from 0. Where a path leads nowhere, its nearest ancestor is
    meant, so that a fault always has a place.
    """

    file: str
    root: Node

    @property
    def data(self) -> Any:
        return self.root.data

    @property
    def start(self) -> Position:
        return self.root.at

    def value_at(self, path: KeyPath) -> Position:
        node = self.root
        for part in path:
            if part not in node.children:
                break
            node = node.children[part]
        return node.at

    def key_at(self, path: KeyPath) -> Position:
        """Where the last key of `path` is written; for a list item or a missing key, where the value is."""
        node = self.root
        for part in path[:-1]:
            if part not in node.children:
                return node.at
            node = node.children[part]
        last = path[-1] if path else None
        return node.keys[last] if isinstance(last, str) and last in node.keys else self.value_at(path)

    def fault(self, code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> Fault:
        """The fault `code` at the value of `path`, or at its key."""
        position = self.key_at(path) if at_key else self.value_at(path)
        return _fault(self.file, position, code, message, hint)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The head of a template file and the text below it, which begins on line `body_line`."""

    head: Located
    body: str
    body_line: int


def load_yaml(text: bytes, file: str) -> tuple[Located | None, list[Fault]]:
    """The one YAML 1.2 document in `text`, and what is wrong with it as YAML.

    Dates, times, words such as `on` and `no`, and numbers with a leading zero or plus stay the text that was
    written. `file` is the name that faults carry. Duplicate keys are all reported and the first of each
    counts, so that the rest of the file can still be checked.
    """
    decoded, faults = _decode(text, file)
    if decoded is None:
        return None, faults
    return _compose(decoded, file, first_line=1)


def split_front_matter(text: bytes, file: str) -> tuple[FrontMatter | None, list[Fault]]:
    """The YAML between the two `---` lines at the head of a template, and the body below, with true line numbers."""
    decoded, faults = _decode(text, file)
    if decoded is None:
        return None, faults
    lines = decoded.splitlines(keepends=True)
    fences = [number for number, line in enumerate(lines) if line.rstrip() == _FENCE][:2]
    if not fences or fences[0] != 0:
        hint = "begin it with '---', then 'template: <name>' and 'channel: email', then '---' again"
        return None, [Fault(file, 1, 1, "E100", "the file has no front matter", hint, 1)]
    if len(fences) == 1:
        return None, [Fault(file, 1, 1, "E001", "the front matter never ends", "close it with '---'", 4)]
    end = fences[1]
    head, faults = _compose("".join(lines[1:end]), file, first_line=2)
    if head is None:
        return None, faults
    return FrontMatter(head, "".join(lines[end + 1 :]), end + 2), faults


def _decode(text: bytes, file: str) -> tuple[str | None, list[Fault]]:
    if len(text) > MAX_BYTES:
        message = f"the file has {len(text):,} bytes and may have {MAX_BYTES:,}"
        return None, [Fault(file, 1, 1, "E004", message, "split it into several files", 1)]
    try:
        return text.decode("utf-8").removeprefix("\ufeff"), []
    except UnicodeDecodeError as error:
        before = text[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        message = f"the byte 0x{text[error.start]:02x} is not UTF-8"
        return None, [Fault(file, line, column, "E005", message, "save the file as UTF-8", column + 1)]


def _compose(text: str, file: str, first_line: int) -> tuple[Located | None, list[Fault]]:
    try:
        root, duplicates = compose(text, first_line)
    except UnreadableError as unreadable:
        return None, [_fault(file, unreadable.position, unreadable.code, unreadable.message, unreadable.hint)]
    faults = [
        _fault(file, at, "E002", f"duplicate key '{key}'", f"the first is on line {first.line}: remove one")
        for key, at, first in duplicates
    ]
    return Located(file, root), sorted(faults)


def _fault(file: str, position: Position, code: str, message: str, hint: str) -> Fault:
    return Fault(file, position.line, position.column, code, message, hint, position.end_column)
