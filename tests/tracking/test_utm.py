from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import ManualClock
from core.database import Database
from core.definitions import publish
from core.located import load_yaml
from core.runtime import Runtime
from core.schema_check import check_schema
from tests.tracking.conftest import WORKSPACE_DOCUMENT, SendMail
from tracking.destinations import Destinations
from tracking.utm import UtmRules, parse_utm, utm_flaws, with_utm

WORDS = {
    "workspace": "shop",
    "campaign": "spring sale",
    "channel": "email",
    "variant": "b",
    "topic": "news",
    "step": None,
}
USUAL = parse_utm(True)


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://a.example", "https://a.example?utm_source=shop&utm_medium=email&utm_campaign=spring%20sale"),
        ("https://a.example/x?y=1#z", "https://a.example/x?y=1&utm_source=shop&utm_medium=email&utm_campaign=spring%20sale#z"),
        ("https://a.example/#/route?x=1", "https://a.example/?utm_source=shop&utm_medium=email&utm_campaign=spring%20sale#/route?x=1"),
        ("https://a.example/?UTM_Source=own&utm%5Fmedium=x", "https://a.example/?UTM_Source=own&utm%5Fmedium=x&utm_campaign=spring%20sale"),
    ],
)  # fmt: skip
def test_parameters_stand_before_the_anchor_when_the_link_has_none_of_its_own(url: str, written: str) -> None:
    assert with_utm(url, USUAL, WORDS) == written


def test_a_parameter_is_left_out_when_nothing_fills_it() -> None:
    rules = parse_utm({"source": "letter", "content": "{step}", "term": "{topic}-{variant}"})
    assert with_utm("https://a.example/", rules, WORDS) == "https://a.example/?utm_source=letter&utm_term=news-b"


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        ("https://shop.example/a", True),
        ("https://WWW.Shop.example:8443/a", True),
        ("https://notshop.example/a", False),
        ("https://shop.example.evil.example/a", False),
        ("https://other.example/?shop.example", False),
    ],
)
def test_only_own_hosts_are_marked_when_domains_are_listed(url: str, is_own: bool) -> None:
    rules = parse_utm({"source": "x", "domains": ["shop.example"]})
    assert (with_utm(url, rules, WORDS) != url) is is_own


def test_the_campaigns_rules_go_over_the_workspaces_when_both_write_some() -> None:
    under = parse_utm({"source": "shop", "medium": "email", "domains": ["shop.example"]})
    assert parse_utm(None, under) is under
    assert parse_utm(False, under) is None
    assert parse_utm(None) is None
    over = parse_utm({"medium": "newsletter"}, under)
    assert over == UtmRules({"source": "shop", "medium": "newsletter"}, frozenset({"shop.example"}))


@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_what_a_link_says_stays_and_no_value_breaks_out_when_parameters_are_added(
    value: str, query: str, fragment: str
) -> None:
    safe = "".join(one for one in query + fragment if one.isalnum() and one.isascii())
    url = f"https://a.example/p?q={safe}#{safe}"
    parts = urlsplit(with_utm(url, UtmRules({"campaign": "{campaign}"}), {"campaign": value}))
    assert (parts.netloc, parts.path, parts.fragment) == ("a.example", "/p", safe)
    pairs = dict(parse_qsl(parts.query, keep_blank_values=True))
    assert pairs.get("q") == safe
    assert pairs.get("utm_campaign", "") == value.strip()


def test_an_unknown_word_is_a_fault_when_a_file_writes_it() -> None:
    assert [(name, message) for name, message, _ in utm_flaws({"campaign": "{campain}", "source": "{workspace}"})] == [
        ("campaign", "nothing stands for {campain}")
    ]
    assert list(utm_flaws(True)) == []


def test_the_schema_takes_every_form_when_a_workspace_writes_it() -> None:
    head = "workspace: shop\ntimezone: UTC\ncurrency: EUR\ncountry: DE\ntopics: {news: {kind: marketing}}\n"
    for tracking in (
        "{utm: true}",
        "{utm: {source: letter, campaign: '{campaign}', domains: [shop.example]}, decoy: false}",
        "{attribution: {after_click: 14d, after_delivery: 0d}}",
    ):
        located, faults = load_yaml(f"{head}tracking: {tracking}\n".encode(), "workspace.yaml")
        assert located is not None
        assert faults + check_schema(located, "workspace") == []


def _publish(database: Database, kind: str, slug: str, document: Any, clock: ManualClock) -> None:
    with database.transaction() as connection:
        publish(connection, kind, slug, document=document, source=str(document), file=f"{slug}.yaml", now=clock.now())


def test_the_rules_of_its_day_hold_when_they_are_changed_after_a_mail_went_out(
    runtime: Runtime, database: Database, send_mail: SendMail, clock: ManualClock
) -> None:
    tracking = {"utm": {"source": "{workspace}", "content": "{link}", "domains": ["shop.example"]}}
    _publish(database, "workspace", "shop", {**WORKSPACE_DOCUMENT, "tracking": tracking}, clock)
    _publish(database, "campaign", "letters", {"campaign": "letters", "utm": {"campaign": "{campaign}"}}, clock)
    clock.advance(timedelta(minutes=1))
    mail = send_mail(own_links={"4": "https://elsewhere.example/for-alice"})
    clock.advance(timedelta(minutes=1))
    _publish(database, "workspace", "shop", {**WORKSPACE_DOCUMENT, "tracking": {"utm": False}}, clock)
    destinations = Destinations(database, runtime.vault)
    found = [destinations.find(mail.token_id, number) for number in (1, 2, 4)]
    assert [one.url if one else None for one in found] == [
        "https://shop.example/tea?cup=1&pot=2&utm_source=shop&utm_campaign=letters&utm_content=tea",
        "https://shop.example/garden?utm_source=shop&utm_campaign=letters&utm_content=2",
        "https://elsewhere.example/for-alice",
    ]
