"""What keeps a mail from being read, though nothing in it is wrong: warnings for `postilion check` and the preview.

`lint_template` reads what its author wrote, and tells the place; `lint_mail` measures one rendered mail, where values
and repeated sections count too. Whether the sender's domain signs (DKIM, DMARC) is asked of SES by `postilion doctor`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit

from core.errors import Fault
from delivery.front_matter import Part, TemplateSource
from delivery.jinja_tokens import LineIndex, Token, tokens_between
from delivery.mjml_markup import Element, Markup
from delivery.mjml_masking import MjmlSource, read_mjml
from delivery.templates import CompiledTemplate, Rendered, expand_template

GMAIL_CLIPS = 102 * 1024  # bytes of HTML after which Gmail hides the rest behind "View entire message"
LONG_SUBJECT = 60
FEW_WORDS = 20
# A picture each so many words is an illustrated letter; more pictures than that are a poster.
WORDS_A_PICTURE = 12

_PICTURES = ("mj-image", "mj-carousel-image", "img")
_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?((?:[a-z0-9-]+\.)+[a-z]{2,})(?=[/?#:\s]|\Z)", re.IGNORECASE)
_TAGS = re.compile(r"<[^<>]*>")
_WORD = re.compile(r"[^\W\d_]{2,}")
_SILENT = re.compile(r"<(style|script|title)\b.*?</\1>", re.DOTALL | re.IGNORECASE)
_HIDDEN_PREHEADER = re.compile(r"<div style=\"display:none.*?</div>", re.DOTALL)
_SHOUTED = re.compile(r"[A-Z]{4,}")


def lint_template(source: TemplateSource, compiled: CompiledTemplate) -> list[Fault]:
    """What stands in the way of a mail from this template, at its place; nothing for other channels."""
    if source.channel != "email":
        return []
    expanded, places = expand_template(source)
    read = read_mjml(expanded.body.text, LineIndex(expanded.body.text, expanded.body.line))
    found = [
        *_lint_head(expanded, read.markup),
        *_lint_pictures(expanded, read),
        *_lint_links(expanded, read),
        *_lint_words(expanded, read),
        *_lint_law(expanded, compiled),
    ]
    if compiled.html_bytes > GMAIL_CLIPS:
        found.append(_clipped(compiled.html_bytes, expanded.file, expanded.body.line))
    return sorted({places.trace(fault) for fault in found})


def lint_mail(source: TemplateSource, rendered: Rendered) -> list[Fault]:
    """What stands in the way of this one mail, which was rendered from `source`."""
    if not rendered.html:
        return []
    found = [*_judge_subject(rendered.subject, source.file, source.subject.line)]
    size = len(rendered.html.encode())
    if size > GMAIL_CLIPS:
        found.append(_clipped(size, source.file, source.body.line))
    html = _HIDDEN_PREHEADER.sub("", _SILENT.sub("", rendered.html))
    words, pictures = len(_WORD.findall(unescape(_TAGS.sub(" ", html)))), len(re.findall(r"<img\s", html))
    if words < pictures * WORDS_A_PICTURE and words < FEW_WORDS:
        found.append(_of_pictures(words, pictures, source.file, source.body.line))
    if len(_WORD.findall(rendered.text)) < FEW_WORDS // 2:
        line = source.text.line if source.text else source.body.line
        message = "the plain text part has hardly a word"
        found.append(Fault(source.file, line, 1, "W219", message, "write one below a line {# text #}"))
    return sorted(set(found))


def _lint_head(source: TemplateSource, markup: Markup) -> Iterator[Fault]:
    if "{" not in source.subject.text:
        yield from _judge_subject(source.subject.text, source.file, source.subject.line)
    if not source.preheader.text and markup.find("mj-preview") is None:
        hint = "add `preheader:` to the front matter"
        yield Fault(source.file, source.subject.line, 1, "W216", "the mail has no preheader", hint)


def _judge_subject(subject: str, file: str, line: int) -> Iterator[Fault]:
    if len(subject) > LONG_SUBJECT:
        message = f"the subject has {len(subject)} characters, and phones show about {LONG_SUBJECT}"
        yield Fault(file, line, 1, "W215", message, "make it shorter")
    letters = "".join(_WORD.findall(subject))
    if len(letters) > 8 and letters == letters.upper() != letters.lower() and _SHOUTED.search(letters):
        yield Fault(file, line, 1, "W215", "the subject is in capitals throughout", "write it as a sentence")
    if "!!" in subject or subject.count("!") > 2:
        yield Fault(file, line, 1, "W215", "the subject has several exclamation marks", "one is plenty")


def _lint_pictures(source: TemplateSource, read: MjmlSource) -> Iterator[Fault]:
    index = LineIndex(read.text, source.body.line)
    for element in _pictures(read.markup):
        if "alt" not in element.attributes:
            message = f"<{element.name}> has no alt text"
            yield _at(source, index, element.start, "W210", message, 'say what it shows, or write alt=""')


def _pictures(markup: Markup) -> list[Element]:
    """The pictures that are shown: what stands in `mj-attributes` only says how others look."""
    found = (element for element in markup.elements if element.name in _PICTURES)
    return [one for one in found if all(ancestor.name != "mj-attributes" for ancestor in one.ancestors())]


def _lint_links(source: TemplateSource, read: MjmlSource) -> Iterator[Fault]:
    index = LineIndex(read.text, source.body.line)
    for element in read.markup.elements:
        href = element.attributes.get("href")
        if href is None or element.name in ("mj-font", "link"):
            continue
        if tokens_between(read.tokens, href.value_start, href.value_end):
            continue
        url = unescape(read.text[href.value_start : href.value_end]).strip()
        if url.lower().startswith("http://"):
            message = f"the link to {url[7:47]} is not encrypted"
            yield _at(source, index, href.value_start, "W213", message, "write https://")
        shown = _shown_host(read.text, element)
        host = (urlsplit(url).hostname or "").removeprefix("www.")
        if shown and host and not _is_same_site(shown, host):
            message = f"the text of the link says {shown}, and it leads to {host}"
            yield _at(source, index, href.value_start, "W214", message, "write words instead of the address")


def _shown_host(text: str, element: Element) -> str | None:
    """The host that the text of a link names, where the text is an address."""
    label = unescape(_TAGS.sub("", text[element.tag_end : element.content_end])).strip()
    found = _ADDRESS.match(label)
    return found[1].lower() if found else None


def _is_same_site(shown: str, host: str) -> bool:
    return shown == host or host.endswith(f".{shown}") or shown.endswith(f".{host}")


def _lint_words(source: TemplateSource, read: MjmlSource) -> Iterator[Fault]:
    """Placeholders and loops count in favour of a mail: nobody knows how many words they become."""
    body = read.markup.find("mj-body")
    if body is None:
        return
    text, at = "", body.tag_end
    for token in _tokens_in(read, body):
        text, at = f"{text}{read.text[at : token.start]} placeholder ", token.end
    text = _SILENT.sub(" ", text + read.text[at : body.content_end])
    words = len(_WORD.findall(unescape(_TAGS.sub(" ", text))))
    pictures = len(_pictures(read.markup))
    if pictures and words < FEW_WORDS and words < pictures * WORDS_A_PICTURE:
        yield _of_pictures(words, pictures, source.file, source.body.line)
    own_text: Part | None = source.text
    if own_text is not None and "{" not in own_text.text and len(_WORD.findall(own_text.text)) < FEW_WORDS // 2:
        message = "the plain text part has hardly a word"
        yield Fault(source.file, own_text.line, 1, "W219", message, "write what the mail says")


def _lint_law(source: TemplateSource, compiled: CompiledTemplate) -> Iterator[Fault]:
    if source.kind == "marketing" and not any(one.path == "workspace.postal_address" for one in compiled.variables):
        hint = "write {{ workspace.postal_address }} into its foot"
        yield Fault(source.file, source.body.line, 1, "W217", "the mail does not show the postal address", hint)


def _tokens_in(read: MjmlSource, element: Element) -> list[Token]:
    return tokens_between(read.tokens, element.tag_end, element.content_end)


def _clipped(size: int, file: str, line: int) -> Fault:
    message = f"the HTML has {size / 1024:.0f} KB, and Gmail cuts a mail off after 102 KB"
    return Fault(file, line, 1, "W211", message, "make the mail shorter")


def _of_pictures(words: int, pictures: int, file: str, line: int) -> Fault:
    counted = f"{pictures} picture{'' if pictures == 1 else 's'} and {words} word{'' if words == 1 else 's'}"
    return Fault(file, line, 1, "W212", f"the mail has {counted}", "write what they say as text")


def _at(source: TemplateSource, index: LineIndex, offset: int, code: str, message: str, hint: str) -> Fault:
    line, column, end = index.line(offset), index.column(offset), index.end_column(offset)
    return Fault(source.file, line, column, code, message, hint, end)
