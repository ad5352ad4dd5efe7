"""Composing: what stands in a message, for campaigns and journeys, and what one failure does to the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from campaigns.compose import Composer
from campaigns.envelopes import tag_value
from campaigns.launch import launch_campaign
from campaigns.message_context import offers_of_steps, skus_of_entry, with_decision
from campaigns.schedule import Occurrence
from core.definitions import withdraw
from core.runtime import Runtime
from customers.workspace import get_workspace
from delivery.envelope import Composed, Envelope, NotSent
from delivery.facts import Gathered, gather_facts
from delivery.ledger import claim_due
from delivery.outbox import NewMessage, enqueue
from delivery.tables import MessageKind, OriginKind
from tests.campaigns.shop import NOW, OFFER, TEMPLATES, add_people, open_shop, publish_template, publish_yaml

PLAIN = "campaign: plain\nto: {segment: newsletter}\nsend: manual\nemail: plain\n"


def composed(runtime: Runtime, composer: Composer | None = None) -> list[Composed]:
    """Everything that is due, claimed and composed."""
    rows, gathered = claimed(runtime)
    return (composer or Composer(runtime)).compose(rows, gathered)


def claimed(runtime: Runtime) -> tuple[Sequence[Any], Mapping[str, Gathered]]:
    with runtime.database.transaction() as connection:
        rows = claim_due(connection, worker="test", limit=500, now=NOW, paused={})
        gathered = gather_facts(connection, runtime.vault, get_workspace(connection), rows, NOW)
    return rows, gathered


def envelopes(found: Sequence[Composed]) -> list[Envelope]:
    return [one for one in found if isinstance(one, Envelope)]


def failures(found: Sequence[Composed]) -> list[tuple[str, str]]:
    return [(str(one.reason), one.detail) for one in found if isinstance(one, NotSent)]


def launch(runtime: Runtime, campaign: str = "plain") -> None:
    launch_campaign(runtime, campaign, Occurrence(NOW), NOW)


def queue_step(runtime: Runtime, profile_id: int, template: str, name: str = "m1", **changes: Any) -> None:
    """A message of a journey."""
    values: dict[str, Any] = {
        "id": name,
        "profile_id": profile_id,
        "channel": "email",
        "topic": "marketing",
        "template": template,
        "origin_kind": OriginKind.JOURNEY,
        "origin": "win_back",
        "origin_id": f"enrolment-{name}",
        "step": "missed",
        "due_at": NOW,
        **changes,
    }
    with runtime.database.transaction() as connection:
        enqueue(connection, runtime.vault, [NewMessage(**values)], NOW)


def test_one_broken_profile_is_one_failure_when_the_others_are_fine(runtime: Runtime) -> None:
    open_shop(runtime, PLAIN, people=5)
    needy = """\
---
template: plain
channel: email
subject: "Hello {{ profile.first_name }}"
topic: marketing
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>{{ profile.shoe_size + 1 }} <a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
    with runtime.database.transaction() as connection:
        publish_template(connection, needy)
        add_people(connection, runtime.vault, ["zoe"], shoe_size="39")
    launch(runtime)
    found = composed(runtime)
    assert len(found) == 6
    assert {reason for reason, _ in failures(found)} == {"render_error"}
    assert {detail.partition(":")[0] for _, detail in failures(found)} == {"template 'plain', line 8"}
    assert not any("39" in detail or "Person" in detail for _, detail in failures(found))


def test_nothing_is_sent_without_its_offers_when_there_is_nothing_to_offer(runtime: Runtime) -> None:
    open_shop(runtime, people=3)
    with runtime.database.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM product")
    launch(runtime, "summer")
    assert {reason for reason, _ in failures(composed(runtime))} == {"no_offer"}


def test_everybody_reads_the_code_of_an_offer_that_has_one_for_all(runtime: Runtime) -> None:
    open_shop(runtime, people=3)
    with runtime.database.transaction() as connection:
        text = TEMPLATES["letter"].replace("See what is new", "Say {{ offers.cross_sell.code }}")
        publish_template(connection, text)
        publish_template(connection, text.replace("template: letter", "template: short"))
        publish_yaml(connection, "offer", OFFER + "code: {static: TEN}\n")
    launch(runtime, "summer")
    rows, gathered = claimed(runtime)
    found = envelopes(Composer(runtime).compose(rows, gathered))
    assert found
    assert all("Say TEN" in envelope.text for envelope in found)
    with runtime.database.transaction() as connection:
        publish_yaml(connection, "offer", OFFER)
    assert {reason for reason, _ in failures(Composer(runtime).compose(rows, gathered))} == {"render_error"}


