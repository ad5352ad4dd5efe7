"""Sentences beside a margin of instants, as stories are told: broken so that the margin stays free."""

from __future__ import annotations

from textwrap import wrap

_NARROWEST = 40  # columns that a sentence keeps, however small the terminal


def say_beside(margin: str, text: str, *, width: int, style: str = "") -> None:
    """`text` right of `margin`, which is markup that takes `width` columns; whole on one line where nobody looks on."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=True)
    room = max(_NARROWEST, console.width - width)
    lines = wrap(text, room, break_long_words=False, break_on_hyphens=False) if console.is_terminal else [text]
    for number, line in enumerate(lines or [""]):
        said = f"[{style}]{escape(line)}[/]" if style else escape(line)
        console.print((margin if number == 0 else " " * width) + said)
