"""Short texts with Jinja in them that stand inside another file, such as the title of a task.

They are compiled and rendered by the door for templates, in its sandbox, with its filters and its limits. Nothing in
them is tracked: a link stays as it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.ids import content_hash
from delivery.front_matter import Part, TemplateSource
from delivery.templates import CompiledTemplate, compile_template, render

InlineText = CompiledTemplate

_NOTHING = Part("", 1)


def compile_text(name: str, text: str) -> InlineText:
    """The compiled form of `text`, once a process; `name` stands in what `render_text` raises.

    Raises ConfigError whose faults count lines in `text`.
    """
    source = TemplateSource(
        template=name,
        channel="text",
        kind="transactional",
        topic=None,
        sender=None,
        subject=_NOTHING,
        preheader=_NOTHING,
        needs=(),
        defaults=(),
        note="",
        body=Part(text, 1),
        text=None,
        file=name,
        content_hash=content_hash(text),
    )
    return compile_template(source)


def render_text(text: InlineText, context: Mapping[str, Any]) -> str:
    """`text` for somebody; `context` is plain data under the roots of a template. Raises `templates.RenderError`."""
    written = {link.number: link.url for link in text.links}
    return render(text, context, lambda number, url: url or written[number] or "").text
