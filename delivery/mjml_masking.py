"""MJML with Jinja in it, made into MJML that any compiler can read: tokens and links become opaque words.

Beside the words it mends what the compiler would spoil in silence: control characters in attribute values (it writes
them as a Rust literal) and the line end between two inline tags (it drops it, and two words run together).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from delivery.jinja_tokens import LineIndex, Meaning, Token, TokenKind, Vocabulary, blank_out, find_tokens
from delivery.link_rewriting import FoundLink, find_markup_links
from delivery.mjml_after import AfterRule, read_after_rules
from delivery.mjml_markup import MAX_FLAWS, Element, Flaw, Markup, end_of, read_markup
from delivery.mjml_tables import RAW_PARENTS
from delivery.mjml_validator import find_mjml_flaws

# Conditional comments (`<!--[if mso]>`) speak to Outlook and stay.
_COMMENT = re.compile(r"<!--(?!\[|<!\[).*?-->", re.DOTALL)
_BETWEEN_TAGS = re.compile(r"(?<=>)[ \t\r]*\n\s*(?=<)")

PREHEADER, TITLE = "{{ _preheader }}", "{{ _subject }}"


@dataclass(slots=True)
class MaskedMjml:
    """`text` for the compiler, what its words mean, the links found (by number of their word), the flaws that forbid
    to go on, and what is to be done to the HTML afterwards.
    """

    text: str
    vocabulary: Vocabulary
    links: dict[int, FoundLink] = field(default_factory=dict)
    flaws: list[Flaw] = field(default_factory=list)
    after_rules: list[AfterRule] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    replacement: str


@dataclass(frozen=True, slots=True)
class MjmlSource:
    """MJML with its comments blanked, where they were, and what stands in it."""

    text: str
    comments: list[tuple[int, int]]
    markup: Markup
    tokens: list[Token]


def read_mjml(text: str, lines: LineIndex) -> MjmlSource:
    """`text` read; its comments reach nobody, so Jinja in them counts for nothing."""
    unclosed = text.find("<!--", text.rfind("-->") + 1)
    if unclosed >= 0:
        flaw = Flaw(unclosed, "E170", "a comment is opened here and never closed", "close it with -->")
        return MjmlSource("", [], Markup(flaws=[flaw]), [])
    comments = [match.span() for match in _COMMENT.finditer(text)]
    text = _COMMENT.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)
    tokens = find_tokens(text, lines)
    return MjmlSource(text, comments, read_markup(blank_out(text, tokens)), tokens)


def mask_mjml(read: MjmlSource, vocabulary: Vocabulary, *, has_preheader: bool) -> MaskedMjml:
    """`read` ready for the compiler."""
    text, markup, tokens = read.text, read.markup, read.tokens
    masked = MaskedMjml(text, vocabulary, flaws=markup.flaws[:MAX_FLAWS])
    if not any(flaw.code == "E170" for flaw in masked.flaws):
        masked.flaws += find_mjml_flaws(
            text, tokens, markup
        )  # behind a tag that is not closed, everything is misplaced
    masked.after_rules, holders, flaws = read_after_rules(text, tokens, markup)
    masked.flaws += flaws
    edits = [_Edit(start, end, "") for start, end in read.comments]
    edits += (_Edit(element.start, end_of(text, element), "") for element in holders)
    edits += _mask_links(masked, markup, tokens)
    covered = sorted((edit.start, edit.end) for edit in edits)
    for token in tokens:
        if not _is_covered(covered, token.start):
            edits += _mask_token(masked, markup, token)
    covered = sorted((edit.start, edit.end) for edit in edits)
    edits += (edit for edit in _mend(text, markup) if not _is_covered(covered, edit.start))
    edits += _complete_head(masked, markup, has_preheader=has_preheader)
    masked.text = _apply(text, edits)
    return masked


def _mask_links(masked: MaskedMjml, markup: Markup, tokens: list[Token]) -> Iterator[_Edit]:
    for found in find_markup_links(masked.text, tokens, markup):
        if isinstance(found, Flaw):
            masked.flaws.append(found)
            continue
        masked.links[len(masked.vocabulary.meanings)] = found
        yield _Edit(found.start, found.end, masked.vocabulary.add(found.meaning))


def _mask_token(masked: MaskedMjml, markup: Markup, token: Token) -> Iterator[_Edit]:
    flaw = _misplaced(markup, token)
    if flaw is not None:
        masked.flaws.append(flaw)
    elif token.kind is TokenKind.COMMENT:
        yield _Edit(token.start, token.end, "")
    else:
        word = masked.vocabulary.add(Meaning(token.source, token.source, token.start), token.kind)
        element = markup.innermost(token.start)
        is_between = element is not None and not element.is_content and token.start >= element.tag_end
        yield _Edit(token.start, token.end, f"<mj-raw>{word}</mj-raw>" if is_between else word)


def _misplaced(markup: Markup, token: Token) -> Flaw | None:
    element = markup.innermost(token.start)
    if token.kind is TokenKind.COMMENT:
        return None
    if element is None:
        return Flaw(token.start, "E173", "a placeholder stands outside <mjml>", "move it into <mj-body>")
    if any(ancestor.name == "mj-style" for ancestor in element.ancestors()):
        hint = 'put it into an attribute or a style="…" of the element'
        return Flaw(token.start, "E173", "a placeholder cannot stand inside <mj-style>", hint)
    if token.start < element.tag_end:
        return None if _attribute_at(element, token.start) else Flaw(
            token.start, "E173", f"a placeholder cannot stand between the attributes of <{element.name}>",
            "put it inside the quotes of a value",
        )  # fmt: skip
    if not element.is_content and element.name not in RAW_PARENTS:
        hint = "put it around the whole element, or inside the text of one"
        return Flaw(token.start, "E173", f"a placeholder cannot stand directly inside <{element.name}>", hint)
    return None


def _attribute_at(element: Element, offset: int) -> bool:
    return any(value.value_start <= offset < value.value_end for value in element.attributes.values())


def _mend(text: str, markup: Markup) -> Iterator[_Edit]:
    for element in markup.elements:
        for attribute in element.attributes.values():
            if attribute.name == "data-link-tag" or (attribute.name == "tag" and "href" in element.attributes):
                yield _Edit(attribute.start, attribute.end, "")
                continue
            for at in range(attribute.value_start, attribute.value_end):
                character = text[at]
                if character in "\r\n\t":
                    yield _Edit(at, at + 1, " ")
                elif character in '"\\' or not character.isprintable():
                    yield _Edit(at, at + 1, f"&#{ord(character)};")
    for match in _BETWEEN_TAGS.finditer(text):
        element_around = markup.innermost(match.start())
        if element_around is not None and element_around.is_content:
            yield _Edit(match.start(), match.end(), " ")


def _complete_head(masked: MaskedMjml, markup: Markup, *, has_preheader: bool) -> Iterator[_Edit]:
    """Puts the preheader and, where the author gave none, the title into the head."""
    added, preview, head = "", markup.find("mj-preview"), markup.find("mj-head")
    if has_preheader and preview is not None:
        hint = "keep the one in the front matter"
        masked.flaws.append(Flaw(preview.start, "E173", "the preheader is written twice", hint))
    if has_preheader:
        added += f"<mj-preview>{masked.vocabulary.add(Meaning(PREHEADER, '', 0, is_required=False))}</mj-preview>"
    if markup.find("mj-title") is None:
        added += f"<mj-title>{masked.vocabulary.add(Meaning(TITLE, '', 0, is_required=False))}</mj-title>"
    if head is not None and masked.text[head.tag_end - 2] != "/":
        yield _Edit(head.tag_end, head.tag_end, added)
    elif head is not None:
        yield _Edit(head.start, head.tag_end, f"<mj-head>{added}</mj-head>")
    elif markup.elements:
        yield _Edit(markup.elements[0].tag_end, markup.elements[0].tag_end, f"<mj-head>{added}</mj-head>")


def _is_covered(spans: list[tuple[int, int]], offset: int) -> bool:
    before = bisect_right(spans, offset, key=lambda span: span[0])
    return before > 0 and spans[before - 1][1] > offset


def _apply(text: str, edits: list[_Edit]) -> str:
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        parts += [text[at : edit.start], edit.replacement]
        at = edit.end
    return "".join([*parts, text[at:]])
