"""Finds the links of a template once, when it is compiled, and numbers them in the order of its text.

A link is what a recipient can press and what we count: an http(s) address or a Jinja expression. The links that we
make ourselves (`links.unsubscribe` …), `mailto:`, `tel:` and `#` stay as they are. Nothing here makes a token or knows
a recipient: the caller of a rendering writes the address that stands in the message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from html import unescape
from typing import Any

from markupsafe import Markup, escape

from delivery.jinja_filters import UnfitValueError
from delivery.jinja_tokens import Meaning, Token, TokenKind, tokens_between
from delivery.mjml_markup import Element, Flaw
from delivery.mjml_markup import Markup as ReadMarkup

WriteLink = Callable[[int, str | None], str]

_MAX_URL = 2_048
# No user information, no back-slash, no control character; a scheme-relative `//host` has no scheme and fails too.
_URL = re.compile(r"https?://(?P<host>[\w.:\[\]-]+)(?:[/?#][^\x00-\x20\x7f\s\\]*)?\Z", re.IGNORECASE)
_PORT = re.compile(r"\[[0-9a-fA-F:.]+\](?::\d{1,5})?\Z|[^:\[\]]+(?::\d{1,5})?\Z")
_KEPT = re.compile(r"(?:mailto:|tel:|sms:|#|\{\{[-+]?\s*links\.)", re.IGNORECASE)
_URL_IN_TEXT = re.compile(r"https?://[^\s<>\"'()\[\]]*[^\s<>\"'()\[\].,;:!?]", re.IGNORECASE)
_LINK_FILTER = re.compile(r"\|\s*link\s*\Z")
_TAG_ATTRIBUTES = ("data-link-tag", "tag")

LINK_WRITER = "_links"


class InvalidUrlError(UnfitValueError):
    """An address that no message may lead to."""


@dataclass(frozen=True, slots=True)
class TemplateLink:
    """One link of a template version. `url` is None where each recipient has another; `label` is what stands on it."""

    number: int
    url: str | None
    label: str
    tag: str | None


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A link and its place: `[start, end)` of the text, where `written` stands. `expression` is set where the whole
    address is one Jinja expression.
    """

    link: TemplateLink
    start: int
    end: int
    written: str
    expression: str | None

    @property
    def meaning(self) -> Meaning:
        """The Jinja that writes this link's address."""
        return Meaning(self._source(self.written), self._source(unescape(self.written)), self.start)

    def _source(self, written: str) -> str:
        number = self.link.number
        if self.link.url is not None:
            return f"{{{{ {static_name(number)} }}}}"
        if self.expression is not None:
            return f"{{{{ ({self.expression}) | _link({number}, {LINK_WRITER}) }}}}"
        return f"{{% filter _link_block({number}, {LINK_WRITER}) %}}{written}{{% endfilter %}}"

    def behind(self, prefix: str) -> FoundLink:
        """This link where MJML has put `prefix` before its address, as for a button that shares a page."""
        if self.link.url is not None:
            return replace(self, link=replace(self.link, url=check_url(unescape(prefix) + self.link.url)))
        return replace(self, written=prefix + self.written, expression=None)


def check_url(url: object) -> str:
    """`url` where a message may lead to it: absolute http or https without user information, back-slash, control
    characters or line ends. Spaces are percent-encoded. Raises `InvalidUrlError`.
    """
    if not isinstance(url, str) or not url.strip(" "):
        raise InvalidUrlError("the address of a link is empty")
    cleaned = url.strip(" ").replace(" ", "%20")
    if len(cleaned) > _MAX_URL:
        raise InvalidUrlError(f"the address of a link is longer than {_MAX_URL:,} characters")
    found = _URL.match(cleaned)
    if found is None or not _PORT.match(found["host"]):
        raise InvalidUrlError("the address of a link is not an absolute http or https address")
    return cleaned


class LinkWriter:
    """Writes the addresses of one message through the caller's function; what HTML and text share, once."""

    __slots__ = ("_checked", "_write", "_written")

    def __init__(self, write_link: WriteLink) -> None:
        self._write = write_link
        self._checked: dict[str, str] = {}
        self._written: dict[tuple[int, str], str] = {}

    def __call__(self, number: int, url: object) -> str:
        if not isinstance(url, str):
            return self._write(number, check_url(url))
        written = self._written.get((number, url))
        if written is None:
            checked = self._checked.get(url)
            if checked is None:
                checked = self._checked[url] = check_url(url)
            written = self._written[number, url] = self._write(number, checked)
        return written


