"""Partials: pieces of templates that several mails share, and faults told where their cause was written."""

from __future__ import annotations

import time

import pytest

from core.errors import ConfigError
from delivery.front_matter import parse_template
from delivery.template_enclosures import Enclosures, enclosures_of
from delivery.templates import CompiledTemplate, RenderError, compile_template, render
from tests.delivery.template_files import column, mail, text_message, tracked

PARTIAL, INCLUDED = "templates/partials", "included in templates/hello.mjml, line"
BUTTON = '<mj-button href="{{ url }}">{{ label }}</mj-button>\n'
FOOTER = "<mj-section>\n  <mj-column>\n    <mj-text>{{ workspace.name }}</mj-text>\n  </mj-column>\n</mj-section>\n"


def compiled(text: str, **partials: str) -> CompiledTemplate:
    named = {f"partials/{name.replace('_', '.')}": content for name, content in partials.items()}
    source, faults = parse_template(text, "templates/hello.mjml", Enclosures(named))
    assert source is not None, faults
    return compile_template(source)


def faults_of(text: str, **partials: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        compiled(text, **partials)
    return [str(fault) for fault in error.value.faults]


@pytest.mark.parametrize(
    "include",
    [
        '{% include "partials/footer.mjml" %}',
        "{%- include 'partials/footer.mjml' -%}",
        '<mj-include path="partials/footer.mjml" />',
        "<mj-include path='partials/footer.mjml'></mj-include>",
    ],
)
def test_partial_stands_in_the_mail_when_it_is_included(include: str) -> None:
    context = {"workspace": {"name": "Fern & Kettle"}}

    found = render(compiled(mail(include), footer_mjml=FOOTER), context, tracked)

    assert "Fern &amp; Kettle" in found.html
    assert found.text == "Fern & Kettle\n"


def test_partial_takes_arguments_when_a_with_stands_around_it() -> None:
    shop = '{% with label="Shop", url="https://shop.example/" %}{% include "partials/button.mjml" %}{% endwith %}'
    more = '{% with label=item.name, url=item.url %}{% include "partials/button.mjml" %}{% endwith %}'
    items = [{"name": "Tea", "url": "https://shop.example/tea"}, {"name": "Pot", "url": "https://shop.example/pot"}]

    found = render(
        compiled(mail(column(f"{shop}{{% for item in items %}}{more}{{% endfor %}}")), button_mjml=BUTTON),
        {"items": items},
        tracked,
    )

    assert found.html.count("<a") == 3
    assert "https://t.example/2?to=https://shop.example/pot" in found.html


def test_partial_of_text_stands_in_both_parts_when_both_include_it() -> None:
    text = mail(column('<mj-text>{% include "partials/address.txt" %}</mj-text>'))
    text += '{# text #}\nFrom {% include "partials/address.txt" %}, with {{ profile.greeting }}.\n'

    found = render(compiled(text, address_txt="1 Fern Row\n"), {"profile": {"greeting": "love"}}, tracked)

    assert "1 Fern Row" in found.html
    assert found.text == "From 1 Fern Row, with love.\n"


def test_text_message_includes_text_when_it_names_a_partial() -> None:
    body = 'Hello. {% include "partials/stop.txt" %}'

    assert render(compiled(text_message(body), stop_txt="Reply STOP.\n"), {}, tracked).text == "Hello. Reply STOP."


def test_fault_is_told_in_the_partial_when_its_cause_stands_there() -> None:
    broken = FOOTER.replace("workspace.name", "workspce.name").replace("<mj-text>", '<mj-text colour="red">')
    inner = column('{% include "partials/inner.mjml" %}')
    own = column("<mj-text>{{ profil.x }}</mj-text>")
    body = f'<!-- one -->\n{inner}\n  {{% include "partials/footer.mjml" %}}\n{own}'

    assert faults_of(mail(body), footer_mjml=broken, inner_mjml="<mj-text>{{ entri.y }}</mj-text>") == [
        "templates/hello.mjml:10:33: E123 unknown variable 'profil', did you mean 'profile'?",
        f"{PARTIAL}/footer.mjml:3:14: E176 <mj-text> has no attribute 'colour', did you mean 'color'?; {INCLUDED} 9",
        f"{PARTIAL}/footer.mjml:3:27: E123 unknown variable 'workspce', did you mean 'workspace'?; {INCLUDED} 9",
        f"{PARTIAL}/inner.mjml:1:10: E123 unknown variable 'entri', did you mean 'entry'?; {INCLUDED} 8",
    ]


def test_fault_of_the_text_part_has_its_line_when_the_body_has_grown_by_partials() -> None:
    text = mail('{% include "partials/footer.mjml" %}') + "{# text #}\nHello {{ profil.x }}\n"

    (fault,) = faults_of(text, footer_mjml=FOOTER)

    assert fault == "templates/hello.mjml:10:7: E123 unknown variable 'profil', did you mean 'profile'?"


def test_failed_message_names_the_partial_when_a_value_is_missing_there() -> None:
    template = compiled(mail('\n\n{% include "partials/footer.mjml" %}'), footer_mjml=FOOTER)

    with pytest.raises(RenderError) as error:
        render(template, {"workspace": {}}, tracked)

    assert str(error.value) == (
        "template 'hello', templates/partials/footer.mjml, line 3: 'workspace.name' is missing and has no default"
    )


@pytest.mark.parametrize(
    ("include", "way_out"),
    [
        ("partials/foter.mjml", "did you mean 'partials/footer.mjml'?"),
        ("heading.mjml", "partials stand in templates/partials/: write 'partials/heading.mjml'"),
        ("../../etc/passwd", "partials stand in templates/partials/: write 'partials/passwd'"),
        ("/etc/passwd", "partials stand in templates/partials/: write 'partials/passwd'"),
    ],
)
def test_include_is_refused_when_there_is_no_such_partial(include: str, way_out: str) -> None:
    (fault,) = faults_of(mail(f'{{% include "{include}" %}}'), footer_mjml=FOOTER)

    assert fault == f"templates/hello.mjml:7:1: E178 there is no '{include}' in templates/, {way_out}"


def test_circle_is_told_where_it_closes_when_partials_include_each_other() -> None:
    (fault,) = faults_of(
        mail('{% include "partials/a.mjml" %}'),
        a_mjml='\n{% include "partials/b.mjml" %}',
        b_mjml='<!-- b -->{% include "partials/a.mjml" %}',
    )

    assert fault == (
        "templates/partials/b.mjml:1:11: E178 'partials/a.mjml' includes itself: partials/a.mjml → partials/b.mjml → "
        "partials/a.mjml, take one of them out; included in templates/partials/a.mjml, line 2"
    )


def test_mjml_is_refused_when_plain_text_includes_it() -> None:
    (fault,) = faults_of(text_message('{% include "partials/footer.mjml" %}'), footer_mjml=FOOTER)

    assert "E178 'partials/footer.mjml' is MJML, and this is plain text" in fault


@pytest.mark.parametrize("content", ["", "x" * 10_000])
def test_answer_comes_soon_when_partials_multiply(content: str) -> None:
    levels = {f"p{level}_mjml": content + f'{{% include "partials/p{level + 1}.mjml" %}}' * 50 for level in range(8)}
    started = time.monotonic()

    faults = faults_of(mail('{% include "partials/p0.mjml" %}'), **levels, p8_mjml=content)

    assert time.monotonic() - started < 20
    assert any("E178" in fault for fault in faults)


def test_include_counts_for_nothing_when_it_is_commented_out() -> None:
    body = column('<mj-text>x {# {% include "partials/none.mjml" %} #}</mj-text><!-- <mj-include path="a" /> -->')

    assert render(compiled(mail(body)), {}, tracked).text == "x\n"


def test_dynamic_include_is_refused_when_its_name_is_no_literal() -> None:
    (fault,) = faults_of(mail(column("<mj-text>{% include profile.x %}</mj-text>")), footer_mjml=FOOTER)

    assert "E172 'include' is not available" in fault


def test_version_changes_when_a_partial_that_it_includes_does() -> None:
    text, others = mail('{% include "partials/a.mjml" %}'), {"partials/b.mjml": "b"}

    def hashed(**partials: str) -> str:
        named = {f"partials/{name}.mjml": content for name, content in partials.items()}
        source, _faults = parse_template(text, "hello.mjml", Enclosures({**others, **named}))
        assert source is not None
        assert enclosures_of(source.enclosures.as_document()) == source.enclosures
        return source.content_hash

    assert hashed(a="1") == hashed(a="1", c="3") != hashed(a="2")
