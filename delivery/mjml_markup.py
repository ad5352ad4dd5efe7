"""Reads MJML as its author wrote it: elements with their places, and everything that is not well-formed.

The compiler of MJML accepts nearly anything in silence, so this is where a person learns that a tag is never closed,
misspelt, or that a placeholder stands where it would be lost. It changes nothing and knows no Jinja: tokens have been
blanked out before.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.suggest import did_you_mean
from delivery.mjml_tables import CONTAINERS, DEFAULTS_PARENTS, KNOWN

_TAG = re.compile(
    r"<!--.*?-->|<\?[^<>]*\?>|<!doctype[^<>]*>"
    r"|<(?P<slash>/?)(?P<name>[A-Za-z][\w:.-]*)(?P<attributes>(?:\"[^\"<]*\"|'[^'<]*'|[^'\"<>])*)>",
    re.DOTALL | re.IGNORECASE,
)
_BLANK = re.compile(r"\s*")
MAX_DEPTH = 100  # the compiler of MJML calls itself for each level
MAX_FLAWS = 100
_BROKEN = re.compile(r"<(?=[A-Za-z/!?])")
_ATTRIBUTE = re.compile(r"\s*(?P<name>[^\s=<>\"'/]+)(?:\s*=\s*(?P<value>\"[^\"]*\"|'[^']*'))?(?=[\s/]|\Z)", re.DOTALL)

VOID = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})


@dataclass(frozen=True, slots=True)
class Attribute:
    """`start` and `end` enclose the attribute; `value_start` and `value_end` its value without quotes."""

    name: str
    start: int
    end: int
    value_start: int
    value_end: int


@dataclass(slots=True)
class Element:
    """One element: `[start, tag_end)` is its opening tag, `[tag_end, content_end)` what stands between the tags."""

    name: str
    parent: Element | None
    start: int
    tag_end: int
    content_end: int
    attributes: dict[str, Attribute] = field(default_factory=dict)

    @property
    def is_content(self) -> bool:
        return self.name not in CONTAINERS

    def ancestors(self) -> Iterator[Element]:
        element: Element | None = self
        while element is not None:
            yield element
            element = element.parent


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong at `offset`."""

    offset: int
    code: str
    message: str
    hint: str = ""


@dataclass(slots=True)
class Markup:
    """What was read, in document order."""

    elements: list[Element] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)

    def innermost(self, offset: int) -> Element | None:
        """The innermost element whose tag or content holds `offset`."""
        before = bisect_right(self.elements, offset, key=lambda element: element.start)
        found = self.elements[before - 1] if before else None
        while found is not None and offset >= found.content_end:
            found = found.parent
        return found

    def find(self, name: str) -> Element | None:
        return next((element for element in self.elements if element.name == name), None)


def read_markup(text: str) -> Markup:
    """The elements of `text` in document order, with every flaw; after a flaw of nesting the rest is still read.

    Gives up after `MAX_FLAWS`, or deeper than `MAX_DEPTH`.
    """
    markup, open_elements, at = Markup(), list[Element](), 0
    for match in _TAG.finditer(text):
        _look_for_broken(markup, text, at, match.start())
        at = match.end()
        if match["name"] is None:
            continue
        if match["slash"]:
            _close(markup, open_elements, match)
        else:
            _open(markup, open_elements, match)
        if len(open_elements) > MAX_DEPTH:
            message = f"tags are nested more than {MAX_DEPTH} levels deep"
            markup.flaws.append(Flaw(match.start(), "E170", message, "make it flatter"))
        if len(open_elements) > MAX_DEPTH or len(markup.flaws) >= MAX_FLAWS:
            return markup
    _look_for_broken(markup, text, at, len(text))
    for element in open_elements:
        element.content_end = len(text)
        markup.flaws.append(Flaw(element.start, "E170", f"<{element.name}> is never closed", f"add </{element.name}>"))
    _check_root(markup)
    return markup


