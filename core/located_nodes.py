"""Parser events into nodes: each value as plain data, beside the place where it is written.

Values are resolved here and not by ruamel's constructors, because a marketer's `2026-03-01`, `22:00`, `no`
and `01067` must stay what was written. Everything that could hurt is bounded: depth, aliases, tags. Used by
`located` alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from core.located_words import is_left_open, plain_problem

MAX_DEPTH = 50
MAX_ALIASES = 100
MAX_COPIED_VALUES = 10_000
MAX_DUPLICATES = 100  # that are told; nobody reads more

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
_FLOAT = re.compile(r"-?((0|[1-9][0-9]*)(\.[0-9]+)?|\.[0-9]+)([eE][-+]?[0-9]+)?\Z")
_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_ACCEPTED_TAGS = _TEXT_TAGS | {"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
# What the parser lets through, beside its own errors, on odd escapes and directives.
_PARSER_SLIPS = (ValueError, OverflowError, LookupError, AttributeError, AssertionError, TypeError)
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Line and columns from 1; `end_column` is the one after the last character on that line."""

    line: int
    column: int
    end_column: int


@dataclass(frozen=True, slots=True)
class Node:
    """One value, where it stands, where its keys stand, and the values inside it."""

    data: Any
    at: Position
    keys: Mapping[str, Position]
    children: Mapping[str | int, Node]


class UnreadableError(Exception):
    """The text cannot be read at all; `located` makes the fault of it."""

    def __init__(self, code: str, position: Position, message: str, hint: str) -> None:
        self.code, self.position, self.message, self.hint = code, position, message, hint
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Node
    aliases: int
    values: int


Duplicate = tuple[str, Position, Position]


def compose(text: str, first_line: int) -> tuple[Node, list[Duplicate]]:
    """The tree of the one document in `text`, and its duplicate keys (key, second place, first place).

    Raises `UnreadableError`. `first_line` is the number of the first line of `text` in its file.
    """
    composer = _Composer(text, first_line)
    return composer.document(), composer.duplicates


