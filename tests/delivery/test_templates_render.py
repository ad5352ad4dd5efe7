"""One recipient's message: defaults, needs, filters, plain text, and templates that mean harm."""

from __future__ import annotations

import time
from typing import Any

import pytest

from core.errors import ConfigError
from delivery.templates import RenderError
from tests.delivery.template_files import column, faults_of, mail, rendered, text_message


def said(expression: str, **context: Any) -> str:
    return rendered(text_message(expression), **context).text


def test_default_stands_in_when_a_value_is_missing_null_or_blank() -> None:
    text = "---\ntemplate: hello\nchannel: sms\ndefaults: {profile.first_name: there}\n---\nHi {{ profile.first_name }}"

    for profile in ({}, {"first_name": None}, {"first_name": "  "}):
        assert rendered(text, profile=profile).text == "Hi there"
    assert rendered(text).text == "Hi there"
    assert rendered(text, profile={"first_name": "Alice"}).text == "Hi Alice"


def test_context_is_left_as_it_was_when_defaults_are_filled_in() -> None:
    text = "---\ntemplate: hello\nchannel: sms\ndefaults: {profile.a.b: x}\n---\n{{ profile.a.b }}{{ profile.a.c }}"
    profile = {"a": {"c": "y"}}

    assert rendered(text, profile=profile).text == "xy"
    assert profile == {"a": {"c": "y"}}


def test_message_fails_when_a_needed_value_is_missing() -> None:
    text = "---\ntemplate: hello\nchannel: sms\nneeds:\n  - profile.id\n  - entry.url\n---\nHi"

    with pytest.raises(RenderError) as error:
        rendered(text, profile={"id": 1}, entry={})

    assert (error.value.template, error.value.line) == ("hello", 6)
    assert error.value.cause == "'entry.url' is needed and missing"


def test_message_fails_when_a_value_is_missing_and_has_no_default() -> None:
    with pytest.raises(RenderError, match=r"'profile\.first_name' is missing and has no default"):
        said("Hi {{ profile.first_name }}", profile={})
    assert said("Hi {{ profile.company.name | default('you') }}", profile={}) == "Hi you"
    assert said("{% if profile.vip is defined %}VIP{% else %}all{% endif %}", profile={"vip": None}) == "all"


def test_key_of_the_data_wins_when_python_has_a_method_of_that_name() -> None:
    entry = {"items": [1, 2], "keys": "k", "get": "g"}

    assert said("{{ entry.items | length }} {{ entry.keys }} {{ entry.get }}", entry=entry) == "2 k g"


def test_subject_is_one_line_when_a_profile_holds_line_ends() -> None:
    front = 'subject: "Hi {{ profile.name }}"\npreheader: "{{ profile.name }}"'
    name = "Eve\r\nBcc: all@shop.example\x00\u2028x & y"

    message = rendered(mail(column("<mj-text>x</mj-text>"), front=front), profile={"name": name})

    assert message.subject == "Hi Eve Bcc: all@shop.example x & y"
    assert message.preheader == "Eve Bcc: all@shop.example x & y"


def test_message_fails_when_its_subject_is_empty() -> None:
    with pytest.raises(RenderError, match="the subject is empty"):
        rendered(mail(column("<mj-text>x</mj-text>"), front='subject: "{{ profile.x }}"'), profile={"x": "\n"})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1250 | money('GBP')", "£12.50"),
        ("-5 | money('GBP')", "-£0.05"),
        ("123456789 | money('USD')", "$1,234,567.89"),
        ("1250 | money('JPY')", "¥1,250"),
        ("1250 | money('KWD')", "KWD\N{NO-BREAK SPACE}1.250"),
        ("129900 | money('EUR', 'de-DE')", "1.299,00\N{NO-BREAK SPACE}€"),
        ("'2026-03-01' | date", "1 March 2026"),
        ("'2026-03-01' | date('%d.%m.')", "01.03."),
        ("'2026-03-01T23:30:00+00:00' | date('short')", "02/03/2026"),
        ("'2026-03-01T23:30:00' | date('time')", "23:30"),
        ("'' | default('x')", "x"),
        ("0 | default('x')", "0"),
        ("'a long sentence' | truncate(8)", "a long…"),
        ("['a', 'b'] | join(', ')", "a, b"),
        ("2.345 | round(1)", "2.3"),
    ],
)
def test_filter_writes_it_for_people_when_it_is_used(expression: str, expected: str) -> None:
    assert said(f"{{{{ {expression} }}}}", profile={"timezone": "Europe/Berlin"}) == expected


@pytest.mark.parametrize(
    "expression",
    ["12.5 | money('GBP')", "'alice@shop.example' | money('GBP')", "1 | money('pounds')", "'alice@shop.example' | date",
     "'2026-03-01' | date('%999999d')", "'alice@shop.example' | round", "entry", "1 / 0", "'a' < 1"],
)  # fmt: skip
def test_message_fails_without_repeating_the_value_when_it_does_not_fit(expression: str) -> None:
    with pytest.raises(RenderError) as error:
        said(f"{{{{ {expression} }}}}", entry={"email": "alice@shop.example"})

    assert "alice" not in str(error.value)
    assert error.value.line == 5


