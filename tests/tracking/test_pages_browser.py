"""The pages in a real browser: by keyboard alone, without a script, read by everybody, on a telephone and at night."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from console.server import serving
from core.clock import ManualClock, SystemClock
from core.definitions import publish
from core.runtime import Runtime
from customers.consent import Basis, ConsentStatus, NewConsent, record_consents
from customers.tables import profile
from delivery.tables import message
from examples.commands import free_port
from tests.tracking.chromium import Tab, chromium
from tests.tracking.conftest import WORKSPACE_DOCUMENT, Mail, SendMail
from tracking.pages.contrast import contrast
from tracking.tables import sign_up

FORM = {
    "form": "newsletter",
    "title": "Letters from the shop",
    "text": "Twice a month, what has grown, what is brewing, and one thing at a better price.",
    "fields": [
        {"attribute": "first_name", "label": "First name", "required": True, "autocomplete": "given-name"},
        {"attribute": "tier", "label": "What do you grow?", "options": ["Herbs", "Roses", "Nothing yet"]},
    ],
    "topics": ["marketing", "events"],
    "choose": True,
    "consent": {"text": "Fern & Kettle may write to me by e-mail. I can leave at any time.", "version": "2026-11"},
    "button": "Send me the letters",
    "embed": ["https://shop.example"],
}
# Of every element with text of its own: that text, its colour, the colour behind it, and whether it is big.
TEXTS = """
[...document.querySelectorAll('body *')].flatMap(element => {
  const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || element.closest('.trap') || element.matches('option, style')) return [];
  let behind = element, colour = 'rgba(0, 0, 0, 0)';
  while (behind && colour === 'rgba(0, 0, 0, 0)') {
    colour = getComputedStyle(behind).backgroundColor; behind = behind.parentElement;
  }
  return [[element.textContent.trim().slice(0, 40), getComputedStyle(element).color, colour]];
})
"""
UNLABELLED = """
[...document.querySelectorAll('input:not([type=hidden]), select')]
  .filter(field => !field.closest('.trap') && !(field.labels && field.labels.length)).map(field => field.name)
"""
SMALL = """
[...document.querySelectorAll('button, select, input:not([type=hidden]), a')].filter(part => !part.closest('.trap'))
  .map(part => [part.outerHTML.slice(0, 60), (part.closest('label') || part).getBoundingClientRect()])
  .filter(([_, box]) => box.width < 24 || box.height < 24).map(([text]) => text)
"""
LANDMARKS = "['header', 'main', 'h1'].map(name => document.querySelectorAll(name).length)"
FOCUSED = "(at => (at.name || at.tagName) + ':' + (at.value || ''))(document.activeElement || document.documentElement)"


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def mail(send_mail: SendMail, runtime: Runtime, clock: ManualClock) -> Mail:
    sent = send_mail()
    with runtime.database.transaction() as connection:
        now = clock.now()
        publish(connection, "form", "newsletter", document=FORM, source="", file="forms/newsletter.yaml", now=now)
        entry = NewConsent(
            sent.lookup, "email", "marketing", ConsentStatus.GRANTED, Basis.OPT_IN, "form", now, sent.profile_id, "f"
        )
        record_consents(connection, [entry], now)
    return sent


@pytest.fixture
def served(runtime: Runtime, mail: Mail) -> Iterator[str]:
    """The whole application by the machine's own clock, because the browser keeps to that one."""
    port = str(free_port())
    settings = replace(runtime.settings, port=port, public_url=f"http://127.0.0.1:{port}")
    with serving(replace(runtime, settings=settings, clock=SystemClock())) as url:
        yield url


def paths(mail: Mail) -> dict[str, str]:
    return {
        "form": "/f/newsletter",
        "framed": "/f/newsletter/embed",
        "preferences": mail.path("preferences"),
        "unsubscribe": mail.path("unsubscribe"),
        "nothing": "/f/nothing",
    }


def hex_of(colour: str) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in re.findall(r"\d+", colour)[:3])


