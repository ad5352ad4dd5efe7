from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from core.runtime import Runtime
from customers.workspace import Workspace
from delivery.front_matter import parse_template
from delivery.templates import compile_template, render
from tests.tracking.conftest import BROWSER, TEMPLATE, SendMail, TestClient
from tests.tracking.server import make_app
from tracking.decoy import DECOY_LINK, PAGE, has_decoy
from tracking.links import MessageLinks
from tracking.tables import engagement_event
from tracking.tokens import KeyRing, TokenKind, verify


def _events(runtime: Runtime) -> list[Any]:
    with runtime.database.read() as connection:
        return list(connection.execute(select(engagement_event).order_by(engagement_event.c.id)))


def _links(key_ring: KeyRing, *, has_decoy: bool) -> MessageLinks:
    return MessageLinks("https://links.shop.example", key_ring, 5, 9, has_decoy=has_decoy)


@pytest.mark.parametrize("decoy", [True, False])
def test_the_html_alone_carries_the_decoy_when_it_is_wanted(key_ring: KeyRing, decoy: bool) -> None:
    source, _ = parse_template(TEMPLATE, "letter.mjml")
    assert source is not None
    links = _links(key_ring, has_decoy=decoy)
    context = {"links": links.urls(), "entry": {"url": "https://shop.example/x"}}
    rendered = render(compile_template(source), context, links.write_link)
    url = _links(key_ring, has_decoy=True).urls()["decoy"]
    assert (url in rendered.html) is decoy
    assert url not in rendered.text
    if decoy:
        before, _, after = rendered.html.partition(f'<a href="{url}"')
        tag = after.partition("</a>")[0]
        assert 'aria-hidden="true" tabindex="-1"' in tag
        assert "display:none" in tag
        assert tag.endswith(">")  # without a word
        assert "</table>" in before


def test_a_decoy_is_a_click_token_of_no_link_when_it_is_written(key_ring: KeyRing) -> None:
    token = verify(key_ring, TokenKind.CLICK, _links(key_ring, has_decoy=True).urls()["decoy"].rpartition("/")[2])
    assert token is not None
    assert (token.token_id, token.link_no) == (5, DECOY_LINK)


def test_mails_have_no_decoy_when_the_workspace_says_so(workspace: Workspace) -> None:
    assert has_decoy(workspace)
    assert not has_decoy(replace(workspace, tracking={"decoy": False}))


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_visit_is_evidence_and_leads_nowhere_when_a_machine_follows_the_decoy(
    client: TestClient, runtime: Runtime, send_mail: SendMail, key_ring: KeyRing, method: str
) -> None:
    mail = send_mail()
    url = MessageLinks("", key_ring, mail.token_id, has_decoy=True).urls()["decoy"]
    client.get(mail.link(1))
    answer = client.request(method, url)
    assert (answer.status_code, answer.content) == (200, PAGE if method == "GET" else b"")
    assert answer.headers["cache-control"] == "no-store, private"
    assert "location" not in answer.headers
    assert [(event.kind, event.reasons, event.human_probability >= 0.5) for event in _events(runtime)] == [
        ("clicked", ["decoy_followed", "links_at_once"], False),
        ("decoyed", ["decoy"], False),
    ]


def test_the_clients_network_is_weighed_and_its_address_not_kept_when_a_trusted_proxy_names_it(
    runtime: Runtime, send_mail: SendMail
) -> None:
    mail = send_mail()
    behind_proxy = Runtime(
        replace(runtime.settings, trusted_proxies="*"), runtime.database, runtime.vault, runtime.clock
    )
    for of, address in ((runtime, "52.1.2.3"), (behind_proxy, "52.1.2.3"), (behind_proxy, "81.2.69.142")):
        with TestClient(make_app(of), follow_redirects=False, headers={"User-Agent": BROWSER}) as client:
            client.get(mail.link(1), headers={"X-Forwarded-For": address})
    events = _events(runtime)
    assert [event.reasons for event in events] == [[], ["datacentre"], []]
    assert not [event for event in events if "52.1" in str(tuple(event))]