class _Composer:
    def __init__(self, text: str, first_line: int) -> None:
        self.duplicates: list[Duplicate] = []
        self._text = text
        self._lines = re.split("\r\n|\r|\n", text)
        self._first_line = first_line
        self._anchors: dict[str, _Anchored] = {}
        self._aliases = 0
        self._values = 0
        self._copied = 0
        self._events = self._parse()

    def document(self) -> Node:
        control = _CONTROL.search(self._text)
        if control:
            self._refuse_character(control)
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    raise self._refused("E001", event, "a file holds one document", "remove the second '---'")
                root = self._node(next(self._events), depth=1)
        if root is None or (root.data is None and not root.children):
            raise UnreadableError("E001", Position(self._first_line, 1, 1), "the file is empty", "write 'key: value'")
        return root

    def _parse(self) -> Iterator[Any]:
        """The parser's events; its own errors and the few built-in ones that odd escapes provoke become
        `UnreadableError`.
        """
        try:
            yield from YAML(typ="safe", pure=True).parse(self._text)
        except MarkedYAMLError as error:
            raise self._unreadable(error) from None
        except (YAMLError, *_PARSER_SLIPS) as error:
            at = Position(self._first_line, 1, 1)
            message = f"this is not YAML: {str(error).splitlines()[0] if str(error) else 'it cannot be read'}"
            raise UnreadableError("E001", at, message, "look for odd escapes or directives") from None

    def _unreadable(self, error: MarkedYAMLError) -> UnreadableError:
        problem = str(error.problem or error.context or "it cannot be read")
        marks = (error.problem_mark, error.context_mark)
        mark = next(filter(None, reversed(marks) if is_left_open(problem) else marks), None)
        line, column = (mark.line, mark.column) if mark else (0, 0)
        written = self._lines[line] if line < len(self._lines) else ""
        indentation = written[: len(written) - len(written.lstrip())]
        if "\t" in indentation and column <= len(indentation):
            at = indentation.index("\t") + 1
            position = Position(line + self._first_line, at, at + 1)
            return UnreadableError("E003", position, "this line is indented with a tab", "indent with spaces")
        message, hint = plain_problem(problem)
        position = Position(line + self._first_line, column + 1, max(column + 1, len(written.rstrip()) + 1))
        return UnreadableError("E001", position, f"this is not YAML: {message}", hint)

    def _refuse_character(self, found: re.Match[str]) -> None:
        before = self._text[: found.start()]
        line, column = before.count("\n"), found.start() - before.rfind("\n")
        position = Position(line + self._first_line, column, column + 1)
        message = f"this is not YAML: it holds the invisible character U+{ord(found.group()):04X}"
        raise UnreadableError("E001", position, message, "delete it")

    def _node(self, event: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._refused("E004", event, f"nested more than {MAX_DEPTH} levels deep", "make it flatter")
        if isinstance(event, AliasEvent):
            return self._alias(event)
        aliases, values = self._aliases, self._values
        self._values += 1
        tag = str(event.ctag) if event.ctag is not None else None
        if tag is not None and tag not in _ACCEPTED_TAGS:
            shown = tag.replace("tag:yaml.org,2002:", "!!")[:60]
            raise self._refused("E001", event, f"the tag '{shown}' is not accepted", "write the plain value")
        if isinstance(event, ScalarEvent):
            node = Node(_scalar(event, tag), self._position(event, event), {}, {})
        elif isinstance(event, SequenceStartEvent):
            node = self._sequence(event, depth)
        else:
            node = self._mapping(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(node, self._aliases - aliases, self._values - values)
        return node

    def _alias(self, event: AliasEvent) -> Node:
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            hint = f"write '&{event.anchor}' before the value that it stands for, further up"
            raise self._refused("E001", event, f"'*{event.anchor}' stands for nothing", hint)
        self._aliases += 1 + anchored.aliases
        self._values += anchored.values
        self._copied += anchored.values
        if self._aliases > MAX_ALIASES or self._copied > MAX_COPIED_VALUES:
            message = f"aliases repeat more than {MAX_ALIASES} parts or {MAX_COPIED_VALUES:,} values"
            raise self._refused("E004", event, message, "write the values out")
        return anchored.node

    def _sequence(self, start: SequenceStartEvent, depth: int) -> Node:
        items: list[Node] = []
        for event in self._events:
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._node(event, depth + 1))
        children: dict[str | int, Node] = dict(enumerate(items))
        return Node([item.data for item in items], self._position(start, event), {}, children)

    def _mapping(self, start: MappingStartEvent, depth: int) -> Node:
        keys: dict[str, Position] = {}
        children: dict[str | int, Node] = {}
        for event in self._events:
            if isinstance(event, MappingEndEvent):
                break
            key, at = self._key(event)
            child_event = next(self._events)
            child = self._node(child_event, depth + 1)
            if child.data is None and child.at.column == child.at.end_column:
                child = Node(None, at, {}, {})  # an empty value stands nowhere: point at its key
            if key in keys:
                if len(self.duplicates) < MAX_DUPLICATES:
                    self.duplicates.append((key, at, keys[key]))
            else:
                keys[key], children[key] = at, child
        data = {key: children[key].data for key in keys}
        return Node(data, self._position(start, event), keys, children)

    def _key(self, event: Any) -> tuple[str, Position]:
        if not isinstance(event, ScalarEvent):
            raise self._refused("E001", event, "a key must be a word", "write 'key: value'")
        if event.value == "<<" and event.style is None:
            raise self._refused("E001", event, "YAML 1.2 has no merge key '<<'", "write the keys out")
        self._values += 1
        return event.value, self._position(event, event)

    def _refused(self, code: str, event: Any, message: str, hint: str) -> UnreadableError:
        return UnreadableError(code, self._position(event, event), message, hint)

    def _position(self, start: Any, end: Any) -> Position:
        first, last = start.start_mark, end.end_mark
        column = first.column + 1
        if last.line == first.line:
            return Position(first.line + self._first_line, column, max(column, last.column + 1))
        written = len(self._lines[first.line].rstrip()) if first.line < len(self._lines) else 0
        return Position(first.line + self._first_line, column, max(column, written + 1))


def _scalar(event: ScalarEvent, tag: str | None) -> str | int | float | bool | None:
    """YAML 1.2 without its surprises: only `true`, `false`, `null`, and numbers as JSON writes them, are not text."""
    text: str = event.value
    if event.style is not None or tag in _TEXT_TAGS:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text) and not _is_long_integer(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _is_long_integer(text: str) -> bool:
    """A whole number past 18 digits is an identifier, and a float would silently change it."""
    return text.lstrip("-").isdigit()
