"""The story of a campaign: sixty people, two variants, a holdout, offers, and every message through the worker."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from urllib.parse import urlsplit

from sqlalchemy import func, select

from campaigns.launch import finish_launches, launch_campaign
from campaigns.schedule import Occurrence
from core.runtime import Runtime
from customers.tables import customer_event
from delivery.tables import MessageStatus, delivery_attempt, message
from recommender.tables import offer_decision
from tests.campaigns.recording import RecordingTransport, deliver_all
from tests.campaigns.shop import NOW, open_shop
from tracking.decoy import DECOY_LINK
from tracking.destinations import Destinations
from tracking.tables import consent_handle
from tracking.tokens import KeyRing, TokenKind, verify

_LINK = re.compile(r'href="(https://links\.shop\.example/[^"]+)"')


def test_everybody_who_is_due_gets_their_mail_once_when_the_worker_runs(runtime: Runtime) -> None:
    open_shop(runtime, people=60)
    launched = launch_campaign(runtime, "summer", Occurrence(NOW), NOW)
    transport = RecordingTransport()

    result = deliver_all(runtime, transport)
    again = deliver_all(runtime, transport)

    assert (result.counts, again.claimed) == (Counter(sent=launched.counts["message"]), 0)
    assert len({envelope.recipient for envelope in transport.sent}) == len(transport.sent) == launched.counts["message"]
    with runtime.database.transaction() as connection:
        rows = connection.execute(select(message)).all()
        assert {row.status for row in rows} == {MessageStatus.SENT}
        assert all(row.provider_id == f"provider-{row.id}" and row.sent_at == NOW for row in rows)
        assert {row.decision_id for row in rows} <= set(connection.execute(select(offer_decision.c.id)).scalars())
        logged = connection.execute(
            select(func.count()).select_from(customer_event).where(customer_event.c.name == "message_sent")
        ).scalar_one()
        attempts = connection.execute(select(delivery_attempt.c.outcome)).scalars().all()
        assert (logged, Counter(attempts)) == (len(rows), Counter(accepted=len(rows)))
        assert connection.execute(select(func.count()).select_from(consent_handle)).scalar_one() == len(rows)
        assert finish_launches(connection, NOW) == 1


def test_a_mail_is_whole_when_it_reaches_the_transport(runtime: Runtime) -> None:
    open_shop(runtime, people=20)
    launch_campaign(runtime, "summer", Occurrence(NOW), NOW)
    transport = RecordingTransport()
    deliver_all(runtime, transport)
    letter = next(envelope for envelope in transport.sent if envelope.tags["variant"] == "letter")
    name = letter.recipient.partition("@")[0].title()

    assert letter.subject == f"Picked for you, {name}"
    assert letter.sender == "Fern & Kettle <letters@shop.example>"
    assert (letter.reply_to, letter.configuration_set) == ("hello@shop.example", "postilion")
    assert letter.tags == {"mid": letter.message_id, "campaign": "summer", "variant": "letter"}
    assert letter.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter.headers["Feedback-ID"] == "summer:letter:marketing:shop"
    assert f"Hello {name}" in letter.html
    assert f"Hello {name}" in letter.text
    assert letter.html.count("Product ") >= 3
    assert "{{" not in letter.html + letter.text
    assert len(letter.links) == 3
    assert all(url.endswith(f"?from=mail&d={letter.decision_id}") for url in letter.links.values())


def test_every_link_leads_where_the_template_says_when_it_is_followed(runtime: Runtime) -> None:
    open_shop(runtime, people=8)
    launch_campaign(runtime, "summer", Occurrence(NOW), NOW)
    transport = RecordingTransport()
    deliver_all(runtime, transport)
    envelope = transport.sent[0]
    key_ring = KeyRing.derive(runtime.vault.signing_key, runtime.vault.key_version)
    destinations = Destinations(runtime.database, runtime.vault)

    places = []
    for link in _LINK.findall(envelope.html):
        _, kind, text = urlsplit(link).path.split("/")
        if kind == "c":
            token = verify(key_ring, TokenKind.CLICK, text)
            assert token is not None
            if token.link_no == DECOY_LINK:
                continue
            found = destinations.find(token.token_id, token.link_no)
            assert found is not None
            places.append((found.tag, urlsplit(found.url).path))
    assert places[-1] == (None, "/new")
    assert {tag for tag, _ in places[:-1]} == {"offer"}
    assert all(path.startswith("/p/P") for _, path in places[:-1])


def test_a_message_waits_when_it_is_night_where_the_reader_lives(runtime: Runtime) -> None:
    open_shop(runtime, people=4, quiet_hours={"from": "21:00", "to": "10:00"})  # 09:00 in London now
    launch_campaign(runtime, "summer", Occurrence(NOW), NOW)
    transport = RecordingTransport()

    assert set(deliver_all(runtime, transport).counts) == {"held"}
    assert transport.sent == []
    deliver_all(runtime, transport, now=NOW + timedelta(hours=1))
    assert transport.sent
