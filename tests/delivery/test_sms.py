"""What a text message costs, and what keeps it cheap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.sms import Alphabet, fold, measure


@pytest.mark.parametrize(
    ("text", "alphabet", "unit_count", "part_count"),
    [
        ("", Alphabet.GSM7, 0, 1),
        ("a" * 160, Alphabet.GSM7, 160, 1),
        ("a" * 161, Alphabet.GSM7, 161, 2),
        ("a" * 306, Alphabet.GSM7, 306, 2),
        ("a" * 307, Alphabet.GSM7, 307, 3),
        ("€" * 80, Alphabet.GSM7, 160, 1),
        ("a" * 159 + "€", Alphabet.GSM7, 161, 2),
        ("a" * 152 + "€" + "a" * 152, Alphabet.GSM7, 306, 3),  # the sign would be cut in two
        ("ж" * 70, Alphabet.UCS2, 70, 1),
        ("ж" * 71, Alphabet.UCS2, 71, 2),
        ("ж" * 134, Alphabet.UCS2, 134, 2),
        ("ж" * 135, Alphabet.UCS2, 135, 3),
        ("😀" * 35, Alphabet.UCS2, 70, 1),
        ("😀" * 36, Alphabet.UCS2, 72, 2),
        ("😀" * 67, Alphabet.UCS2, 134, 3),  # 33 of them in each part, never half of one
        ("à ç", Alphabet.UCS2, 3, 1),  # the alphabet has the capital cedilla only
    ],
)
def test_parts_are_counted_when_a_message_has_this_text(
    text: str, alphabet: Alphabet, unit_count: int, part_count: int
) -> None:
    size = measure(text)

    assert (size.alphabet, size.unit_count, size.part_count) == (alphabet, unit_count, part_count)


def test_curly_signs_become_plain_when_that_keeps_the_message_gsm7() -> None:
    assert fold("“It\u2019s here” \u2013 today…\N{NO-BREAK SPACE}£5\r\nBye") == '"It\'s here" - today... £5\nBye'


def test_text_stays_as_written_when_it_needs_ucs2_anyhow() -> None:
    assert fold("“Привет” \u2013 да") == "“Привет” \u2013 да"


@given(st.text(max_size=400))
def test_folding_never_costs_more_than_it_saves_when_any_text_is_folded(text: str) -> None:
    folded = fold(text)

    assert fold(folded) == folded
    if measure(folded).alphabet is Alphabet.UCS2:
        assert folded == text.replace("\r\n", "\n").replace("\r", "\n")


@given(st.text(max_size=400))
def test_parts_hold_the_units_when_any_text_is_measured(text: str) -> None:
    size = measure(text)
    single, several = (160, 153) if size.alphabet is Alphabet.GSM7 else (70, 67)

    assert (size.part_count == 1) == (size.unit_count <= single)
    assert size.unit_count <= max(single, size.part_count * several)
