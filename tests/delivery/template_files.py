"""Small templates for tests, and the links that a test's messages carry."""

from __future__ import annotations

from typing import Any

from core.errors import ConfigError
from delivery.front_matter import TemplateSource, parse_template
from delivery.templates import CompiledTemplate, Rendered, compile_template, render

BODY_LINE = 5


def mail(body: str, *, head: str = "", front: str = 'subject: "Hello"') -> str:
    """A mail's file; `body` stands in `<mj-body>`, which opens on line 5, when `front` has one line."""
    return f"---\ntemplate: hello\nchannel: email\n{front}\n---\n<mjml>{head}<mj-body>\n{body}\n</mj-body></mjml>\n"


def column(content: str) -> str:
    return f"<mj-section><mj-column>{content}</mj-column></mj-section>"


def text_message(body: str) -> str:
    return f"---\ntemplate: hello\nchannel: sms\n---\n{body}"


def source_of(text: str) -> TemplateSource:
    source, faults = parse_template(text, "hello.mjml")
    if source is None:
        raise ConfigError(faults)
    return source


def compiled(text: str) -> CompiledTemplate:
    return compile_template(source_of(text))


def tracked(number: int, url: str | None) -> str:
    return f"https://t.example/{number}" + (f"?to={url}" if url else "")


def rendered(text: str, **context: Any) -> Rendered:
    return render(compiled(text), context, tracked)


def faults_of(text: str) -> list[str]:
    """What compiling `text` complains of, as `line:column code message`."""
    try:
        compiled(text)
    except ConfigError as error:
        return [f"{fault.line}:{fault.column} {fault.code} {fault.message}" for fault in error.faults]
    return []
