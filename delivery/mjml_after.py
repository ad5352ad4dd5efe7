"""What MJML promises and its compiler leaves undone: `mj-style inline` and `mj-html-attributes`, applied to its HTML.

Left alone, the compiler puts inline styles into the head, where some mail programs pass over them: what was to be
hidden would be seen. Selectors are those of tags, classes and ids, and of one inside another; any other is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape, unescape

from delivery.jinja_tokens import Token, tokens_between
from delivery.mjml_markup import Element, Flaw, Markup, read_markup

_RULE = re.compile(r"(?P<selectors>[^{}]+)\{(?P<declarations>[^{}]*)\}")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_COMPOUND = re.compile(r"(?P<tag>\*|[A-Za-z][\w-]*)?(?P<rest>(?:[.#][A-Za-z_][\w-]*)*)\Z")
_PART = re.compile(r"([.#])([\w-]+)")


@dataclass(frozen=True, slots=True)
class _Compound:
    """`td.price#total`: what one element must be."""

    tag: str
    classes: frozenset[str]
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class AfterRule:
    """What the elements that `selector` finds get: `declarations` of CSS, or the attribute `name` with `value`."""

    selector: tuple[_Compound, ...]
    declarations: str = ""
    name: str = ""
    value: str = ""

    @property
    def weight(self) -> tuple[int, int, int]:
        """Specificity: of two rules that disagree, the heavier holds."""
        ids = sum(len(one.ids) for one in self.selector)
        classes = sum(len(one.classes) for one in self.selector)
        return ids, classes, sum(one.tag not in ("", "*") for one in self.selector)


def read_after_rules(
    text: str, tokens: list[Token], markup: Markup
) -> tuple[list[AfterRule], list[Element], list[Flaw]]:
    """The rules of MJML `text`, the elements that hold them and that the compiler must not see, and what is wrong."""
    rules: list[AfterRule] = []
    holders, flaws = [], []
    for element in markup.elements:
        if element.name == "mj-style" and "inline" in element.attributes:
            holders.append(element)
            found = _styles(text, element)
        elif element.name == "mj-html-attributes":
            holders.append(element)
            continue
        elif element.name == "mj-html-attribute":
            found = _attributes(text, tokens, element)
        else:
            continue
        for one in found:
            if isinstance(one, Flaw):
                flaws.append(one)
            else:
                rules.append(one)
    return sorted(rules, key=lambda rule: rule.weight), holders, flaws


def _styles(text: str, element: Element) -> Iterator[AfterRule | Flaw]:
    css = _COMMENT.sub(lambda comment: " " * len(comment.group()), text[element.tag_end : element.content_end])
    if "@" in css:
        hint = "put it into an <mj-style> of its own, without inline"
        yield Flaw(element.tag_end + css.index("@"), "E177", "a rule with @ cannot be written into tags", hint)
        return
    for rule in _RULE.finditer(css):
        declarations = "; ".join(filter(None, (" ".join(one.split()) for one in rule["declarations"].split(";"))))
        for selector in rule["selectors"].split(","):
            compounds = _read_selector(selector)
            if compounds is None:
                at = element.tag_end + rule.start() + len(rule["selectors"]) - len(rule["selectors"].lstrip())
                yield _unreadable(selector, at)
            elif declarations:
                yield AfterRule(compounds, f"{declarations};")


def _attributes(text: str, tokens: list[Token], element: Element) -> Iterator[AfterRule | Flaw]:
    path = element.parent.attributes.get("path") if element.parent is not None else None
    name = element.attributes.get("name")
    if path is None or name is None:
        return  # told by the validator
    for selector in text[path.value_start : path.value_end].split(","):
        compounds = _read_selector(selector)
        if compounds is None:
            yield _unreadable(selector, path.value_start)
        elif tokens_between(tokens, element.start, element.content_end):
            hint = "write the value out, or write the tag itself in <mj-raw>"
            yield Flaw(element.start, "E173", "a placeholder cannot stand inside <mj-html-attribute>", hint)
        else:
            value = unescape(text[element.tag_end : element.content_end]).strip()
            yield AfterRule(compounds, name=text[name.value_start : name.value_end].strip(), value=value)


def _unreadable(selector: str, offset: int) -> Flaw:
    message = f"the selector '{selector.strip()[:40]}' cannot be looked for in a mail"
    return Flaw(offset, "E177", message, "name tags, .classes and #ids, and one inside another by a space")


def _read_selector(selector: str) -> tuple[_Compound, ...] | None:
    compounds = []
    for word in selector.split():
        found = _COMPOUND.match(word)
        if found is None or not word:
            return None
        parts = _PART.findall(found["rest"])
        compounds.append(
            _Compound(
                (found["tag"] or "").lower(),
                frozenset(name for sign, name in parts if sign == "."),
                frozenset(name for sign, name in parts if sign == "#"),
            )
        )
    return tuple(compounds) or None


def apply_after_rules(html: str, rules: Iterable[AfterRule]) -> str:
    """`html` with every rule written into the tags that it finds; what a tag says itself outweighs them."""
    rules = list(rules)
    if not rules:
        return html
    inserts: list[tuple[int, str]] = []
    for element in read_markup(html).elements:
        found = [rule for rule in rules if _finds(rule.selector, element, html)]
        if found:
            inserts += _inserts(element, found)
    parts, at = [], 0
    for place, text in sorted(inserts):
        parts += [html[at:place], text]
        at = place
    return "".join([*parts, html[at:]])


def _inserts(element: Element, rules: list[AfterRule]) -> Iterator[tuple[int, str]]:
    behind_name = element.start + 1 + len(element.name)
    styles = escape(" ".join(rule.declarations for rule in rules if rule.declarations))
    own = element.attributes.get("style")
    if styles and own is not None:
        yield own.value_start, f"{styles} "
    elif styles:
        yield behind_name, f' style="{styles}"'
    values = {rule.name: rule.value for rule in rules if rule.name}
    for name, value in values.items():
        if name not in element.attributes:
            yield behind_name, f' {name}="{escape(value)}"'


def _finds(selector: tuple[_Compound, ...], element: Element, html: str) -> bool:
    if not _is(element, selector[-1], html):
        return False
    wanted = list(selector[:-1])
    ancestor = element.parent
    while wanted and ancestor is not None:
        if _is(ancestor, wanted[-1], html):
            wanted.pop()
        ancestor = ancestor.parent
    return not wanted


def _is(element: Element, compound: _Compound, html: str) -> bool:
    if compound.tag not in ("", "*", element.name.lower()):
        return False
    return compound.classes <= _words(element, "class", html) and compound.ids <= _words(element, "id", html)


def _words(element: Element, name: str, html: str) -> frozenset[str]:
    attribute = element.attributes.get(name)
    return frozenset(html[attribute.value_start : attribute.value_end].split()) if attribute else frozenset()
