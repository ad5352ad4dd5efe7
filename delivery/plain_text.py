"""The plain text part of a mail, made from its compiled HTML before anybody's values stand in it.

Works on HTML in which Jinja tokens are opaque words, so that it costs once a template version. Blocks become
paragraphs, list items get a dash, a link is followed by its address in angle brackets (RFC 3986, appendix C); images
say something only inside a link.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from delivery.mjml_markup import VOID

_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "table", "div"})
_LINES = frozenset({"tr", "li", "dt", "dd"})
_SILENT = frozenset({"style", "script", "title", "noscript"})
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


def write_plain_text(html: str, block_word: re.Pattern[str]) -> str:
    """The text of `html`. `block_word` matches (without groups) the opaque words of Jinja blocks (`{% for %}` …): where
    one stands between two paragraphs it is glued to the second, so that a loop that never runs leaves no empty line.
    """
    writer = _TextWriter(block_word)
    writer.feed(html[max(0, html.find("<body")) :])
    writer.close()
    return writer.text()


class _TextWriter(HTMLParser):
    def __init__(self, block_word: re.Pattern[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._block_word = re.compile(f"({block_word.pattern})")
        self._parts: list[str] = []
        self._breaks = 2  # line ends that stand at the end of what is written
        self._wanted = 0  # line ends that must stand before the next text
        self._gap = ""  # white space owed to the next text of this line
        self._hidden: list[str] = []  # open elements from the hidden one inwards
        self._links: list[tuple[str, int]] = []

    def text(self) -> str:
        return "".join(self._parts).strip() + "\n"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if self._hidden or tag in _SILENT or _HIDDEN.search(attributes.get("style") or ""):
            if tag not in VOID:
                self._hidden.append(tag)
            return
        self._break_for(tag)
        if tag == "br":
            self._wanted, self._gap = min(2, self._wanted + 1), ""
        elif tag == "li":
            self._write("- ")
        elif tag == "a":
            self._links.append((attributes.get("href") or "", len(self._parts)))
        elif tag == "img" and self._links:
            self.handle_data(attributes.get("alt") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                while self._hidden.pop() != tag:
                    pass
            return
        if tag == "a" and self._links:
            self._end_link(*self._links.pop())
        elif tag in ("td", "th"):
            self._gap = "  "
        self._break_for(tag)

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        for index, part in enumerate(self._block_word.split(data)):
            if index % 2:
                self._write_block_word(part)
            else:
                self._write_words(part)

    def _write_words(self, data: str) -> None:
        words = " ".join(data.replace("\N{NO-BREAK SPACE}", " ").split())
        if data[:1].isspace() and not self._gap:
            self._gap = " "
        if words:
            self._write(words)
            self._gap = " " if data[-1:].isspace() else ""

    def _write_block_word(self, word: str) -> None:
        is_between_paragraphs = self._wanted or self._breaks
        self._flush_breaks()
        self._parts.append(("" if is_between_paragraphs else self._gap) + word)
        self._gap = ""

    def _write(self, text: str) -> None:
        self._flush_breaks()
        self._parts.append(("" if self._breaks else self._gap) + text)
        self._breaks, self._gap = 0, ""

    def _flush_breaks(self) -> None:
        if self._wanted > self._breaks:
            self._parts.append("\n" * (self._wanted - self._breaks))
            self._breaks = self._wanted
        self._wanted = 0

    def _break_for(self, tag: str) -> None:
        wanted = 2 if tag in _PARAGRAPHS else 1 if tag in _LINES else 0
        if wanted:
            self._wanted, self._gap = max(self._wanted, wanted), ""

    def _end_link(self, address: str, start: int) -> None:
        label = "".join(self._parts[start:]).strip()
        address = re.sub("^(mailto|tel):", "", address)
        if label and address and not address.startswith("#") and address != label:
            self._gap, self._wanted = " ", 0
            self._write(f"<{address}>")
