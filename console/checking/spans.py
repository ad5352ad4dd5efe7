"""Faults of a template's lines, given the span that editors underline: the variable that is meant, or else the line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from console.project import Project
from core.errors import Fault

_QUOTED = re.compile(r"[`']([\w.]+)[`']")
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}|\{%.*?%\}")


def span_lines(project: Project, faults: Iterable[Fault]) -> Iterator[Fault]:
    """`faults`, each with the columns of what it is about; one in a file that is no text stays at its beginning."""
    texts = {file.file: file.text for file in (*project.templates, *project.partials)}
    lines: dict[str, list[str]] = {}
    for fault in faults:
        if fault.end_column <= fault.column and fault.file in texts:
            written = lines.setdefault(fault.file, texts[fault.file].splitlines())
            line = written[fault.line - 1] if fault.line <= len(written) else ""
            column, end = _span(line, fault.message)
            yield replace(fault, column=column, end_column=end)
        else:
            yield replace(fault, end_column=max(fault.end_column, fault.column))


def _span(line: str, message: str) -> tuple[int, int]:
    """The columns of what `message` quotes, where a placeholder of `line` reads it, or of the whole line."""
    for name in _QUOTED.findall(message):
        for placeholder in _PLACEHOLDER.finditer(line):
            found = re.compile(rf"\b{re.escape(name)}\b").search(line, *placeholder.span())
            if found is not None:
                return found.start() + 1, found.end() + 1
    return 1, len(line) + 1
