"""What a template can read: plain data under the roots of `delivery.front_matter`, the same for campaigns and journeys.

Pure. Personal values are in it in clear: it lives as long as one message takes to render.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from campaigns.definition import Campaign
from customers.own_events import OWN_EVENTS
from customers.profiles import Profile
from customers.workspace import Workspace
from recommender.decisions import DECISION_PARAMETER
from recommender.offers import OfferDecision, OfferItem


def profile_context(profile: Profile) -> dict[str, Any]:
    """`profile.*`: every attribute, and the addresses; what is missing is not there."""
    own = {
        "id": profile.id,
        "external_id": profile.external_id,
        "timezone": profile.timezone,
        "country": profile.country,
        "locale": profile.locale,
        "email": profile.email.value if profile.email else None,
        "phone": profile.phone.value if profile.phone else None,
    }
    return {**profile.attributes, **{name: value for name, value in own.items() if value is not None}}


def workspace_context(workspace: Workspace) -> dict[str, Any]:
    return {
        "slug": workspace.slug,
        "name": workspace.name,
        "timezone": workspace.timezone,
        "locale": workspace.locale,
        "currency": workspace.currency,
        "country": workspace.country,
        "postal_address": workspace.postal_address,
        "brand": dict(workspace.brand),
    }


def campaign_context(campaign: Campaign | None, variant: str | None) -> dict[str, Any]:
    """`campaign.*`; empty in a journey."""
    return {} if campaign is None else {"slug": campaign.slug, "name": campaign.name, "variant": variant}


# In the context of a journey's message: the version that its step pins, where it pins one.
TEMPLATE_VERSION = "template_version"


def declared_context(context: Mapping[str, Any], workspace: Workspace) -> dict[str, Any]:
    """What anybody may see of a message's own context: properties that events declare, and offers."""
    declared = {name for event in (*workspace.events.values(), *OWN_EVENTS.values()) for name in event.properties}
    entry = {name: value for name, value in (context.get("entry") or {}).items() if name in declared}
    steps = {
        name: result
        for name, result in (context.get("steps") or {}).items()
        if isinstance(result, Mapping) and result.get("offer")
    }
    return {"entry": entry, "steps": steps}


def offer_context(decision: OfferDecision) -> dict[str, Any]:
    """`offers.<slug>`: the items in the order of their worth, each linked so that the shop can credit it."""
    ends_at = decision.code_ends_at.isoformat() if decision.code_ends_at is not None else None
    items = [_item(item, decision.id) for item in decision.items]
    return {"decision_id": decision.id, "items": items, **code_context(decision.code, ends_at)}


def code_context(code: str | None, ends_at: str | None) -> dict[str, str]:
    """What there is of a voucher code: a template that reads one where there is none fails, as it should."""
    return {name: value for name, value in (("code", code), ("code_ends_at", ends_at)) if code and value}


def offers_of_steps(steps: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What `offer` steps of a journey have decided already, by offer; of several the last one."""
    found = {}
    for result in steps.values():
        if isinstance(result, Mapping) and result.get("offer") and isinstance(result.get("items"), list):
            items = [_credited(item, result.get("decision_id")) for item in result["items"]]
            code = code_context(result.get("code"), result.get("code_ends_at"))
            found[str(result["offer"])] = {"decision_id": result.get("decision_id"), "items": items, **code}
    return found


def skus_of_entry(entry: Mapping[str, Any]) -> list[str]:
    """The products of the event that began a journey: `skus`, `items` or a single `product_id` or `sku`."""
    listed: list[Any] = []
    for name in ("skus", "items", "products"):
        value = entry.get(name)
        listed += value if isinstance(value, list) else []
    listed += [entry.get("product_id"), entry.get("sku")]
    skus = (_sku(one) for one in listed)
    return list(dict.fromkeys(sku for sku in skus if sku))


def with_decision(url: str | None, decision_id: str | None) -> str | None:
    """`url` with the decision in its query, once."""
    if not url or not decision_id:
        return url
    stated = _stated(decision_id)
    if "?" not in url and "#" not in url:  # most of them: nothing has to be taken apart
        return f"{url}?{stated}"
    parts = urlsplit(url)
    if stated in parts.query.split("&"):
        return url
    return urlunsplit(parts._replace(query=f"{parts.query}&{stated}" if parts.query else stated))


@lru_cache(maxsize=16)
def _stated(decision_id: str) -> str:
    """Asked for each item of a decision."""
    return f"{DECISION_PARAMETER}={quote(decision_id, safe='')}"


def _item(item: OfferItem, decision_id: str) -> dict[str, Any]:
    return {
        "sku": item.sku,
        "name": item.name,
        "price": item.price,
        "currency": item.currency,
        "url": with_decision(item.url, decision_id),
        "image_url": item.image_url,
        "reason": item.reason,
    }


def _credited(item: Any, decision_id: str | None) -> Any:
    return {**item, "url": with_decision(item.get("url"), decision_id)} if isinstance(item, Mapping) else item


def _sku(one: Any) -> str | None:
    if isinstance(one, Mapping):
        one = one.get("sku") or one.get("product_id")
    return str(one) if isinstance(one, str | int) and not isinstance(one, bool) else None
