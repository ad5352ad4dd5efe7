"""MJML that the compiler would pass over in silence, and what its author is told instead."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from delivery.mjml_tables import CONTAINERS, KNOWN, TAGS
from delivery.templates import compile_template
from tests.conftest import GOLDEN
from tests.delivery.template_files import column, compiled, faults_of, mail, rendered, source_of

FOLDER = GOLDEN / "templates" / "bad"
NAMES = sorted(file.stem for file in FOLDER.glob("*.mjml"))


@pytest.mark.parametrize("name", NAMES)
def test_author_is_told_as_reviewed_when_a_template_is_bad(name: str, golden: Callable[[str, str], None]) -> None:
    with pytest.raises(ConfigError) as error:
        compiled((FOLDER / f"{name}.mjml").read_text(encoding="utf-8"))

    golden(f"templates/bad/{name}.txt", "".join(f"{fault}\n" for fault in error.value.faults))


ALL_TAGS = """
<mj-wrapper padding="0" css-class="outer">
  <mj-section full-width="full-width" background-url="https://shop.example/b.jpg" background-size="cover">
    <mj-group width="50%"><mj-column width="100%"><mj-text mj-class="big">Hello</mj-text></mj-column></mj-group>
    <mj-column inner-border="1px solid #eee" inner-border-radius="4px">
      <mj-navbar hamburger="hamburger" ico-color="#333">
        <mj-navbar-link href="https://shop.example/new" color="#123456">New</mj-navbar-link>
      </mj-navbar>
      <mj-social mode="horizontal" font-size="12px" icon-size="20px">
        <mj-social-element name="facebook-noshare" href="https://social.example/shop">Like</mj-social-element>
      </mj-social>
      <mj-accordion border="none" icon-position="left"><mj-accordion-element>
        <mj-accordion-title font-weight="bold">Why?</mj-accordion-title>
        <mj-accordion-text line-height="1.5">Because.</mj-accordion-text>
      </mj-accordion-element></mj-accordion>
      <mj-carousel thumbnails="hidden" icon-width="30px">
        <mj-carousel-image src="https://shop.example/1.jpg" alt="one" />
      </mj-carousel>
      <mj-table cellpadding="0" width="100%"><tr><td>one</td></tr></mj-table>
      <mj-spacer height="20px" /><mj-divider border-width="1px" border-color="transparent" />
      <mj-raw><p>raw</p></mj-raw>
      <mj-button href="https://shop.example/" inner-padding="10px 20px" letter-spacing="normal">Go</mj-button>
    </mj-column>
  </mj-section>
</mj-wrapper>
<mj-hero mode="fixed-height" height="300px" background-width="600px" background-height="300px"
  background-url="https://shop.example/h.jpg"><mj-text>Hero</mj-text></mj-hero>
"""
HEAD = (
    '<mj-head><mj-attributes><mj-all font-family="Georgia" padding="0" /><mj-class name="big" font-size="30px" />'
    '<mj-button color="white" /></mj-attributes><mj-breakpoint width="480px" />'
    '<mj-font name="Lora" href="https://fonts.example/lora" /><mj-html-attributes><mj-selector path=".outer div">'
    '<mj-html-attribute name="data-id">42</mj-html-attribute></mj-selector></mj-html-attributes>'
    '<mj-style inline="inline">.outer { color: red }</mj-style><mj-title>Hello</mj-title></mj-head>'
)


def test_nothing_is_said_when_every_tag_stands_where_it_may() -> None:
    assert faults_of(mail(ALL_TAGS, head=HEAD)) == []


def test_jinja_between_tags_counts_as_no_text_when_it_stands_in_a_container() -> None:
    body = "<mj-section>{% for item in items %}\n<mj-column></mj-column>{% endfor %}</mj-section>"

    assert faults_of(mail(body)) == []


def test_only_the_cause_is_told_when_a_tag_is_never_closed() -> None:
    (fault,) = faults_of(mail("<mj-section><mj-column><mj-text>x</mj-column></mj-section>"))

    assert fault == "7:24 E170 <mj-text> is not closed before </mj-column>"


def test_every_tag_can_be_reached_when_one_goes_by_the_tables() -> None:
    assert KNOWN - TAGS.keys() == {"mj-include"}
    for name, tag in TAGS.items():
        assert name == "mjml" or all(parent in CONTAINERS for parent in tag.parents), name
        assert set(tag.required) <= tag.attributes.keys(), name


@pytest.mark.parametrize("value", ["x" * 10**6, "1" * 10**6, "0px " * 250_000, "#" * 10**6, "&quot;" * 160_000])
@pytest.mark.parametrize("name", ["color", "padding", "alt", "href", "css-class", "mj-class"])
def test_answer_comes_soon_when_an_attribute_is_a_megabyte_long(name: str, value: str) -> None:
    started = time.monotonic()

    faults_of(mail(column(f'<mj-image src="https://shop.example/1.jpg" {name}="{value}" />')))

    assert time.monotonic() - started < 20


@given(st.text(alphabet="<>/=\"' mj-textsciocolumn{}%#\n", max_size=200))
def test_wrong_markup_is_told_never_a_crash_when_it_is_anything(noise: str) -> None:
    for body in (noise, column(noise), f"<mj-section {noise}>{column('')}</mj-section>"):
        with suppress(ConfigError):
            compile_template.__wrapped__(source_of(mail(body)))


def test_class_inside_a_text_stays_hidden_when_its_style_is_to_be_inline() -> None:
    head = (
        '<mj-head><mj-style inline="inline">.hidden, #also { display: none; /* not yet */ font-size: 0 } '
        "td .hidden { font-size: 1px; color: 'red' } .box div { margin: 1px }</mj-style></mj-head>"
    )
    hidden = '<p class="a hidden" style="color: blue">Psst</p><p>Loud</p><i id="also"></i>'

    found = rendered(mail(column(f'<mj-text css-class="box">{hidden}</mj-text>'), head=head))

    styles = "display: none; font-size: 0; font-size: 1px; color: &#x27;red&#x27;; color: blue"
    assert f'<p class="a hidden" style="{styles}">' in found.html
    assert '<i style="display: none; font-size: 0;" id="also">' in found.html
    assert "<p>Loud</p>" in found.html
    assert 'style="margin: 1px; font-family' in found.html
    assert ".hidden" not in found.html
    assert found.text == "Loud\n"


def test_attribute_is_on_the_tag_when_mj_html_attributes_put_it_there() -> None:
    head = (
        '<mj-head><mj-html-attributes><mj-selector path=".box p"><mj-html-attribute name="data-id">4 &amp; 2'
        "</mj-html-attribute></mj-selector></mj-html-attributes></mj-head>"
    )
    body = column('<mj-text css-class="box"><p>Hello</p></mj-text>')

    assert '<p data-id="4 &amp; 2">Hello</p>' in rendered(mail(body, head=head)).html
