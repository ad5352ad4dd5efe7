"""Holds a template against the tables of MJML: tags in the wrong place, unknown attributes, impossible values.

The compiler renders all of that in silence, as nothing or as something else. Where a value has a placeholder in it,
only its reader knows what it will be, so only its name is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from core.suggest import did_you_mean
from delivery.jinja_tokens import Token, tokens_between
from delivery.mjml_markup import MAX_FLAWS, Attribute, Element, Flaw, Markup, end_of
from delivery.mjml_tables import (
    COLOURS,
    COMMON,
    CONTAINERS,
    DEFAULTS_PARENTS,
    EVERY_ATTRIBUTE,
    TAGS,
    Kind,
    Tag,
)

# Words of HTML and CSS that MJML says otherwise.
_MEANT = {"class": "css-class", "link": "href", "url": "href", "size": "font-size", "bgcolor": "background-color"}
# Attributes of ours, which name a link in reports and never reach the mail.
_OURS = ("data-link-tag", "tag")
_EXAMPLE_OF_A_CLASS = '<mj-class name="serif" font-family="Georgia" />'
_COLOUR = re.compile(
    r"#(?:[0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})\Z|(?:rgb|hsl)a?\([\d\s.,%/-]+\)\Z", re.IGNORECASE
)
_MEASURE = re.compile(r"(?P<sign>-?)(?P<number>\d+(?:\.\d+)?|\.\d+)(?P<unit>[a-z%]*)\Z", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]{3}(?:[0-9a-f]{3})?\Z", re.IGNORECASE)


def find_mjml_flaws(text: str, tokens: list[Token], markup: Markup) -> list[Flaw]:
    """What MJML would pass over in `text`, which has these `tokens` and this `markup`, in the order of the text."""
    classes = _names_of_classes(text, markup)
    found = (flaw for element in markup.elements for flaw in _judge(text, tokens, element, classes))
    flaws = [*islice(found, MAX_FLAWS), *islice(_lost_texts(text, tokens, markup), MAX_FLAWS)]
    return sorted(flaws, key=lambda flaw: flaw.offset)[:MAX_FLAWS]


def _judge(text: str, tokens: list[Token], element: Element, classes: frozenset[str]) -> Iterator[Flaw]:
    parent = element.parent
    if parent is not None and parent.name == "mj-class":
        hint = f"the attributes themselves stand on <mj-class>, for every tag: {_EXAMPLE_OF_A_CLASS}"
        yield Flaw(element.start + 1, "E175", f"<{element.name}> cannot stand inside <mj-class>", hint)
        return
    if parent is not None and parent.name in DEFAULTS_PARENTS and element.name not in ("mj-all", "mj-class"):
        yield from _judge_attributes(text, tokens, element, _defaults_for(element))
        return
    tag = TAGS.get(element.name)
    if tag is None:
        if not element.name.startswith("mj") and parent is not None and parent.name in CONTAINERS:
            message = f"<{element.name}> stands directly inside <{parent.name}>, where MJML leaves it out"
            hint = "put it into <mj-raw> or <mj-text>"
            yield Flaw(element.start + 1, "E175", message, hint)
        return
    yield from _judge_place(element, tag)
    named = EVERY_ATTRIBUTE if element.name in ("mj-all", "mj-class") else {}
    common = {} if element.name.startswith(("mjml", "mj-head")) else COMMON
    yield from _judge_attributes(text, tokens, element, {**named, **tag.attributes, **common})
    for name in tag.required:
        if name not in element.attributes:
            yield Flaw(element.start + 1, "E176", f"<{element.name}> needs the attribute '{name}'", f'add {name}="…"')
    yield from _unknown_classes(text, tokens, element, classes)


def _judge_place(element: Element, tag: Tag) -> Iterator[Flaw]:
    parent = element.parent
    if parent is None or parent.name in tag.parents or (parent.name.startswith("mj") and parent.name not in TAGS):
        return  # a root, or inside a tag whose name is wrong already
    message = f"<{element.name}> cannot stand inside <{parent.name}>"
    if not tag.parents:
        yield Flaw(element.start + 1, "E175", message, "it is the outermost tag")
        return
    *others, last = (f"<{name}>" for name in tag.parents[:4])
    yield Flaw(element.start + 1, "E175", message, f"put it into {', '.join(others)}{' or ' if others else ''}{last}")


def _defaults_for(element: Element) -> Mapping[str, Kind]:
    tag = TAGS.get(element.name)
    return {**tag.attributes, **COMMON} if tag is not None else EVERY_ATTRIBUTE


def _judge_attributes(text: str, tokens: list[Token], element: Element, known: Mapping[str, Kind]) -> Iterator[Flaw]:
    for name, attribute in element.attributes.items():
        kind = known.get(name)
        if kind is None:
            if name not in _OURS:
                message = f"<{element.name}> has no attribute '{name}'"
                yield Flaw(attribute.start, "E176", message, _way_out(name, known))
        elif not tokens_between(tokens, attribute.value_start, attribute.value_end):
            yield from _judge_value(text, element, attribute, kind)


def _way_out(name: str, known: Mapping[str, Kind]) -> str:
    if name == "style":
        return "write style=… on a tag of HTML inside it"
    if name == "base-url":
        return "write each address out, so that its link can be followed"
    meant = _MEANT.get(name)
    near = f"did you mean '{meant}'?" if meant in known else did_you_mean(name, known)
    return near or "leave it out, or put what CSS can do into a class named by css-class"


def _judge_value(text: str, element: Element, attribute: Attribute, kind: Kind) -> Iterator[Flaw]:
    value = text[attribute.value_start : attribute.value_end].strip()
    if kind.is_free or (not value and not kind.units) or _fits(value, kind):
        return
    message = f"'{value[:40]}' is no value for '{attribute.name}' of <{element.name}>"
    yield Flaw(attribute.value_start, "E177", message, _correction(value, kind))


def _fits(value: str, kind: Kind) -> bool:
    if value in kind.words:
        return True
    if kind.is_colour:
        return bool(_COLOUR.match(value)) or value.lower() in COLOURS
    parts = value.split()
    return bool(kind.units) and 0 < len(parts) <= kind.at_most and all(_is_measure(part, kind) for part in parts)


def _is_measure(part: str, kind: Kind) -> bool:
    found = _MEASURE.match(part)
    if found is None or (found["sign"] and not kind.may_be_negative):
        return False
    return found["unit"].lower() in kind.units or (not found["unit"] and float(found["number"]) == 0)


def _correction(value: str, kind: Kind) -> str:
    if kind.is_colour:
        near = f"#{value}" if _HEX.match(value) else ""
        return f"write {near}" if near else did_you_mean(value, COLOURS) or f"write {kind.told}"
    if kind.words and not kind.units:
        return did_you_mean(value, kind.words) or f"write {kind.told}"
    if kind.units and len(value.split()) == 1 and re.fullmatch(r"\d+(\.\d+)?", value):
        return f"write {value}{kind.units[0]}"
    return f"write {kind.told}"


def _names_of_classes(text: str, markup: Markup) -> frozenset[str]:
    names = (element.attributes.get("name") for element in markup.elements if element.name == "mj-class")
    return frozenset(text[name.value_start : name.value_end].strip() for name in names if name is not None)


def _unknown_classes(text: str, tokens: list[Token], element: Element, classes: frozenset[str]) -> Iterator[Flaw]:
    used = element.attributes.get("mj-class")
    if used is None or tokens_between(tokens, used.value_start, used.value_end):
        return
    for match in re.finditer(r"\S+", text[used.value_start : used.value_end]):
        if match.group() not in classes:
            hint = did_you_mean(match.group(), classes) or "define it by <mj-class> in <mj-attributes>"
            yield Flaw(used.value_start + match.start(), "E176", f"unknown mj-class '{match.group()[:40]}'", hint)


def _lost_texts(text: str, tokens: list[Token], markup: Markup) -> Iterator[Flaw]:
    """Text between the children of a tag that holds only tags."""
    children: dict[int, list[Element]] = {}
    for element in markup.elements:
        if element.parent is not None and element.parent.name in CONTAINERS:
            children.setdefault(id(element.parent), []).append(element)
    for element in markup.elements:
        if element.name not in CONTAINERS:
            continue
        at = element.tag_end
        for child in children.get(id(element), []):
            yield from _text_in(text, tokens, element, at, child.start)
            at = end_of(text, child)
        yield from _text_in(text, tokens, element, at, element.content_end)


def _text_in(text: str, tokens: list[Token], element: Element, start: int, end: int) -> Iterator[Flaw]:
    inside, at = tokens_between(tokens, start, end), start
    for gap_end, next_start in [*((token.start, token.end) for token in inside), (end, end)]:
        found = re.compile(r"\S[^\n]*").search(text, at, gap_end)
        if found is not None:
            message = f"text stands directly inside <{element.name}>, where MJML leaves it out"
            yield Flaw(found.start(), "E175", f"{message}: '{found.group().strip()[:40]}'", "put it into <mj-text>")
            return
        at = next_start