HOSTILE = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1] }}",
    "{% for i in range(10**9) %}x{% endfor %}",
    "{{ range(10**9) | sum }}",
    "{{ 'x' * 10**9 }}",
    "{{ [1] * 10**9 }}",
    "{{ 10**10**9 }}",
    "{{ 1 | round(10**9) }}" + "{{ 'x' * 10**6 }}",
    "{{ '%1000000000d' % 1 }}",
    "{% for i in range(1000) %}{% for j in range(1000) %}x{% endfor %}{% endfor %}",
    "{% for i in range(1000) %}{{ range(1000) | sort | join }}{% endfor %}",
    "{% set x = 'ab' %}" + "{% set x = x ~ x %}" * 60 + "{{ x }}",
    "{% set x = 'ab' %}" + "{% set x = x + x %}" * 60 + "{{ x }}",
    "{% set x = 99 %}" + "{% set x = x * x %}" * 60 + "{{ x }}",
    "{% set x = [1, 2] %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}",
    "{% set x = 'a' %}{{ x | replace('a', 'b' * 100000) | replace('b', 'c' * 100000) }}",
    "{% for i in range(1000) %}" + "x" * 2_000 + "{% endfor %}",
    "{% for i in range(9) %}{{ loop.__class__ }}{% endfor %}",
    "{{ profile.big | replace('a', profile.big) }}",
    "{{ '\\ud800' }}",
]


@pytest.mark.parametrize("expression", HOSTILE)
def test_hostile_template_ends_soon_with_its_cause_when_it_is_rendered(expression: str) -> None:
    started = time.monotonic()

    with pytest.raises(RenderError) as error:
        said(expression, profile={"big": "a" * 10_000})

    assert time.monotonic() - started < 20  # it would be hours
    assert error.value.cause


@pytest.mark.parametrize(
    "expression",
    ["{{ self }}", "{{ lipsum() }}", "{{ cycler }}", "{{ namespace() }}", "{{ _meter }}", "{{ x | _charged }}",
     "{{ profile | attr('x') }}", "{{ profile.x | safe }}", "{{ 'x'.format() }}", "{% include 'x' %}",
     "{% extends 'x' %}", "{% import 'x' as y %}", "{% block x %}{% endblock %}", "{% call x() %}{% endcall %}",
     "{% filter upper %}x{% endfilter %}", "{% set x %}y{% endset %}", "{% autoescape false %}x{% endautoescape %}",
     "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "{% for a in entry %}" * 30 + "{% endfor %}" * 30],
)  # fmt: skip
def test_template_is_refused_when_it_reaches_for_what_is_not_its_own(expression: str) -> None:
    assert faults_of(text_message(expression))
    with pytest.raises(ConfigError):
        said(expression)


def test_plain_text_reads_like_a_letter_when_it_is_made_from_the_mail() -> None:
    body = column(
        "<mj-text><h1>Hello&nbsp;{{ profile.first_name }}</h1><p>Two <b>good</b>\n   <i>things</i>:<br>tea</p>"
        '<ul><li>one</li><li>two</li></ul><a href="#x">Top</a> <a href="mailto:a@b.example">Write</a></mj-text>'
        '<mj-image src="x.png" alt="Only a picture" />'
        '<mj-image src="x.png" alt="A mug" href="https://shop.example/mug" />'
        "<mj-table><tr><td>Mug</td><td>£3</td></tr><tr><td>Pot</td><td>£4</td></tr></mj-table>"
    )

    assert rendered(mail(body), profile={"first_name": "Alice"}).text.splitlines() == [
        "Hello Alice", "", "Two good things:", "tea", "", "- one", "- two", "", "Top Write <a@b.example>", "",
        "A mug <https://t.example/1>", "", "Mug  £3", "Pot  £4",
    ]  # fmt: skip


def test_plain_text_has_no_gaps_when_a_condition_leaves_paragraphs_out() -> None:
    body = (
        column("<mj-text>One</mj-text>")
        + "{% if profile.vip %}" + column("<mj-text>Two</mj-text>") + "{% endif %}"
        + "{% for item in items %}" + column("<mj-text>{{ item }}</mj-text>") + "{% endfor %}"
        + column("<mj-text>{% if profile.vip %}Dear{% else %}Hi{% endif %} Alice</mj-text>")
    )  # fmt: skip

    assert rendered(mail(body), profile={"vip": False}, items=[]).text == "One\n\nHi Alice\n"
    assert rendered(mail(body), profile={"vip": True}, items=["a", "b"]).text == "One\n\nTwo\n\na\n\nb\n\nDear Alice\n"
