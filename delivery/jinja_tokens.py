"""Where the Jinja tokens of a template stand, and how they are taken out of a text and put back.

A compiler of MJML may see none of them, so each is replaced by an opaque word that survives as text and as attribute
value. Nothing here knows what a token means.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from enum import StrEnum

_STRING = r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\""""
_OPENER = re.compile(r"\{(?=[{%#])")
# What a fault is about that begins somewhere: a placeholder, a tag, or a word up to the end of its line.
_SPAN = re.compile(r"""\{\{.*?\}\}|\{%.*?%\}|<?/?[^\s<>"'={}]+|.""")


# What is looked for behind an opener: its end, past any quoted text.
_ENDS = {
    "{{": re.compile(rf"{_STRING}|(?P<end>\}}\}})", re.DOTALL),
    "{%": re.compile(rf"{_STRING}|(?P<end>%\}})", re.DOTALL),
    "{#": re.compile(r"(?P<end>#\})"),
}


class TokenKind(StrEnum):
    OUTPUT = "output"
    BLOCK = "block"
    COMMENT = "comment"


_KINDS = {"{{": TokenKind.OUTPUT, "{%": TokenKind.BLOCK, "{#": TokenKind.COMMENT}


@dataclass(frozen=True, slots=True)
class Token:
    """One `{{ … }}`, `{% … %}` or `{# … #}`; `start` and `end` are offsets into the text."""

    kind: TokenKind
    start: int
    end: int
    source: str
    line: int

    @property
    def expression(self) -> str:
        """What stands inside the braces, without the signs of white-space control."""
        return self.source[2:-2].strip("-+").strip()


class LineIndex:
    """Offsets of a text as (line, column), both from 1; `first_line` is the number of its first line in the file."""

    def __init__(self, text: str, first_line: int) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self.first_line = first_line

    def line(self, offset: int) -> int:
        return bisect_right(self._starts, offset) - 1 + self.first_line

    def column(self, offset: int) -> int:
        return offset - self._starts[bisect_right(self._starts, offset) - 1] + 1

    def end_column(self, offset: int) -> int:
        """The column behind the placeholder, the tag or the word that begins at `offset`."""
        span = _SPAN.match(self._text, offset)
        return self.column(offset) + (len(span.group()) if span else 1)


def find_tokens(text: str, lines: LineIndex) -> list[Token]:
    """The tokens of `text` in order, up to the first that is opened and never closed (see `find_unclosed`)."""
    tokens: list[Token] = []
    opener = _OPENER.search(text)
    while opener is not None:
        start, sign = opener.start(), text[opener.start() : opener.start() + 2]
        end = next((found.end() for found in _ENDS[sign].finditer(text, start + 2) if found["end"]), None)
        if end is None:
            break
        tokens.append(Token(_KINDS[sign], start, end, text[start:end], lines.line(start)))
        opener = _OPENER.search(text, end)
    return tokens


def tokens_between(tokens: list[Token], start: int, end: int) -> list[Token]:
    """Those of `tokens`, which are in order, that begin in `[start, end)`."""
    first = bisect_left(tokens, start, key=lambda token: token.start)
    return tokens[first : bisect_left(tokens, end, lo=first, key=lambda token: token.start)]


def blank_out(text: str, tokens: list[Token]) -> str:
    """`text` of the same length and lines, in which each token is a run of the letter x."""
    parts, at = [], 0
    for token in tokens:
        parts += [text[at : token.start], re.sub(r"[^\n]", "x", token.source)]
        at = token.end
    return "".join([*parts, text[at:]])


def find_unclosed(text: str, tokens: list[Token]) -> int | None:
    """The offset of the first opener that nothing closes, or only the end of a later token."""
    for token in tokens:
        inside = token.source[2:]
        if token.kind is TokenKind.COMMENT:
            is_swallowing = "{#" in inside  # what is commented out may well be Jinja
        else:
            is_swallowing = _OPENER.search(re.sub(_STRING, "", inside)) is not None
        if is_swallowing:
            return token.start
    rest = _OPENER.search(text, tokens[-1].end if tokens else 0)
    return rest.start() if rest is not None else None


def escape_openers(text: str) -> str:
    """Literal text in which Jinja sees no token."""
    return _OPENER.sub("{{ '{' }}", text)


class Words:
    """The opaque words of one template: `word(3)` is told from every other text, and from `word(30)`."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self.pattern = re.compile(rf"j[xb]{seed}n(\d+)z")
        self.block_pattern = re.compile(rf"jb{seed}n\d+z")

    def word(self, number: int, kind: TokenKind = TokenKind.OUTPUT) -> str:
        return f"j{'b' if kind is TokenKind.BLOCK else 'x'}{self._seed}n{number}z"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word stands for: Jinja in HTML, Jinja in plain text, and where in the masked text it was written.

    A word that is not `is_required` may vanish in compiling without harm.
    """

    source: str
    text_source: str
    offset: int
    is_required: bool = True


class Vocabulary:
    """The words given out for one template, each with its meaning."""

    def __init__(self, words: Words, lines: LineIndex) -> None:
        self.words, self.lines = words, lines
        self.meanings: list[Meaning] = []

    def add(self, meaning: Meaning, kind: TokenKind = TokenKind.OUTPUT) -> str:
        """The new word for `meaning`."""
        self.meanings.append(meaning)
        return self.words.word(len(self.meanings) - 1, kind)

    def lost(self, text: str) -> list[Meaning]:
        """What was masked and is not in `text` any more."""
        present = {int(match.group(1)) for match in self.words.pattern.finditer(text)}
        return [meaning for at, meaning in enumerate(self.meanings) if meaning.is_required and at not in present]

    def restore(self, text: str, *, is_html: bool) -> Restored:
        """`text` with each word replaced by its Jinja.

        A newline is put behind each opening brace, where it changes no output: so every token has lines of its own
        and an error can be traced to the file, although compiling has moved everything.
        """
        parts: list[str] = []
        numbers = [self.lines.first_line]
        at = 0
        for match in self.words.pattern.finditer(text):
            meaning = self.meanings[int(match.group(1))]
            source = _on_own_lines(meaning.source if is_html else meaning.text_source)
            literal = escape_openers(text[at : match.start()])
            numbers += [numbers[-1]] * literal.count("\n")
            numbers += [self.lines.line(meaning.offset) + more for more in range(source.count("\n"))]
            parts += [literal, source]
            at = match.end()
        parts.append(escape_openers(text[at:]))
        numbers += [numbers[-1]] * parts[-1].count("\n")
        return Restored("".join(parts), tuple(numbers))


@dataclass(frozen=True, slots=True)
class Restored:
    """Jinja source, and for each of its lines the line of the file that it came from."""

    source: str
    lines: tuple[int, ...]

    def line_of(self, line: int) -> int:
        return self.lines[min(line, len(self.lines)) - 1]


def _on_own_lines(source: str) -> str:
    if not source:
        return source
    opener = 3 if source[2] in "-+" else 2
    return f"{source[:opener]}\n{source[opener:]}"
