"""Simulated recipients: people and machines that answer mails by real HTTP requests, on the demo's clock.

What each person does is drawn by a hash of person and mail from the planted chances, so that a run can be repeated and
checked against the truth. Machines behave as they are documented to: a gateway follows every link, a mail program's
privacy proxy and Gmail's fetch the pixel unread.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from urllib.parse import parse_qs, urlsplit

from examples.shop.browser import Browser
from examples.shop.mailbox import Mail, Mailbox
from examples.shop.truth import Persona, Response

_BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0 Safari/537.36"
_SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1"
_GMAIL_PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
_GMAIL_PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)
_APPLE_PREFETCH = "Mozilla/5.0"
_SCANNER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 HeadlessChrome/120.0 Safari/537.36"

_SLOT = timedelta(minutes=5)  # what happens within it happens at once, so that requests can run side by side
_THREADS = 16
_UNSUBSCRIBES = 0.012  # of those who open
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order that a person is going to place; without a sku the shop picks something usual."""

    external_id: str
    key: str
    sku: str | None = None
    decision_id: str | None = None


@dataclass(order=True, frozen=True, slots=True)
class _Planned:
    at: datetime
    number: int
    act: Callable[[], None] = field(compare=False)


@dataclass(slots=True)
class Tally:
    """What the simulation really did, to be held against what the report says."""

    human_opens: set[str] = field(default_factory=set)
    human_clicks: set[str] = field(default_factory=set)
    machine_requests: int = 0  # for the pixel and for links that count
    unsubscribed: int = 0
    buyers: set[str] = field(default_factory=set)


