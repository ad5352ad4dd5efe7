"""Files as people spoil them, drawn by hypothesis from good ones: as text, and as a document with parts exchanged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from core.located import load_yaml
from tests.journeys.checking.generated import TEXTS, WRITTEN

# What is pasted in by accident, or by somebody who has been told otherwise.
SCRAPS = [
    "\t", "  ", "\n", "-", ":", "{", "}", "[", "]", '"', "'", "#", "---", "&a", "*a", "!!python/name:os", "<<: *a",
    "|", ">", "{{", "}}", "{% if", "%}", "<mj-", "</", "null", "true", "0", "-1", "1e400", "999999999999", "NaN", "é",
    "\ufeff", "\x00", "\u2028", "💥", "2026-02-30", "25:61", "100%", "${x}", "..",
]  # fmt: skip
_WORD = re.compile(r"\w+")


@st.composite
def spoilt_texts(draw: DrawFn, good: str, words: Sequence[str]) -> str:
    """`good` after one to four accidents; `words` are those that may stand in for others."""
    text = good
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        match draw(st.integers(0, 5)):
            case 0:
                text = text[:at] + draw(st.sampled_from(SCRAPS)) + text[at:]
            case 1:
                text = text[:at] + text[at + draw(st.integers(1, 40)) :]
            case 2:
                text = _with_word(text, at, draw(st.sampled_from(words)))
            case 3:
                lines = text.splitlines(keepends=True) or [""]
                place = draw(st.integers(0, len(lines) - 1))
                text = "".join([*lines[:place], *lines[place + 1 :]])
            case 4:
                lines = text.splitlines(keepends=True) or [""]
                place = draw(st.integers(0, len(lines) - 1))
                text = "".join([*lines[: place + 1], " " * draw(st.integers(0, 6)) + lines[place], *lines[place + 1 :]])
            case _:
                other = draw(st.integers(0, len(text)))
                text = text[:at] + text[other : other + 60] + text[at:]
    return text


def _with_word(text: str, at: int, word: str) -> str:
    found = _WORD.search(text, at)
    return text if found is None else text[: found.start()] + word + text[found.end() :]


@st.composite
def spoilt_documents(draw: DrawFn, good: str, others: Sequence[str]) -> str:
    """`good` with one to three of its values exchanged for others, or for parts of `others`, written as JSON."""
    document = json.loads(_read(good))
    donors = _parts_of(tuple(others))
    loose: list[Any] = [*TEXTS, *(one for some in WRITTEN.values() for one in some), None, True, 0, -1, 1.5, [], {}, ""]
    for _ in range(draw(st.integers(1, 3))):
        places = list(_iter_places(document))
        if not places:
            break
        holder, key, _ = draw(st.sampled_from(places))
        match draw(st.integers(0, 3)):
            case 0:
                del holder[key]
            case 1:
                holder[key] = json.loads(draw(st.sampled_from(donors)))
            case 2 if isinstance(holder, dict):
                value, name = holder.pop(key), draw(st.sampled_from(places))[1]
                holder[str(name)] = value
            case _:
                holder[key] = draw(st.sampled_from(loose))
    return json.dumps(document, ensure_ascii=False)


@cache
def _parts_of(texts: tuple[str, ...]) -> list[str]:
    """Everything that stands in `texts`, as JSON."""
    return [json.dumps(value) for text in texts for _, _, value in _iter_places(json.loads(_read(text)))]


@cache
def _read(text: str) -> str:
    located, _ = load_yaml(text.encode(), "x.yaml")
    assert located is not None
    return json.dumps(located.data)


def _iter_places(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """(mapping or list, key or index, value) of everything in `value`, the outermost first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(items):
        yield value, key, one
        yield from _iter_places(one)