def write_expression(url: Any, number: int, writer: LinkWriter) -> str:
    """Filter of the generated code: the address for a link that is one expression."""
    if not isinstance(url, str):
        url = url if url is None else str(url)  # a missing value says so itself
    return writer(number, url)


def write_block(rendered: str, number: int, writer: LinkWriter) -> str:
    """Filter of the generated code: the address for a link that is text and tokens mixed."""
    if isinstance(rendered, Markup):
        return escape(writer(number, unescape(str(rendered)).strip()))
    return writer(number, rendered.strip())


LINK_FILTERS: dict[str, Callable[..., Any]] = {"_link": write_expression, "_link_block": write_block}


def static_name(number: int) -> str:
    """The variable that holds the written address of link `number`."""
    return f"_link_{number}"


def find_markup_links(text: str, tokens: list[Token], markup: ReadMarkup) -> Iterator[FoundLink | Flaw]:
    """The links of MJML `text` in order, and what is wrong with others. `tokens` are those of `text`."""
    number = 0
    for element in markup.elements:
        attribute = element.attributes.get("href")
        if attribute is None or element.name in ("mj-font", "link"):
            continue
        href = text[attribute.value_start : attribute.value_end]
        if not href.strip() or _KEPT.match(href.strip()):
            continue
        inside = tokens_between(tokens, attribute.value_start, attribute.value_end)
        label, tag = _label(text, element), _tag(text, element)
        try:
            url = None if inside else check_url(" ".join(unescape(href).split()))
        except InvalidUrlError as error:
            hint = "write https:// in front" if "." in href and ":" not in href else "begin it with https://"
            yield Flaw(attribute.value_start, "E174", f"{error}: '{href.strip()[:60]}'", hint)
            continue
        number += 1
        link = TemplateLink(number, url, label, tag)
        yield _found(link, attribute.value_start, attribute.value_end, href, inside)


def find_text_links(text: str, blanked: str, tokens: list[Token], known: list[TemplateLink]) -> list[FoundLink]:
    """The links of a plain text: bare http(s) addresses, and expressions that end in `| link`.

    An address that is already among the `known` links keeps its number; the others are numbered after them.
    """
    places = [match.span() for match in _URL_IN_TEXT.finditer(blanked)]
    in_addresses = {token.start for start, end in places for token in tokens_between(tokens, start, end)}
    places += [
        (token.start, token.end)
        for token in tokens
        if token.kind is TokenKind.OUTPUT and _LINK_FILTER.search(token.expression) and token.start not in in_addresses
    ]
    by_url = {link.url: link for link in known if link.url is not None}
    number, found = len(known), []
    for start, end in sorted(places):
        inside = tokens_between(tokens, start, end)
        written = text[start:end]
        link = None if inside else by_url.get(check_url(written))
        if link is None:
            number += 1
            link = TemplateLink(number, None if inside else check_url(written), written[:200], None)
            by_url.setdefault(link.url or "", link)
        found.append(_found(link, start, end, written, inside))
    return found


def _found(link: TemplateLink, start: int, end: int, written: str, inside: list[Token]) -> FoundLink:
    is_expression = len(inside) == 1 and inside[0].kind is TokenKind.OUTPUT and written.strip() == inside[0].source
    expression = _LINK_FILTER.sub("", inside[0].expression) if is_expression else None
    return FoundLink(link, start, end, written.strip(), expression)


def _label(text: str, element: Element) -> str:
    content = re.sub(r"<[^<>]*\balt=[\"']([^\"']*)[\"'][^<>]*>", r"\1", text[element.tag_end : element.content_end])
    alternative = element.attributes.get("alt")
    if alternative is not None and not content.strip():
        content = text[alternative.value_start : alternative.value_end]
    return " ".join(unescape(re.sub(r"<[^<>]*>", " ", content)).split())[:200]


def _tag(text: str, element: Element) -> str | None:
    for name in _TAG_ATTRIBUTES:
        attribute = element.attributes.get(name)
        if attribute is not None:
            return text[attribute.value_start : attribute.value_end].strip() or None
    return None
