"""Offers on a page of another origin under a strict policy, in a real Chromium."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest

from recommender.decisions import DECISION_PARAMETER
from tests.clients.conftest import MODULES, node
from tests.recommender.shop import PLANTED
from tests.recommender.widget.conftest import ALICE, Site, told
from tests.tracking.chromium import Tab
from tracking.visitor_cookie import NAME

__all__ = ["node"]

OFFERS = '<postilion-offers placement="product" item="SOA00" limit="3"></postilion-offers><p>What stands below.</p>'
WIDGET = "document.querySelector('postilion-offers')"
ROOT = f"{WIDGET}.shadowRoot"
READY = f"{WIDGET}.getAttribute('state') === 'ready'"
HIDDEN = f"{WIDGET}.getAttribute('state') === 'hidden'"
NAMES = f"[...{ROOT}.querySelectorAll('[part~=name]')].map((one) => one.textContent)"
LINKS = f"[...{ROOT}.querySelectorAll('a')].map((one) => one.href)"
SHIFTS = "new PerformanceObserver((all) => all.getEntries().forEach((one) => (window.shifted += one.value)))"
WATCH = f"window.shifted = 0; {SHIFTS}.observe({{type: 'layout-shift', buffered: true}})"
AXE = "axe.run({preload: false}).then((found) => JSON.stringify(found.violations), (error) => error.stack)"


def open_page(tab: Tab, address: str, *, script: str = WATCH, until: str = READY, width: int = 1200) -> None:
    """The page, with a script of ours before its own."""
    added = tab.ask("Page.addScriptToEvaluateOnNewDocument", source=script)
    tab.open(address, width=width)
    tab.ask("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])
    tab.wait(until)


def know_alice(tab: Tab, site: Site) -> None:
    given = {"secure": True, "httpOnly": True, "sameSite": "Lax", "path": "/"}
    assert tab.ask("Network.setCookie", name=NAME, value=ALICE, url=site.api, **given)["success"]


def test_offers_are_shown_when_the_page_has_a_strict_policy(site: Site, tab: Tab) -> None:
    open_page(tab, site.show(OFFERS))
    names = told(tab, NAMES)
    assert (len(names), names[0]) == (3, "Tea 35")
    (decision,) = site.decisions()
    assert told(tab, LINKS)[0] == f"https://shop.example/TEA35?{DECISION_PARAMETER}={decision}"
    assert told(tab, f"{ROOT}.querySelector('[part~=price]').textContent") == "£8.50"
    assert told(tab, f"{ROOT}.querySelector('[part~=reason]').textContent") == "bought together with Soap 00"
    asked = told(tab, "performance.getEntriesByType('resource').map((one) => new URL(one.name).host)")
    assert set(asked) == {urlsplit(site.api).netloc, urlsplit(site.page).netloc}
    assert (tab.complaints, tab.run("document.cookie")) == ([], "")


@pytest.mark.parametrize("width", [1200, 360])
def test_nothing_moves_when_the_answer_arrives(site: Site, tab: Tab, width: int) -> None:
    site.faulty.delay_s = 0.5
    open_page(tab, site.show(OFFERS), until=f"{ROOT} !== null", width=width)
    assert told(tab, f"[{WIDGET}.offsetHeight, {WIDGET}.getAttribute('state')]") == [352, None]
    tab.wait(READY)
    time.sleep(0.3)
    assert tab.run("shifted") == 0
    room = told(tab, f"[{WIDGET}.offsetHeight, {ROOT}.querySelector('section').offsetHeight]")
    assert (room[0], room[1] <= 352) == (352, True)  # 22em
    tab.run("document.querySelector('main').style.padding = 0")
    assert tab.run("document.documentElement.scrollWidth") == width
    tab.run(f"{WIDGET}.style.minHeight = '30em'")
    tab.wait("shifted > 0")  # it would have been noticed


@pytest.mark.parametrize("lang", ["en", "de"])
def test_axe_finds_nothing_when_offers_are_shown(site: Site, tab: Tab, node: str, lang: str) -> None:
    page = f"<h1>Soap</h1>{OFFERS}"
    open_page(tab, site.show(page, lang=lang).replace("tea", f"tea?{lang}"))
    tab.run((MODULES / "axe-core" / "axe.min.js").read_text("utf-8"))
    found = tab.ask("Runtime.evaluate", expression=AXE, awaitPromise=True, returnByValue=True)
    assert found["result"]["value"] == "[]"
    heading = {"en": "You may also like", "de": "Das könnte Ihnen gefallen"}[lang]
    tree = tab.ask("Accessibility.getFullAXTree")["nodes"]
    spoken = {(one["role"]["value"], one.get("name", {}).get("value")) for one in tree if not one["ignored"]}
    assert {("region", heading), ("heading", heading)} <= spoken
    price = {"en": "£8.50", "de": "8,50 £"}[lang]
    told_why = " bought together with Soap 00" if lang == "en" else ""
    names = [name for role, name in spoken if role == "link"]
    assert f"Tea 35 {price}{told_why}" in [" ".join(str(name).split()) for name in names]


@pytest.mark.parametrize("status", [500, 404])
def test_it_hides_and_nothing_moves_when_the_server_fails(site: Site, tab: Tab, status: int) -> None:
    site.faulty.status = status
    open_page(tab, site.show(OFFERS + '<div id="far"></div>'), until=HIDDEN)
    assert told(tab, f"[{WIDGET}.checkVisibility(), {WIDGET}.innerText.trim()]") == [True, ""]
    assert told(tab, f"getComputedStyle({ROOT}.querySelector('section')).visibility") == "hidden"
    assert tab.run("shifted") == 0
    tab.run("document.querySelector('#far').style.height = '9000px'; scrollTo(0, 5000)")
    tab.wait(f"{WIDGET}.hidden")
    assert tab.run("shifted") == 0
    assert site.impressions() == []


def test_it_hides_when_there_is_no_server(site: Site, tab: Tab) -> None:
    dead = "Object.defineProperty(window, 'fetch', {value: () => Promise.reject(new TypeError('no network'))})"
    open_page(tab, site.show(OFFERS), script=dead, until=HIDDEN)
    assert told(tab, NAMES) == []


def test_it_asks_only_when_it_comes_near(site: Site, tab: Tab) -> None:
    open_page(tab, site.show('<div id="long"></div>' + OFFERS), until=f"{ROOT} !== null")
    tab.run("document.querySelector('#long').style.height = '9000px'; scrollTo(0, 1)")
    site.faulty.asked.clear()
    tab.run(f"{WIDGET}.setAttribute('limit', '2')")
    time.sleep(0.3)
    assert [one for one in site.faulty.asked if "recommendations" in one] == []
    tab.run(f"{WIDGET}.scrollIntoView()")
    tab.wait(f"{NAMES}.length === 2")
    assert site.faulty.asked == ["GET /r/v1/recommendations?placement=product&item=SOA00&limit=2"]


def test_views_and_clicks_arrive_with_the_decision_when_nobody_is_known(site: Site, tab: Tab) -> None:
    for _visit in range(2):
        open_page(tab, site.show(OFFERS))
        time.sleep(1.6)
    (decision,) = site.decisions()
    assert site.wait_for(2) == [("shown", None, decision)] * 2
    tab.run(f"{ROOT}.addEventListener('click', (event) => event.preventDefault())")
    tab.run(f"{ROOT}.querySelector('a').click()")
    assert site.wait_for(3)[2] == ("clicked", "TEA35", decision)
    assert "Cookie" not in str(site.faulty.asked)


def test_views_count_once_a_product_when_the_reader_is_known(site: Site, tab: Tab, alice: int) -> None:
    know_alice(tab, site)
    page = '<postilion-offers placement="home" limit="2" personal></postilion-offers>'
    for visit in ("tea", "tea?again"):
        open_page(tab, site.show(page).replace("tea", visit))
        assert told(tab, NAMES)[0] == "Tea 33"
        time.sleep(1.6)
    ((decision, owner),) = site.decisions().items()
    assert owner == alice
    assert sorted(site.wait_for(2)) == [("shown", sku, decision) for sku in sorted((PLANTED["GAR00"], shown(tab)[1]))]


def shown(tab: Tab) -> list[str]:
    return [urlsplit(link).path.strip("/") for link in told(tab, LINKS)]


@pytest.mark.parametrize("reason", ["no cookie", "privacy"])
def test_the_answer_is_for_everybody_when_the_reader_is_not_to_be_known(site: Site, tab: Tab, reason: str) -> None:
    script = WATCH
    if reason == "privacy":
        know_alice(tab, site)
        script = "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})"
    page = '<postilion-offers placement="home" limit="2" personal></postilion-offers>'
    open_page(tab, site.show(page), script=script)
    assert set(site.decisions().values()) == {None}
    asked = [one for one in site.faulty.asked if "recommendations" in one]
    assert ["visitor=me" in one for one in asked] == [reason == "no cookie"]


def test_the_keyboard_reaches_and_follows_an_offer(site: Site, tab: Tab) -> None:
    open_page(tab, site.show(OFFERS))
    tab.run(f"{ROOT}.addEventListener('click', (event) => event.preventDefault())")
    tab.press("Tab")
    assert told(tab, f"{ROOT}.activeElement.querySelector('[part~=name]').textContent") == "Tea 35"
    assert told(tab, f"getComputedStyle({ROOT}.activeElement).outlineStyle") == "solid"
    tab.press("Enter")
    assert ("clicked", "TEA35") in [one[:2] for one in site.wait_for(1)]


def test_the_last_click_arrives_when_the_page_is_left(site: Site, tab: Tab) -> None:
    open_page(tab, site.show(OFFERS))
    tab.run(f"{ROOT}.querySelector('a').href = 'about:blank'; {ROOT}.querySelector('a').click()")
    assert ("clicked", "TEA35") in [one[:2] for one in site.wait_for(1)]


def test_the_pages_template_is_filled_when_it_has_one(site: Site, tab: Tab) -> None:
    template = (
        '<template><article><a data-offer="link"><strong data-offer="name" part="title"></strong></a>'
        '<i data-offer="price"></i><button type="button">Add <span data-offer="sku"></span></button></article>'
        "</template>"
    )
    page = f'<postilion-offers placement="product" item="SOA00" limit="1" heading="More">{template}</postilion-offers>'
    open_page(tab, site.show(page))
    assert told(tab, f"{ROOT}.querySelector('[part=title]').textContent") == "Tea 35"
    assert told(tab, f"{ROOT}.querySelector('article').innerText.split(/\\s+/).join(' ')") == "Tea 35 £8.50 Add TEA35"
    assert told(tab, f"{ROOT}.querySelector('h2').textContent") == "More"
    tab.run(f"{WIDGET}.addEventListener('postilion-clicked', (event) => (window.clicked = event.detail))")
    tab.run(f"{ROOT}.querySelector('button').click()")
    (decision,) = site.decisions()
    clicked = told(tab, "window.clicked")
    assert (clicked["decision_id"], clicked["item"]["sku"]) == (decision, "TEA35")
    assert ("clicked", "TEA35", decision) in site.wait_for(1)


def test_the_page_may_change_or_forbid_what_is_shown(site: Site, tab: Tab) -> None:
    turned = "addEventListener('postilion-offers', (event) => { %s })"
    change = "event.detail.items.length = 1; event.detail.items[0].url = 'javascript:alert(1)'"
    open_page(tab, site.show(OFFERS), script=turned % change)
    assert (told(tab, NAMES), told(tab, LINKS)) == (["Tea 35"], [""])
    open_page(tab, site.show(OFFERS), script=turned % "event.preventDefault()", until=HIDDEN)
    assert told(tab, NAMES) == []


def test_it_asks_anew_when_its_attributes_change(site: Site, tab: Tab) -> None:
    open_page(tab, site.show(OFFERS))
    tab.run(f"{WIDGET}.setAttribute('item', 'TEA01'); {WIDGET}.setAttribute('limit', '2')")
    tab.wait(f"{NAMES}[0] === 'Garden 34'")
    assert len(told(tab, NAMES)) == 2
    tab.run(f"{WIDGET}.setAttribute('placement', 'attic')")
    tab.wait(HIDDEN)
    tab.run(f"{WIDGET}.setAttribute('placement', 'home')")
    tab.wait(READY)
    assert tab.run("shifted") == 0
