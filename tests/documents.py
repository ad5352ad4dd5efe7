"""Reads the documentation as tests need it: pages, blocks of code, links and the places they may lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_BLOCK = re.compile(r"^```([\w-]*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_ANCHOR = re.compile(r'<a id="([^"]+)">')
_NAMED_BEFORE = re.compile(r"`([\w./-]+\.(?:csv|mjml|txt))`[^`]*\Z")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block. `file` is the file that it shows: named in its first line, or by the sentence before it."""

    page: str
    line: int
    language: str
    text: str
    file: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page that a person reads."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/*.md")])


def blocks(path: Path) -> list[Block]:
    return list(_blocks(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))


def commands(block: Block) -> list[str]:
    """What is typed in a console block: the lines after `$ `, without their remarks."""
    return [line[2:].partition("  #")[0] for line in block.text.splitlines() if line.startswith("$ ")]


def links(path: Path) -> list[str]:
    """Where the links and images of a page lead that stay inside the project."""
    found = _LINK.findall(_BLOCK.sub("", path.read_text(encoding="utf-8")))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(path: Path) -> frozenset[str]:
    """What can stand behind `#` for a page: its headings as GitHub names them, and what it names itself."""
    text = _BLOCK.sub("", path.read_text(encoding="utf-8"))
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in _HEADING.findall(text)
    }
    return frozenset(headings | set(_ANCHOR.findall(text)))


def _blocks(page: str, text: str) -> Iterator[Block]:
    end = 0
    for match in _BLOCK.finditer(text):
        language, body = match.groups()
        first = re.match(r"# ([\w/.-]+\.yaml)\n", body) if language == "yaml" else None
        before = None if first else _NAMED_BEFORE.search(text[end : match.start()])
        named = first or before
        yield Block(page, text.count("\n", 0, match.start()) + 1, language, body, named[1] if named else None)
        end = match.end()
