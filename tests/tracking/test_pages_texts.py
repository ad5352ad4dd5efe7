"""The texts of the pages: every language says everything, and colours can be read."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customers.workspace import parse_workspace
from tests.tracking.conftest import WORKSPACE_DOCUMENT
from tracking.pages.contrast import AA_PART, AA_TEXT, contrast, readable_on, text_colour_on
from tracking.pages.language import accepted, languages, texts_for, words_of

PAGES = Path(__file__).parents[2] / "tracking" / "pages"
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
PLACE = re.compile(r"\{\w+\}")


@pytest.mark.parametrize("language", languages())
def test_every_language_says_all_that_english_does(language: str) -> None:
    english, other = words_of("en"), words_of(language)
    assert list(other) == list(english)
    for key, text in english.items():
        assert type(other[key]) is type(text), key
        if isinstance(text, str):
            assert set(PLACE.findall(other[key])) == set(PLACE.findall(text)), key
            assert other[key].strip()
    assert len(other["date.months"]) == 12
    if language != "en":
        same = [key for key, text in other.items() if text == english[key] and isinstance(text, str)]
        assert len(same) < 6, same


def test_there_is_a_text_for_every_name_that_a_page_uses() -> None:
    used = set()
    for file in (*PAGES.glob("*.jinja"), *PAGES.glob("*.py"), *PAGES.parents[1].glob("console/rights/web.py")):
        used |= set(re.findall(r"""\b(?:t|texts)\(\s*f?"([a-z_]+\.[a-z_.]+)\"""", file.read_text(encoding="utf-8")))
    known = {key.removesuffix(".one").removesuffix(".other") for key in words_of("en")}
    assert used <= known, used - known


def test_five_languages_are_spoken() -> None:
    assert set(languages()) >= {"en", "de", "fr", "es", "nl"}


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "2 May 2027"), ("de", "2. Mai 2027"), ("es", "2 de mayo de 2027"), ("fr", "2 mai 2027")],
)
def test_a_date_is_told_on_the_shop_s_clock_in_the_reader_s_language(language: str, said: str) -> None:
    texts = texts_for(parse_workspace(WORKSPACE_DOCUMENT), language)
    assert texts.day(datetime(2027, 5, 1, 23, 30, tzinfo=UTC)) == said


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [
        ("en", 1, "1 thing is"),
        ("en", 2, "2 things are"),
        ("en", 0, "0 things are"),
        ("fr", 0, "Il manque 0"),
    ],
)
def test_the_plural_is_right_in_each_language(language: str, count: int, said: str) -> None:
    assert texts_for(parse_workspace(WORKSPACE_DOCUMENT), language)("form.errors", count=count).startswith(said)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, []),
        ("de", ["de"]),
        ("en;q=0.5, de-AT, *;q=0.1", ["de-AT", "en", "*"]),
        ("fr;q=0, nl;q=x, es;q=0.2", ["es"]),
        ("," * 5_000 + "de", []),
    ],
)
def test_the_browser_s_languages_are_read_in_their_order(header: str | None, expected: list[str]) -> None:
    assert accepted(header) == expected


@given(COLOURS)
def test_text_can_be_read_on_any_brand_s_colour(colour: str) -> None:
    assert contrast(text_colour_on(colour), colour) >= AA_TEXT


@given(COLOURS, st.sampled_from(["#ffffff", "#1c221f"]), st.sampled_from([AA_TEXT, AA_PART]))
def test_any_brand_s_colour_can_be_made_out_on_the_page(colour: str, paper: str, ratio: float) -> None:
    corrected = readable_on(paper, colour, ratio)
    assert contrast(corrected, paper) >= ratio
    if contrast(colour, paper) >= ratio:
        assert corrected == colour
