"""What strangers write about themselves is shown as they wrote it, and does nothing else."""

from __future__ import annotations

import time

import pytest

from delivery.templates import RenderError
from tests.delivery.template_files import column, mail, rendered, text_message

FRONT = 'subject: "{{ profile.name }}, hello"\npreheader: "For {{ profile.name }}"'
BODY = column(
    "<mj-text>Dear {{ profile.name }}!</mj-text>"
    '<mj-image src="https://shop.example/1.jpg" alt="{{ profile.name }}" title="{{ profile.name }}" />'
    '<mj-button href="https://shop.example/?n={{ profile.name | urlencode }}">Go</mj-button>'
)


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</title></head><body onload=alert(1)>",
        "<!--",
        "]]> <![endif]-->",
        "{{ ''.__class__ }}",
        "{% for x in range(999) %}",
        "&lt;b&gt;",
    ],
)
def test_name_is_text_when_it_is_markup(name: str) -> None:
    found = rendered(mail(BODY, front=FRONT), profile={"name": name})

    plain = rendered(mail(BODY, front=FRONT), profile={"name": "Alice"})
    assert found.html.count("<") == plain.html.count("<")
    assert found.html.count('"') == plain.html.count('"')
    assert f"Dear {name}!" in found.text
    assert found.subject == f"{name}, hello"


@pytest.mark.parametrize("sign", ["\u202e", "\u202a", "\u2066", "\u2069"])
def test_direction_stays_as_the_author_meant_when_a_name_turns_it(sign: str) -> None:
    found = rendered(mail(BODY, front=FRONT), profile={"name": f"Bob{sign}gpj.exe"})

    assert sign not in found.subject + found.preheader + found.html + found.text
    assert found.subject == "Bobgpj.exe, hello"


@pytest.mark.parametrize(
    "sign", ["\r\nBcc: eve@shop.example", "\nX: y", "\x00", "\x1b[2J", "\x85", "\u2028", "\u2029", "\x7f"]
)
def test_header_is_one_line_when_a_name_holds_control_characters(sign: str) -> None:
    found = rendered(mail(BODY, front=FRONT), profile={"name": f"Bob{sign}"})

    for header in (found.subject, found.preheader):
        assert header.isprintable()
        assert len(header.splitlines()) == 1


def test_message_fails_alone_when_a_value_is_a_megabyte_long() -> None:
    started = time.monotonic()
    for text in (mail(BODY, front=FRONT), mail(BODY), text_message("Dear {{ profile.name }}")):
        with pytest.raises(RenderError, match="longer than"):
            rendered(text, profile={"name": "x" * 1_000_000})
    assert time.monotonic() - started < 20


def test_letters_of_all_scripts_pass_when_they_are_somebodys_name() -> None:
    for name in ("Zoë", "Łukasz", "نور", "שָׁלוֹם", "👩‍👩‍👧", "O’Brien", "मीरा"):
        found = rendered(mail(BODY, front=FRONT), profile={"name": name})

        assert found.subject == f"{name}, hello"
        assert f"Dear {name}!" in found.html