def test_the_same_products_are_shown_when_a_message_is_composed_again(runtime: Runtime) -> None:
    open_shop(runtime, people=6)
    launch(runtime, "summer")
    rows, gathered = claimed(runtime)
    composer = Composer(runtime)
    first, again = (envelopes(composer.compose(rows, gathered)) for _ in range(2))
    assert [one.links for one in first] == [one.links for one in again]
    assert [one.headers for one in first] == [one.headers for one in again]
    assert len(first) == len(rows)


def test_a_template_that_is_gone_fails_its_messages_and_no_others(runtime: Runtime) -> None:
    alice, bob = open_shop(runtime, people=2)
    queue_step(runtime, alice, "plain", "good")
    queue_step(runtime, bob, "vanished", "bad")
    found = composed(runtime)
    assert [one.message_id for one in envelopes(found)] == ["good"]
    ((reason, detail),) = failures(found)
    assert (reason, "vanished" in detail) == ("render_error", True)


def test_an_offer_that_is_gone_fails_the_messages_that_show_it(runtime: Runtime) -> None:
    open_shop(runtime, people=2)
    launch(runtime, "summer")
    with runtime.database.transaction() as connection:
        withdraw(connection, "offer", "cross_sell", NOW)
    assert {reason for reason, _ in failures(composed(runtime))} == {"render_error"}


def test_a_journey_s_own_values_are_there_when_its_message_is_composed(runtime: Runtime) -> None:
    (alice,) = open_shop(runtime, people=1)
    queue_step(runtime, alice, "plain", context={"entry": {}, "steps": {}, "vars": {"note": "We kept your cart."}})
    (envelope,) = envelopes(composed(runtime))
    assert "We kept your cart." in envelope.html
    assert envelope.tags == {"mid": "m1", "journey": "win_back", "step": "missed"}
    assert envelope.headers["Feedback-ID"] == "win_back:missed:marketing:shop"
    assert envelope.sender == "Fern & Kettle <letters@shop.example>"  # the first of its channel


def test_the_products_of_an_offer_step_are_shown_when_a_journey_has_decided_already(runtime: Runtime) -> None:
    (alice,) = open_shop(runtime, people=1)
    item = {"sku": "X1", "name": "Chosen before", "price": 990, "currency": "GBP", "url": "https://shop.example/x1"}
    steps = {"pick": {"offer": "cross_sell", "decision_id": "d-1", "items": [item]}}
    queue_step(runtime, alice, "letter", context={"entry": {}, "steps": steps, "vars": {}})
    (envelope,) = envelopes(composed(runtime))
    assert "Chosen before" in envelope.html
    assert envelope.decision_id == "d-1"
    assert list(envelope.links.values()) == ["https://shop.example/x1?d=d-1"]


def test_people_in_one_journey_share_a_decision_only_with_themselves_when_they_come_again(runtime: Runtime) -> None:
    (alice,) = open_shop(runtime, people=1)
    queue_step(runtime, alice, "letter", "first")
    queue_step(runtime, alice, "letter", "second", step="again")
    one, other = envelopes(composed(runtime))
    assert one.decision_id != other.decision_id


def test_no_way_out_is_promised_when_a_message_is_transactional(runtime: Runtime) -> None:
    (alice,) = open_shop(runtime, people=1)
    receipt = """\
---
template: receipt
channel: email
kind: transactional
topic: transactional
subject: Paid
---
<mjml><mj-body><mj-section><mj-column><mj-text>Thank you</mj-text></mj-column></mj-section></mj-body></mjml>
"""
    with runtime.database.transaction() as connection:
        publish_template(connection, receipt)
    queue_step(runtime, alice, "receipt", kind=MessageKind.TRANSACTIONAL, topic="transactional")
    (envelope,) = envelopes(composed(runtime))
    assert "List-Unsubscribe" not in envelope.headers
    assert envelope.kind is MessageKind.TRANSACTIONAL


def test_the_campaign_s_own_sender_and_headers_are_used_when_it_states_them(runtime: Runtime) -> None:
    own = (
        PLAIN + "from: Anna of Fern\nreply_to: anna@shop.example\nheaders: {X-Season: summer}\nwith: {note: By hand}\n"
    )
    open_shop(runtime, own, people=1)
    launch(runtime)
    (envelope,) = envelopes(composed(runtime))
    assert envelope.sender == "Anna of Fern <letters@shop.example>"
    assert envelope.reply_to == "anna@shop.example"
    assert envelope.headers["X-Season"] == "summer"
    assert "By hand" in envelope.html