class Recipients:
    """Everybody who can get mail.

    `who(address)` answers external id and planted chances, or None for a stranger; `skus` is by the path of a product's
    page.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        browser: Browser,
        who: Callable[[str], tuple[str, Response] | None],
        purchase: Callable[[Purchase, datetime], None],
        skus: Mapping[str, str],
        seed: int,
    ) -> None:
        self._mailbox = mailbox
        self._browser = browser
        self._who = who
        self._purchase = purchase
        self._skus = skus
        self._seed = seed
        self._plan: list[_Planned] = []
        self._number = 0
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="recipients")
        self._counting = Lock()
        self.tally = Tally()

    def close(self) -> None:
        self._pool.shutdown()

    def live(self, people: Mapping[str, Response], start: datetime) -> None:
        """Plan the orders of one week that come whatever anybody sends."""
        for external_id, response in people.items():
            if self._chance(external_id, "buy") < response.buy:
                at = start + _WEEK * self._chance(external_id, "buy at")
                self._add(at, partial(self._buy, Purchase(external_id, f"{external_id}-own"), at))

    def plan(self, at: datetime, act: Callable[[], None]) -> None:
        """Have `act` done at `at`, among everything else that happens."""
        self._add(at, act)

    def order(self, purchase: Purchase, at: datetime) -> None:
        """Somebody orders now, whatever mail they had."""
        self._buy(purchase, at)

    def read_mail(self, now: datetime) -> int:
        """Take the mails that arrived and plan how they are answered."""
        count = 0
        for mail in self._mailbox.fetch():
            count += 1
            known = self._who(mail.to)
            if known is not None and mail.kind == "email":
                self._answer(mail, *known, now)
        return count

    def next_at(self) -> datetime | None:
        return self._plan[0].at if self._plan else None

    def act_until(self, instant: datetime, move_clock: Callable[[datetime], object]) -> int:
        """Do what is planned before `instant`, slot by slot, moving the clock along."""
        count = 0
        while self._plan and self._plan[0].at < instant:
            slot_end = self._plan[0].at + _SLOT
            acts = []
            while self._plan and self._plan[0].at < min(slot_end, instant):
                planned = heapq.heappop(self._plan)
                acts.append(planned.act)
                last = planned.at
            move_clock(last)
            for done in [self._pool.submit(act) for act in acts]:
                done.result()
            count += len(acts)
        return count

    # -- how one mail is answered -----------------------------------------------------------------------------------

    def _answer(self, mail: Mail, external_id: str, response: Response, now: datetime) -> None:
        self._machines(mail, response.persona, now)
        if self._chance(external_id, mail.message_id, "open") >= response.open:
            return
        opened_at = now + timedelta(minutes=25) + timedelta(hours=40) * self._chance(mail.message_id, "when") ** 2
        self._add(opened_at, lambda: self._open(mail, response.persona))
        if self._chance(external_id, mail.message_id, "unsubscribe") < _UNSUBSCRIBES and mail.unsubscribe:
            self._add(opened_at + timedelta(minutes=1), lambda: self._unsubscribe(mail))
            return
        chance = response.click_offer if mail.offers else response.click
        if self._chance(external_id, mail.message_id, "click") < chance:
            choices = mail.offers
            if choices:
                link = choices[int(self._chance(mail.message_id, "which") * len(choices))]
                clicked_at = opened_at + timedelta(minutes=6)
                self._add(clicked_at, lambda: self._click(mail, link, external_id, response, clicked_at))

    def _machines(self, mail: Mail, persona: Persona, now: datetime) -> None:
        if persona is Persona.SCANNER:
            self._add(now, lambda: self._scan(mail))
        elif persona is Persona.APPLE_MPP and mail.pixel:
            at = now + timedelta(hours=8) * self._chance(mail.message_id, "prefetch")
            self._add(at, lambda: self._fetch_pixel(mail, _APPLE_PREFETCH))
        elif persona is Persona.GMAIL and mail.pixel and self._chance(mail.message_id, "prefetch") < 0.3:
            self._add(now, lambda: self._fetch_pixel(mail, _GMAIL_PREFETCH))

    def _scan(self, mail: Mail) -> None:
        """A corporate gateway: every link, the unsubscribe link too, some by HEAD first."""
        for number, link in enumerate(mail.links):
            probes_first = number % 3 == 0
            if probes_first:
                self._browser.head(link, _SCANNER)
            self._browser.get(link, _SCANNER)
            if "/c/" in link:
                self._count_machine(2 if probes_first else 1)
        if mail.pixel:
            self._fetch_pixel(mail, _SCANNER)

    def _fetch_pixel(self, mail: Mail, agent: str) -> None:
        assert mail.pixel is not None
        self._browser.get(mail.pixel, agent)
        self._count_machine(1)

    def _open(self, mail: Mail, persona: Persona) -> None:
        # Apple's proxy has the picture already, so the person's own look leaves no trace.
        if persona is Persona.APPLE_MPP or mail.pixel is None:
            return
        self._browser.get(mail.pixel, _GMAIL_PROXY if persona is Persona.GMAIL else _BROWSER)
        self.tally.human_opens.add(mail.message_id)

    def _click(self, mail: Mail, link: str, external_id: str, response: Response, at: datetime) -> None:
        landed = self._browser.get(link, _SAFARI if response.persona is Persona.APPLE_MPP else _BROWSER)
        self.tally.human_clicks.add(mail.message_id)
        if landed is None or link not in mail.offers:
            return
        draw = self._chance(external_id, "buy")
        if response.buy <= draw < response.buy_offer:
            page = urlsplit(landed)
            decision = parse_qs(page.query).get("d", [None])[0]
            self._buy(Purchase(external_id, f"{external_id}-{mail.seq}", self._skus.get(page.path), decision), at)

    def _unsubscribe(self, mail: Mail) -> None:
        assert mail.unsubscribe is not None
        self._browser.post_form(mail.unsubscribe, {"List-Unsubscribe": "One-Click"}, _BROWSER)
        self.tally.unsubscribed += 1

    def _buy(self, purchase: Purchase, at: datetime) -> None:
        self._purchase(purchase, at)
        self.tally.buyers.add(purchase.external_id)

    def _count_machine(self, requests: int) -> None:
        with self._counting:
            self.tally.machine_requests += requests

    # -- chance and time --------------------------------------------------------------------------------------------

    def _chance(self, *what: str) -> float:
        """A number in [0, 1) that depends on nothing but the seed and `what`."""
        digest = hashlib.sha256("|".join((str(self._seed), *what)).encode()).digest()
        return int.from_bytes(digest[:7], "big") / 2**56

    def _add(self, at: datetime, act: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._plan, _Planned(at, self._number, act))
