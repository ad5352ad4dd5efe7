"""Links are found and numbered once, and lead nowhere they should not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.link_rewriting import InvalidUrlError, TemplateLink, check_url
from delivery.templates import RenderError, render
from tests.delivery.template_files import column, compiled, faults_of, mail, rendered, text_message, tracked

SHOP = "https://shop.example"


def test_links_are_numbered_with_label_and_tag_when_a_template_is_compiled() -> None:
    body = column(
        f'<mj-text><a href="{SHOP}/a?x=1&amp;y=2" data-link-tag="first">Our <b>mugs</b></a></mj-text>'
        f'<mj-button href="{{{{ entry.url }}}}" tag="buy">Buy {{{{ entry.name }}}}</mj-button>'
        f'<mj-image src="x.png" alt="A pot" href="{SHOP}/pot" />'
    )

    template = compiled(mail(body))

    assert template.links == (
        TemplateLink(1, f"{SHOP}/a?x=1&y=2", "Our mugs", "first"),
        TemplateLink(2, None, "Buy {{ entry.name }}", "buy"),
        TemplateLink(3, f"{SHOP}/pot", "A pot", None),
    )
    html = render(template, {"entry": {"url": f"{SHOP}/b", "name": "Mug"}}, tracked).html
    assert f"{SHOP}/a" not in html
    assert f"https://t.example/2?to={SHOP}/b" in html
    assert "data-link-tag" not in html
    assert "tag=" not in html


@pytest.mark.parametrize("href", ["mailto:help@shop.example", "tel:+44123", "#top", "{{ links.preferences }}"])
def test_link_stays_as_it_is_when_it_is_not_ours_to_count(href: str) -> None:
    template = compiled(mail(column(f'<mj-text><a href="{href}">x</a></mj-text>')))

    assert template.links == ()
    html = render(template, {"links": {"preferences": "https://t.example/p?a=1&b=2"}}, tracked).html
    assert 'href="' + ("https://t.example/p?a=1&amp;b=2" if "{" in href else href) in html


def test_address_is_escaped_once_when_it_holds_an_ampersand() -> None:
    message = render(
        compiled(mail(column(f'<mj-text><a href="{SHOP}/{{{{ entry.id }}}}?a=1&amp;b=2">x</a></mj-text>'))),
        {"entry": {"id": "7&8"}},
        lambda number, url: f"https://t.example/{number}?u={url}&v",
    )

    assert f'href="https://t.example/1?u={SHOP}/7&amp;8?a=1&amp;b=2&amp;v"' in message.html
    assert f"<https://t.example/1?u={SHOP}/7&8?a=1&b=2&v>" in message.text


def test_one_number_serves_html_and_text_when_both_have_the_link() -> None:
    asked: list[tuple[int, str | None]] = []

    def write(number: int, url: str | None) -> str:
        asked.append((number, url))
        return f"https://t.example/{number}"

    message = render(compiled(mail(column(f'<mj-text><a href="{SHOP}/">x</a></mj-text>'))), {}, write)

    assert asked == [(1, None)]
    assert "https://t.example/1" in message.html
    assert "https://t.example/1" in message.text


def test_each_turn_of_a_loop_has_its_own_address_when_the_link_is_dynamic() -> None:
    body = "{% for offer in offers %}" + column('<mj-button href="{{ offer.url }}">x</mj-button>') + "{% endfor %}"

    html = rendered(mail(body), offers=[{"url": f"{SHOP}/1"}, {"url": f"{SHOP}/2"}]).html

    assert f"https://t.example/1?to={SHOP}/1" in html
    assert f"https://t.example/1?to={SHOP}/2" in html


def test_shared_page_is_the_link_when_a_button_shares_it() -> None:
    body = column(
        f'<mj-social><mj-social-element name="facebook" href="{SHOP}/p">Share</mj-social-element></mj-social>'
    )

    template = compiled(mail(body))

    assert [link.url for link in template.links] == [f"https://www.facebook.com/sharer/sharer.php?u={SHOP}/p"]
    assert "facebook.com/sharer" not in render(template, {}, tracked).html


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "//evil.example", "https://a@b.example/", "https://x.example\\@evil.example",
        "https://x.example/\r\nSet-Cookie: a", "https://x.example/\t", "ftp://x.example", "https://", "https:///x", "",
        "data:text/html,x", "/relative", "https://x.example:99999999", " \nhttps://x.example", "https://x y.example@z",
    ],
)  # fmt: skip
def test_rendering_fails_when_a_recipients_address_leads_astray(url: str) -> None:
    with pytest.raises(RenderError, match="address of a link"):
        rendered(mail(column('<mj-text><a href="{{ entry.url }}">x</a></mj-text>')), entry={"url": url})
    with pytest.raises(InvalidUrlError):
        check_url(url)


@pytest.mark.parametrize(
    "url", ["http://x.example", "HTTPS://X.example/é?q=a@b#f", "https://[::1]:8080/", f"{SHOP}/a b"]
)
def test_address_is_accepted_when_it_is_absolute_http(url: str) -> None:
    assert check_url(url) == url.replace(" ", "%20")


@given(st.text(max_size=40))
def test_accepted_address_is_one_line_of_http_when_anything_is_offered(text: str) -> None:
    for url in (text, f"https://{text}", f"https://shop.example/{text}"):
        try:
            accepted = check_url(url)
        except InvalidUrlError:
            continue
        assert accepted.lower().startswith(("http://", "https://"))
        assert not set(accepted) & set(" \r\n\t\\\0")
        assert "@" not in accepted.split("/")[2]


def test_static_address_is_refused_when_it_leads_nowhere() -> None:
    assert faults_of(mail(column('<mj-text><a href="www.shop.example">x</a></mj-text>')))[0].startswith("7:42 E174")


def test_addresses_are_tracked_when_they_stand_in_a_text_message() -> None:
    template = compiled(
        text_message(f"See {SHOP}/sale, or {{{{ entry.url | link }}}}. Out: {{{{ links.unsubscribe }}}}")
    )

    message = render(
        template, {"entry": {"url": f"{SHOP}/x"}, "links": {"unsubscribe": "https://t.example/u"}}, tracked
    )

    assert message.text == f"See https://t.example/1, or https://t.example/2?to={SHOP}/x. Out: https://t.example/u"
    assert (message.html, message.subject) == ("", "")
    assert [link.url for link in template.links] == [f"{SHOP}/sale", None]


def test_own_text_part_shares_the_links_of_the_html_when_they_lead_to_the_same_place() -> None:
    body = column(f'<mj-button href="{SHOP}/a">x</mj-button>')
    text = mail(body) + "{# text #}\nFirst " + f"{SHOP}/a then {SHOP}/b for {{{{ profile.first_name }}}}\n"

    message = rendered(text, profile={"first_name": "Alice"})

    assert message.text == "First https://t.example/1 then https://t.example/2 for Alice\n"
    assert [link.number for link in compiled(text).links] == [1, 2]
