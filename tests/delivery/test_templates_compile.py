"""What compiling accepts, keeps and refuses, with the place of each fault."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from delivery.front_matter import parse_template
from delivery.templates import RenderError, compile_template
from tests.delivery.template_files import column, compiled, faults_of, mail, rendered, source_of, text_message


def test_loop_repeats_whole_sections_when_it_stands_around_them() -> None:
    body = "{% for item in items %}" + column("<mj-text>{{ item }}</mj-text>") + "{% endfor %}"

    html = rendered(mail(body), items=["Mug", "Pot"]).html

    assert html.count('role="presentation" align="center" style="width:100%;"') == 2
    assert "Mug" in html
    assert "Pot" in html


def test_outlook_tables_stay_balanced_when_loops_and_conditions_surround_sections_and_columns() -> None:
    body = (
        "{% for item in items %}<mj-wrapper>{% if item > 1 %}<mj-section>{% for x in items %}<mj-column>"
        "{% if x %}<mj-text>{{ x }}</mj-text>{% endif %}</mj-column>{% endfor %}</mj-section>{% endif %}</mj-wrapper>"
        "{% endfor %}"
    )

    for items in ([], [1], [1, 2, 3]):
        html = rendered(mail(body), items=items).html
        outlook = re.sub(r"<!--\[if (?:mso|mso \| IE)\]>|<!\[endif\]-->", "", html)
        for tag in ("table", "tr", "td", "div"):
            assert len(re.findall(rf"<{tag}\b", outlook)) == outlook.count(f"</{tag}>"), (tag, items)


def test_comparison_and_quotes_survive_when_they_stand_in_a_token() -> None:
    content = (
        """<mj-text css-class="{{ profile.tier | default("none") }}">{% if 1 < 2 %}less{% endif %}</mj-text>"""
        """<mj-image src="x.png" alt="{% if profile.plan == 'gold' %}Gold{% else %}Plain{% endif %}" />"""
    )

    html = rendered(mail(column(content)), profile={"plan": "basic"}).html

    assert "less" in html
    assert 'alt="Plain"' in html
    assert 'class="none"' in html


def test_attribute_is_one_line_of_text_when_it_is_written_over_several() -> None:
    html = rendered(mail(column('<mj-image src="x.png"\n\talt="one\n\ttwo \\ three"\n />'))).html

    assert 'alt="one  two &#92; three"' in html
    assert "\\n" not in html
    assert "\\t" not in html


def test_words_stay_apart_when_a_line_ends_between_two_inline_tags() -> None:
    html = rendered(mail(column("<mj-text><b>one</b>\n   <i>two</i></mj-text>"))).html

    assert "<b>one</b> <i>two</i>" in html


def test_preheader_is_hidden_at_the_top_when_the_front_matter_has_one() -> None:
    front = 'subject: "Hello"\npreheader: "For {{ profile.first_name }}"'

    message = rendered(mail(column("<mj-text>Body</mj-text>"), front=front), profile={"first_name": "Ann & Bo"})

    assert message.preheader == "For Ann & Bo"
    first = message.html.partition("<body")[2].partition(">")[2]
    assert first.startswith('<div style="display:none;')
    assert first.partition(">")[2].startswith("For Ann &amp; Bo<")
    assert "For Ann" not in message.text


def test_comment_reaches_nobody_when_it_holds_broken_jinja() -> None:
    message = rendered(mail(column("<mj-text>a<!-- {{ broken %} <b> --> b</mj-text>")))

    assert "broken" not in message.html
    assert "a b" in message.text


def test_pixel_stands_at_the_end_of_the_body_when_the_context_has_one() -> None:
    template = mail(column("<mj-text>x</mj-text>"))

    with_pixel = rendered(template, links={"pixel": "https://t.example/o.gif"}).html
    without = rendered(template).html

    assert re.search(r'<img src="https://t\.example/o\.gif" [^>]*></body></html>$', with_pixel)
    assert "<img" not in without


def test_html_is_escaped_when_a_profile_holds_markup() -> None:
    message = rendered(mail(column("<mj-text>{{ profile.name }}</mj-text>")), profile={"name": "<script>'x'"})

    assert "&lt;script&gt;&#39;x&#39;" in message.html
    assert "<script>'x'" in message.text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (column("<mj-text>x</mj-txt>"), "7:34 E170 </mj-txt> closes nothing"),
        (column("<mj-txt>x</mj-txt>"), "7:25 E171 unknown tag <mj-txt>"),
        (column("\n<mj-text"), "8:1 E170 a tag begins here and does not end as a tag"),
        (column('<mj-text color="red color="blue">x</mj-text>'), "E170"),
        (column("<mj-text color=red>x</mj-text>"), "7:33 E170 an attribute of <mj-text> is not written"),
        (column('<mj-image src="a" src="b" />'), "7:42 E170 the attribute 'src' is written twice"),
        (column("<mj-text {% if profile.x %}align='left'{% endif %}>x</mj-text>"), "7:33 E173"),
        (column("<mj-social>{% for x in items %}{% endfor %}</mj-social>"), "7:35 E173"),
        (
            '<mj-section><mj-column width="{{ profile.w }}"></mj-column></mj-section>',
            "7:31 E173 '{{ profile.w }}' would",
        ),
        (column('<mj-include path="x" />'), "7:24 E178 there is no 'x' in templates/"),
        (column("\n<mj-text>{{ profile.name </mj-text>"), "8:10 E172 '{{' is opened here and never closed"),
        (column("\n<mj-text>{{ profile.name </mj-text>{{ profile.x }}"), "8:10 E172 '{{' is opened here"),
        (column("\n<mj-text>{% if %}</mj-text>"), "8:10 E172 this is not Jinja"),
        (column("<mj-text>{{ profiel.name }}</mj-text>"), "7:33 E123 unknown variable 'profiel'"),
        (column("<mj-text>{{ profile.name | uper }}</mj-text>"), "7:33 E172 unknown filter 'uper'"),
        (column("<mj-text>{{ profile.name is nice }}</mj-text>"), "7:33 E172 unknown test 'nice'"),
        (column("<mj-text>{{ profile.name.upper() }}</mj-text>"), "7:33 E172 only range(…) and asset('NAME') can be"),
        (column("<mj-text>{% macro m() %}{% endmacro %}</mj-text>"), "7:33 E172 'macro' is not available"),
        (column("<mj-text>{% raw %}x{% endraw %}</mj-text>"), "7:33 E172 'raw' is not available"),
        (column("<mj-text>{% set profile = 1 %}</mj-text>"), "7:33 E123 'profile' cannot be given another value"),
    ],
)
def test_fault_has_its_place_when_a_template_is_wrong(body: str, expected: str) -> None:
    found = faults_of(mail(body))

    assert any(fault.startswith(expected) or (expected in fault and ":" not in expected) for fault in found), found


def test_all_faults_come_at_once_when_a_template_has_several() -> None:
    body = column("<mj-text>{{ profiel.x }}</mj-text>\n<mj-buton>y</mj-buton>\n<a href='javascript:x'>z</a>")

    assert [fault.split()[1] for fault in faults_of(mail(body))] == ["E123", "E171", "E175", "E174"]


def test_placeholder_is_refused_when_it_stands_inside_a_style() -> None:
    head = "<mj-head><mj-style>.a { color: {{ profile.colour }} }</mj-style></mj-head>"

    assert faults_of(mail(column("<mj-text>x</mj-text>"), head=head)) == [
        "6:38 E173 a placeholder cannot stand inside <mj-style>"
    ]


def test_error_names_the_line_of_the_file_when_compiling_has_moved_everything() -> None:
    lines = [column(f"<mj-text>{{{{ profile.a{number} }}}}</mj-text>") for number in range(40)]
    text = mail("\n".join(lines))
    everything = {f"a{number}": "x" for number in range(40)}

    for missing in (0, 7, 39):
        with pytest.raises(RenderError) as error:
            rendered(text, profile={**everything, f"a{missing}": None})
        assert error.value.line == 7 + missing
        assert error.value.cause == f"'profile.a{missing}' is missing and has no default"


def test_variables_are_listed_with_their_lines_when_a_template_is_compiled() -> None:
    body = column(
        "<mj-text>{{ profile.first_name | default('x') }}\n{% for item in entry.items %}{{ item.name }}{% endfor %}"
        "{% if steps.pick.code is defined %}{{ steps['pick'].code }}{% endif %}\n{{ offers[0].url }}</mj-text>"
    )

    variables = compiled(mail(body)).variables

    assert [(variable.path, variable.line, variable.is_optional) for variable in variables] == [
        ("profile.first_name", 7, True),
        ("entry.items", 8, False),
        ("steps.pick.code", 8, True),
        ("offers", 9, False),
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('<a href="{{ links.unsubscribe }}">out</a>', True),
        ('<a class="x" href="{{- links.preferences }}">choose</a>', True),
        ('<!-- <a href="{{ links.unsubscribe }}">out</a> -->', False),
        ("{{ links.unsubscribe }}", False),
        ('<a href="{{ links.view_in_browser }}">see</a>', False),
    ],
)
def test_unsubscribe_link_counts_when_a_reader_can_press_it(content: str, expected: bool) -> None:
    assert compiled(mail(column(f"<mj-text>{content}</mj-text>"))).has_unsubscribe_link is expected


def test_hash_stays_when_only_line_ends_and_trailing_space_differ() -> None:
    text = mail(column("<mj-text>x</mj-text>"))

    assert source_of(text.replace("\n", "  \r\n").replace("---  ", "---")).content_hash == source_of(text).content_hash
    assert source_of(text.replace(">x<", ">y<")).content_hash != source_of(text).content_hash


def test_template_is_compiled_once_when_it_is_asked_for_twice() -> None:
    text = mail(column("<mj-text>once</mj-text>"))

    assert compile_template(source_of(text)) is compile_template(source_of(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<mjml></mjml>", "1:1 E100"),
        ("---\ntemplate: hello\nchannel: email\n---\n<mjml><mj-body></mj-body></mjml>", "E101"),
        ("---\ntemplate: hello\nchannel: sms\n---\n\n", "5:1 E101"),
        ("---\ntemplate: hello\nchannel: sms\nneeds: [profle.x]\n---\nHi", "4:9 E123"),
        ("---\ntemplate: hello\nchannel: sms\ndefaults: {nowhere: 1}\n---\nHi", "4:12 E123"),
        ("---\ntemplate: hello\nchannel: sms\nsubjekt: x\n---\nHi", "4:1 E102"),
    ],
)
def test_front_matter_fault_has_its_place_when_the_head_is_wrong(text: str, expected: str) -> None:
    assert any(expected in fault for fault in faults_of(text)), faults_of(text)


@given(st.text(alphabet=st.sampled_from("<>/{}%#\"'= \n-amjtextprofile!["), max_size=80))
def test_wrong_template_is_told_never_a_crash_when_its_text_is_anything(noise: str) -> None:
    for text in (mail(noise), mail(column(f"<mj-text>{noise}</mj-text>")), text_message(f"x{noise}")):
        source, faults = parse_template(text, "hello.mjml")
        if source is None:
            assert faults
            continue
        with suppress(ConfigError):
            compile_template.__wrapped__(source)


@pytest.mark.parametrize(
    "noise",
    [
        "{{",
        '{{ "',
        "{%",
        "{#",
        '<a "',
        "<a ",
        "<!--",
        "<?",
        "<b>",
        "<mj-x>",
        "</b>",
        "{{ x.y }}",
        "{{ x | y }}",
        "https://",
        "'",
    ],
)
def test_faults_come_soon_when_a_long_text_repeats_what_is_never_closed(noise: str) -> None:
    started = time.monotonic()

    faults_of(mail(column(f"<mj-text>{noise * 20_000}</mj-text>")))

    assert time.monotonic() - started < 30  # it would be many minutes


def test_fault_is_told_when_a_comment_never_ends() -> None:
    assert faults_of(mail(column("<mj-text>a <!-- b</mj-text>"))) == [
        "7:35 E170 a comment is opened here and never closed"
    ]