def test_the_version_that_was_launched_is_composed_when_the_campaign_has_changed_since(runtime: Runtime) -> None:
    open_shop(runtime, PLAIN + "with: {note: Before}\n", people=1)
    launch(runtime)
    with runtime.database.transaction() as connection:
        publish_yaml(connection, "campaign", PLAIN + "with: {note: After}\n")
    (envelope,) = envelopes(composed(runtime))
    assert "Before" in envelope.html


def test_a_text_message_is_folded_and_tracked_when_it_is_composed(runtime: Runtime) -> None:
    open_shop(runtime, PLAIN.replace("email: plain", "sms: text"), people=1)
    with runtime.database.transaction() as connection:
        add_people(connection, runtime.vault, ["dave"], channel="sms")
    launch(runtime)
    (envelope,) = envelopes(composed(runtime))
    assert envelope.channel == "sms"
    assert envelope.sender == "FernKettle"
    assert envelope.text.startswith("Hello Dave: https://links.shop.example/c/")
    assert (envelope.html, envelope.subject) == ("", "")


def test_no_pixel_is_in_the_mail_when_opens_are_not_tracked(runtime: Runtime) -> None:
    open_shop(runtime, PLAIN, people=1, tracking={"opens": "off"})
    launch(runtime)
    (envelope,) = envelopes(composed(runtime))
    assert "/o/" not in envelope.html


@pytest.mark.parametrize(("tracking", "found"), [({}, 1), ({"decoy": False}, 0)])
def test_the_link_that_nobody_sees_is_in_the_mail_when_the_workspace_wants_it(
    runtime: Runtime, tracking: Mapping[str, Any], found: int
) -> None:
    open_shop(runtime, PLAIN, people=1, tracking=tracking)
    launch(runtime)
    (envelope,) = envelopes(composed(runtime))
    assert envelope.html.count('aria-hidden="true" tabindex="-1"') == found


def test_an_unforeseen_fault_is_one_failure_when_a_profile_breaks_the_composer(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(runtime, PLAIN, people=3)
    launch(runtime)
    rows, gathered = claimed(runtime)
    broken = {**gathered, rows[0].id: replace(gathered[rows[0].id], profile=None)}  # type: ignore[arg-type]  # a fault
    found = Composer(runtime).compose(rows, broken)
    assert len(envelopes(found)) == 2
    assert failures(found) == [("render_error", "composing failed unforeseen: AttributeError")]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/x", "https://a.example/x?d=D"),
        ("https://a.example/x?y=1#top", "https://a.example/x?y=1&d=D#top"),
        ("https://a.example/x?d=D", "https://a.example/x?d=D"),
        (None, None),
    ],
)
def test_a_link_names_its_decision_once_when_it_is_credited(url: str | None, expected: str | None) -> None:
    assert with_decision(url, "D") == expected


def test_skus_are_found_when_an_entry_event_names_products() -> None:
    entry = {"items": [{"product_id": "A"}, {"sku": "B"}, "C", 7], "product_id": "D", "skus": ["A"]}
    assert skus_of_entry(entry) == ["A", "B", "C", "7", "D"]
    assert skus_of_entry({"items": 3, "sku": True}) == []
    assert offers_of_steps({"a": {"branch": "x"}, "b": "text"}) == {}


def test_a_tag_has_only_what_ses_allows_when_a_name_has_more() -> None:
    assert tag_value("Grüße & Küsse") == "Gr--e---K-sse"


def test_a_campaign_is_composed_when_its_offer_is_not_named_by_the_template(runtime: Runtime) -> None:
    unnamed = """\
---
template: plain
channel: email
subject: "For you"
topic: marketing
---
<mjml><mj-body><mj-section><mj-column>
{% for item in items %}<mj-text><a href="{{ item.url }}">{{ item.name }}</a></mj-text>{% endfor %}
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
"""
    open_shop(runtime, PLAIN + "offer: cross_sell\n", people=1)
    with runtime.database.transaction() as connection:
        publish_template(connection, unnamed)
    launch(runtime)
    (envelope,) = envelopes(composed(runtime))
    assert len(envelope.links) == 3


def test_a_step_writes_its_own_words_on_the_outside_when_it_has_any(runtime: Runtime) -> None:
    (alice,) = open_shop(runtime, PLAIN, people=1)
    outside = {"from": "Anna", "reply_to": "help@shop.example", "headers": {"X-Step": "a"}}
    queue_step(runtime, alice, "plain", context={"outside": outside})
    (envelope,) = envelopes(composed(runtime))
    assert envelope.sender.startswith("Anna <")
    assert (envelope.reply_to, envelope.headers["X-Step"]) == ("help@shop.example", "a")
