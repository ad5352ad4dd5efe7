"""The few pieces of Markdown that reference pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_MADE = "<!-- Made from {source} by `python -m docs.generate`. Change it there. -->"


def page(title: str, source: str, *parts: str) -> str:
    """A whole page. `source` names what it is made from; empty parts are left out."""
    return "\n\n".join([_MADE.format(source=source), f"# {title}", *(part.strip() for part in parts if part)]) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; bars and line ends inside cells are made harmless."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def code(text: str) -> str:
    return f"`{text}`"


def sentence(text: str) -> str:
    """`text` with a full stop, where it has no end of its own."""
    return text if not text or text.endswith((".", ":", "!", "?")) else f"{text}."


def first_paragraph(docstring: str | None) -> str:
    return " ".join((docstring or "").strip().partition("\n\n")[0].split())


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
