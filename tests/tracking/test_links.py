from __future__ import annotations

import pytest

from core.database import Database
from core.definitions import publish
from core.errors import InputError
from core.runtime import Runtime
from customers.tracking_consent import OpenTracking
from tests.tracking.conftest import TEMPLATE, SendMail
from tracking.destinations import Destinations
from tracking.handles import HandleFor, ensure_handles, find_handle
from tracking.links import MAX_LINKS, MAX_TURNS, MessageLinks, template_number
from tracking.tokens import KeyRing, TokenKind, verify


def _links(key_ring: KeyRing, handle: int | None = 9, opens: OpenTracking = OpenTracking.INDIVIDUAL) -> MessageLinks:
    return MessageLinks("https://links.shop.example", key_ring, 5, handle, opens=opens)


def _link_no(key_ring: KeyRing, url: str) -> int:
    token = verify(key_ring, TokenKind.CLICK, url.rpartition("/")[2])
    assert token is not None
    return token.link_no


def test_a_link_is_written_once_when_text_and_html_have_it(key_ring: KeyRing) -> None:
    links = _links(key_ring)
    assert links.write_link(1, None) == links.write_link(1, None)
    assert links.write_link(2, "https://a.example/1") == links.write_link(2, "https://a.example/1")
    assert links.destinations == {"2": "https://a.example/1"}


def test_every_turn_of_a_loop_leads_elsewhere_when_its_addresses_differ(key_ring: KeyRing) -> None:
    links = _links(key_ring)
    numbers = [_link_no(key_ring, links.write_link(4, f"https://a.example/{turn}")) for turn in range(MAX_TURNS)]
    assert len(set(numbers)) == MAX_TURNS
    assert {template_number(number) for number in numbers} == {4}
    assert [links.destinations[str(number)] for number in numbers] == [
        f"https://a.example/{turn}" for turn in range(MAX_TURNS)
    ]
    assert links.write_link(4, "https://a.example/more") == "https://a.example/more"
    with pytest.raises(InputError):
        links.write_link(MAX_LINKS, None)


def test_unsubscribe_links_are_missing_when_there_is_no_handle(key_ring: KeyRing) -> None:
    assert set(_links(key_ring, None).urls()) == {"view_in_browser", "pixel"}
    assert _links(key_ring, None).headers() == {}


def test_no_pixel_is_written_when_opens_are_off(key_ring: KeyRing) -> None:
    assert "pixel" not in _links(key_ring, opens=OpenTracking.OFF).urls()


def test_the_one_click_headers_stand_as_rfc_8058_says_when_there_is_a_handle(key_ring: KeyRing) -> None:
    links = _links(key_ring)
    assert links.headers() == {
        "List-Unsubscribe": f"<{links.urls()['unsubscribe']}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    token = verify(key_ring, TokenKind.UNSUBSCRIBE, links.urls()["unsubscribe"].rpartition("/")[2])
    assert token is not None
    assert token.token_id == 9


def test_a_message_keeps_its_handle_when_it_is_composed_again(runtime: Runtime, send_mail: SendMail) -> None:
    mail = send_mail()
    wanted = HandleFor(mail.message_id, "new address", "email", "marketing", mail.profile_id)
    with runtime.database.transaction() as connection:
        first = ensure_handles(connection, [wanted], runtime.clock.now())
        assert ensure_handles(connection, [wanted], runtime.clock.now()) == first
        found = find_handle(connection, first[mail.message_id])
    assert found is not None
    assert found.lookup == "new address"


def test_links_lead_where_the_sent_version_says_when_the_template_changed_since(
    runtime: Runtime, database: Database, send_mail: SendMail
) -> None:
    mail = send_mail(own_links={"4": "https://shop.example/for-alice", "1028": "javascript:alert(1)"})
    changed = TEMPLATE.replace("shop.example/tea", "shop.example/coffee")
    with database.transaction() as connection:
        publish(
            connection,
            "template",
            "letter",
            document={"text": changed},
            source=changed,
            file="letter.mjml",
            now=runtime.clock.now(),
        )
    destinations = Destinations(database, runtime.vault)
    found = [destinations.find(mail.token_id, number) for number in (1, 2, 4)]
    assert [item.url if item else None for item in found] == [
        "https://shop.example/tea?cup=1&pot=2",
        "https://shop.example/garden",
        "https://shop.example/for-alice",
    ]
    assert found[0] is not None
    assert found[0].tag == "tea"
    assert destinations.remembered(mail.token_id, 2) == found[1]
    for nowhere in ((mail.token_id, 9), (mail.token_id, 1028), (mail.token_id, 2052), (12345, 1)):
        assert destinations.find(*nowhere) is None


@pytest.mark.parametrize(
    "url",
    [
        "//evil.example/",
        "https:\\\\evil.example/",
        "https://shop.example\\@evil.example/",
        "https://shop.example@evil.example/",
        "https://user:password@shop.example/",
        "https://shop.example/\r\nSet-Cookie: a=b",
        "https://shop.example/\tx",
        "https://shop.example:99999999/",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://shop.example/",
        "/relative",
        "",
    ],
)
def test_a_link_leads_nowhere_when_its_address_is_none_that_a_mail_may_hold(
    runtime: Runtime, database: Database, send_mail: SendMail, url: str
) -> None:
    mail = send_mail(own_links={"4": url})
    assert Destinations(database, runtime.vault).find(mail.token_id, 4) is None


def test_number_zero_is_no_link_of_a_template_when_one_is_written(key_ring: KeyRing) -> None:
    with pytest.raises(InputError):
        _links(key_ring).write_link(0, "https://a.example/")


def test_links_of_its_own_lead_nowhere_when_the_profile_was_erased(
    runtime: Runtime, database: Database, send_mail: SendMail
) -> None:
    mail = send_mail(own_links={"4": "https://shop.example/for-alice"})
    runtime.vault.destroy(mail.profile_id)
    assert Destinations(database, runtime.vault).find(mail.token_id, 4) is None
