"""A small shop with a campaign: published files, people with consent, products, and orders with planted rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert

from core.definitions import publish
from core.located import Located, load_yaml
from core.runtime import Runtime
from core.vault import Vault
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.identities import lookup_of, resolve_all
from customers.profiles import set_attributes_of_all
from customers.tables import IdentityKind, product
from customers.workspace import Workspace, get_workspace
from delivery.front_matter import parse_template

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)

WORKSPACE: dict[str, Any] = {
    "workspace": "shop",
    "name": "Fern & Kettle",
    "timezone": "Europe/London",
    "locale": "en_GB",
    "currency": "GBP",
    "country": "GB",
    "postal_address": "12 Mill Lane, Bath",
    "topics": {"marketing": {"kind": "marketing"}, "transactional": {"kind": "transactional"}},
    "senders": {
        "letters": {
            "from": "Fern & Kettle <letters@shop.example>",
            "reply_to": "hello@shop.example",
            "channel": "email",
            "configuration_set": "postilion",
        },
        "texts": {"from": "FernKettle", "channel": "sms"},
    },
    "attributes": {"first_name": {"kind": "text", "personal": True}, "tier": {"kind": "text"}},
    "events": {"signed_up": {"properties": {"source": "text"}}},
}

SEGMENT = "segment: newsletter\nwho:\n  - {attribute: tier, is: {in: [gold, plain]}}\n"
OFFER = "offer: cross_sell\nrecommend: {model: item_item, count: 3, fallback: bestsellers, holdout: 20%}\n"

CAMPAIGN = """\
campaign: summer
name: Summer picks
to: {segment: newsletter}
send: manual
offer: cross_sell
variants:
  letter: {weight: 50, email: letter}
  short: {weight: 50, email: short}
holdout: 20%
goal: {event: order_placed, within: 7d, value: total}
"""

_FRONT = """\
---
template: %s
channel: email
subject: "%s"
preheader: "Three things that go together"
topic: marketing
sender: letters
needs: [offers.cross_sell.items]
---
"""
_BODY = """\
<mjml><mj-body>
<mj-section><mj-column>
<mj-text>Hello {{ profile.first_name | default("there") }}, from {{ workspace.name }}.</mj-text>
{% for item in offers.cross_sell.items[:3] %}
<mj-text><a href="{{ item.url }}" data-link-tag="offer">{{ item.name }}</a></mj-text>
<mj-text>{{ item.price | money(item.currency) }}</mj-text>
{% endfor %}
<mj-button href="https://shop.example/new">See what is new</mj-button>
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a> {{ workspace.postal_address }}</mj-text>
</mj-column></mj-section>
</mj-body></mjml>
"""
TEMPLATES: Mapping[str, str] = {
    "letter": _FRONT % ("letter", "Picked for you, {{ profile.first_name | default('friend') }}") + _BODY,
    "short": _FRONT % ("short", "{{ offers.cross_sell.items[0].name }} and two more") + _BODY,
    "plain": """\
---
template: plain
channel: email
subject: "Hello {{ profile.first_name | default('friend') }}"
topic: marketing
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>Hello {{ profile.first_name | default("there") }}. {{ vars.note | default("") }}</mj-text>
<mj-button href="https://shop.example/new">Look</mj-button>
<mj-text><a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
</mj-column></mj-section></mj-body></mjml>
""",
    "text": """\
---
template: text
channel: sms
topic: marketing
---
Hello {{ profile.first_name | default("there") }}: https://shop.example/new
""",
}


def located(text: str, file: str = "campaigns/summer.yaml") -> Located:
    found, faults = load_yaml(text.encode(), file)
    assert found is not None, faults
    return found


def publish_yaml(connection: Connection, kind: str, text: str, now: datetime = NOW) -> None:
    document = located(text).data
    slug = document[kind]
    publish(connection, kind, slug, document=document, source=text, file=f"{kind}s/{slug}.yaml", now=now)


def publish_template(connection: Connection, text: str, now: datetime = NOW) -> None:
    suffix = "mjml" if "channel: email" in text else "txt"
    source, faults = parse_template(text, f"templates/x.{suffix}")
    assert source is not None, faults
    file = f"templates/{source.template}.{suffix}"
    publish(connection, "template", source.template, document={"text": text}, source=text, file=file, now=now)


def publish_shop(connection: Connection, *campaigns: str, **changes: Any) -> Workspace:
    """Publish the workspace (with `changes`), segment, offer, templates and campaigns."""
    document = {**WORKSPACE, **changes}
    publish(connection, "workspace", "shop", document=document, source="", file="workspace.yaml", now=NOW)
    publish_yaml(connection, "segment", SEGMENT)
    publish_yaml(connection, "offer", OFFER)
    for template in TEMPLATES.values():
        publish_template(connection, template)
    for campaign in campaigns:
        publish_yaml(connection, "campaign", campaign)
    return get_workspace(connection)


def add_people(
    connection: Connection,
    vault: Vault,
    names: Sequence[str],
    *,
    channel: str = "email",
    consent: ConsentStatus | None = ConsentStatus.GRANTED,
    tier: str = "plain",
    **attributes: Any,
) -> list[int]:
    """People with an address (or a number) each and a word about marketing; ids in the order of the names."""
    workspace = get_workspace(connection)
    kind = IdentityKind.EMAIL if channel == "email" else IdentityKind.PHONE
    values = {name: _address(name, kind) for name in names}
    people = [{IdentityKind.EXTERNAL_ID: name, kind: values[name]} for name in names]
    ids = [found for found in resolve_all(connection, vault, people, NOW) if found is not None]
    set_attributes_of_all(
        connection,
        vault,
        workspace,
        {
            number: {"first_name": name.title(), "tier": tier, **attributes}
            for number, name in zip(ids, names, strict=True)
        },
        NOW,
    )
    if consent is not None:
        entries = [
            NewConsent(
                lookup_of(vault, kind, values[name]),
                channel,
                "marketing",
                consent,
                Basis.OPT_IN if consent is ConsentStatus.GRANTED else None,
                "test",
                NOW - timedelta(days=30),
                number,
                f"consent:{channel}:{name}",
            )
            for number, name in zip(ids, names, strict=True)
        ]
        record_consents(connection, entries, NOW)
    return ids


def _address(name: str, kind: IdentityKind) -> str:
    if kind is IdentityKind.EMAIL:
        return f"{name}@people.example"
    return f"+4420794600{sum(name.encode()) % 90 + 10}"


def add_catalogue(connection: Connection, count: int = 12) -> None:
    connection.execute(
        insert(product),
        [
            {
                "sku": f"P{place:02d}",
                "name": f"Product {place}",
                "category": "Tea" if place % 2 else "Garden",
                "price": 500 + 100 * place,
                "currency": "GBP",
                "stock": 20,
                "url": f"https://shop.example/p/P{place:02d}?from=mail",
                "image_url": None,
                "is_hidden": False,
                "is_replenishable": False,
                "attributes": {},
                "updated_at": NOW,
            }
            for place in range(count)
        ],
    )


def open_shop(runtime: Runtime, *campaigns: str, people: int = 6, **changes: Any) -> list[int]:
    """The whole shop with `people` who agreed to everything; answers their ids."""
    with runtime.database.transaction() as connection:
        publish_shop(connection, *(campaigns or (CAMPAIGN,)), **changes)
        add_catalogue(connection)
        return add_people(connection, runtime.vault, [f"person{place:02d}" for place in range(people)])