def _look_for_broken(markup: Markup, text: str, start: int, end: int) -> None:
    for match in _BROKEN.finditer(text, start, end):
        message = "a tag begins here and does not end as a tag"
        markup.flaws.append(Flaw(match.start(), "E170", message, "look for a missing '>' or quote, or write &lt;"))


def _open(markup: Markup, open_elements: list[Element], match: re.Match[str]) -> None:
    parent = open_elements[-1] if open_elements else None
    element = Element(match["name"], parent, match.start(), match.end(), match.end())
    markup.elements.append(element)
    _read_attributes(markup, element, match)
    is_inside_defaults = parent is not None and parent.name in DEFAULTS_PARENTS
    if element.name.startswith("mj") and element.name not in KNOWN and not is_inside_defaults:
        message = f"unknown tag <{element.name}>"
        hint = did_you_mean(element.name, KNOWN) or "write the part with tags that MJML has"
        markup.flaws.append(Flaw(element.start + 1, "E171", message, hint))
    elif element.name == "mj-include":
        hint = 'write <mj-include path="partials/NAME.mjml" />'
        markup.flaws.append(Flaw(element.start + 1, "E178", "<mj-include> names no partial", hint))
    if not match["attributes"].endswith("/") and element.name not in VOID:
        open_elements.append(element)


def _read_attributes(markup: Markup, element: Element, match: re.Match[str]) -> None:
    at, end = match.start("attributes"), match.end("attributes")
    text = match.string
    if text[end - 1 : end] == "/" and end > at:
        end -= 1
    while (at := _end_of_blank(text, at, end)) < end:
        found = _ATTRIBUTE.match(text, at, end)
        if found is None:
            message = f'an attribute of <{element.name}> is not written as name="value"'
            markup.flaws.append(Flaw(at, "E170", message, "put its value in quotes"))
            return
        name = found["name"]
        if found["value"] is None and element.name.startswith("mj"):
            message = f"the attribute '{name}' of <{element.name}> has no value"
            hint = 'write name="value"; a Jinja tag stands inside the quotes'
            markup.flaws.append(Flaw(found.start("name"), "E170", message, hint))
        elif name in element.attributes:
            message = f"the attribute '{name}' is written twice"
            markup.flaws.append(Flaw(found.start("name"), "E170", message, "remove one of them"))
        elif found["value"] is not None:
            element.attributes[name] = Attribute(
                name, found.start("name"), found.end(), found.start("value") + 1, found.end("value") - 1
            )
        at = found.end()


def _end_of_blank(text: str, start: int, end: int) -> int:
    blank = _BLANK.match(text, start, end)
    return blank.end() if blank is not None else start


def _close(markup: Markup, open_elements: list[Element], match: re.Match[str]) -> None:
    name = match["name"]
    if not any(element.name == name for element in open_elements):
        markup.flaws.append(Flaw(match.start(), "E170", f"</{name}> closes nothing", "remove it, or open the tag"))
        return
    while open_elements:
        element = open_elements.pop()
        element.content_end = match.start()
        if element.name == name:
            return
        message = f"<{element.name}> is not closed before </{name}>"
        markup.flaws.append(Flaw(element.start, "E170", message, f"add </{element.name}>"))


def _check_root(markup: Markup) -> None:
    root = markup.elements[0] if markup.elements else None
    if root is None or root.name != "mjml":
        hint = "begin with <mjml><mj-body>"
        markup.flaws.append(Flaw(root.start if root else 0, "E170", "the template is not one <mjml> element", hint))
    elif markup.find("mj-body") is None:
        markup.flaws.append(Flaw(root.start, "E170", "the template has no <mj-body>", "put the sections into one"))


def end_of(text: str, element: Element) -> int:
    """The offset behind `element`, its closing tag included."""
    is_closed_by_a_tag = text.startswith(f"</{element.name}", element.content_end)
    if text[element.tag_end - 2] == "/" or not is_closed_by_a_tag:
        return element.content_end
    return text.find(">", element.content_end) + 1 or len(text)