@pytest.mark.parametrize("brand", ["#24483a", "#ffdd00", "#f2f2f2", "#777777"])
@pytest.mark.parametrize("dark", [False, True])
def test_every_page_can_be_read_and_used_by_everybody(
    runtime: Runtime, clock: ManualClock, tab: Tab, mail: Mail, served: str, brand: str, dark: bool
) -> None:
    document = {**WORKSPACE_DOCUMENT, "brand": {"color": brand}}
    with runtime.database.transaction() as connection:
        publish(connection, "workspace", "shop", document=document, source="", file="workspace.yaml", now=clock.now())
    tab.complaints.clear()
    for name, path in paths(mail).items():
        for width in (320, 1200):
            tab.open(f"{served}{path}", dark=dark, width=width)
            shown = tab.run(TEXTS)
            low = [one for one in shown if contrast(hex_of(one[1]), hex_of(one[2])) < 4.5]
            assert len(shown) > 2
            assert low == [], (name, width)
            assert tab.run(UNLABELLED) == []
            assert tab.run(SMALL) == []
            assert tab.run(LANDMARKS) == [0 if name == "framed" else 1, 1, 1]
            assert tab.run("document.documentElement.scrollWidth") <= width, name
            assert tab.run("document.scripts.length") == 0
    # The page that is not there is all that the browser may complain of.
    assert [text for text in tab.complaints if "404" not in text] == []


def test_a_form_is_filled_in_by_keyboard_alone_and_its_faults_are_told_first(
    runtime: Runtime, tab: Tab, served: str
) -> None:
    tab.open(f"{served}/f/newsletter")
    tab.press("Tab")
    assert tab.run(FOCUSED) == "email:"
    tab.type("alice@")
    seen = walk_to(tab, "BUTTON")
    assert "website:" not in seen
    assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.press("Enter")
    tab.wait("document.title.startsWith('Error:')")
    tab.wait("document.activeElement.className === 'summary'")
    tab.press("Tab")
    tab.press("Enter")
    tab.wait("document.activeElement.name === 'email'")
    tab.run("document.activeElement.select()")
    tab.type("new@shop.example")
    tab.press("Tab")
    tab.type("Alice")
    walk_to(tab, "topic:marketing")
    tab.press(" ")
    walk_to(tab, "consent")
    tab.press(" ")
    time.sleep(2.1)  # a program would be quicker
    walk_to(tab, "BUTTON")
    tab.press("Enter")
    tab.wait("document.querySelector('h1').textContent === 'Thank you'")
    with runtime.database.read() as connection:
        row = connection.execute(select(sign_up)).one()
    assert (row.status, row.topics) == ("waiting", ["marketing"])


def test_everything_is_left_and_paused_by_keyboard_alone(tab: Tab, mail: Mail, served: str) -> None:
    tab.open(f"{served}{mail.path('unsubscribe')}")
    walk_to(tab, "scope:everything")
    tab.press("Enter")
    tab.wait("document.querySelector('[role=status]') !== null")
    walk_to(tab, "A")
    tab.press("Enter")
    tab.wait("location.pathname.startsWith('/p/') && document.readyState === 'complete'")
    walk_to(tab, "do:pause")
    tab.press("Enter")
    tab.wait("document.querySelector('[value=resume]') !== null")


def walk_to(tab: Tab, wanted: str) -> list[str]:
    """Press Tab until `wanted` has the focus; what was passed on the way."""
    seen = []
    for _ in range(30):
        seen.append(str(tab.run(FOCUSED)))
        if seen[-1].startswith(wanted):
            return seen
        tab.press("Tab")
    raise AssertionError(f"{wanted} is not among {seen}")


@pytest.mark.skipif("POSTILION_PICTURES" not in os.environ, reason="makes the pictures of the documentation")
def test_pictures(runtime: Runtime, tab: Tab, mail: Mail, served: str) -> None:
    folder = Path(os.environ["POSTILION_PICTURES"])
    for name, path in paths(mail).items():
        for width in (375, 1200):
            for dark in (False, True):
                tab.open(f"{served}{path}", width=width, dark=dark)
                tab.shoot(folder / f"{name}_{width}{'_dark' if dark else ''}.png", width)
    tab.open(f"{served}/f/newsletter", width=375)
    tab.run("document.querySelector('button').click()")
    tab.wait("document.title.startsWith('Error:')")
    tab.shoot(folder / "faults_375.png", 375)
    tab.shoot(folder / "faults_1200.png", 1200)
    with runtime.database.transaction() as connection:
        connection.execute(update(profile).values(locale="de_DE"))
        assert connection.execute(select(message.c.id)).all()
    tab.open(f"{served}{mail.path('preferences')}", width=375)
    tab.run("document.querySelector('[value=pause]').click()")
    tab.wait("document.querySelector('[value=resume]') !== null")
    tab.shoot(folder / "german_375.png", 375)
