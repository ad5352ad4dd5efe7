"""How well people are told from machines: sessions made after documented behaviour, with labels, and judged.

`make bench NAME=people` prints precision and recall by kind of session; the last line is one JSON object. "Precision"
is the share of people among the acts that count as a person's, "recall" the share of people's acts that count, with all
that is known in the end; `settled_…` with what is known ten seconds after the act, when journeys are told. Quiet
scanners, which look like a person in everything that a server sees, are in the set: nobody can tell them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from tracking.classify import Act, ActKind, Evidence, Network, judge
from tracking.decoy import DECOY_LINK
from tracking.engagement import SETTLING

DELIVERED = datetime(2026, 6, 10, 8, tzinfo=UTC)
SEED = 20_260_610

DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0 Safari/537.36"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile Safari/604.1"
ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/138.0 Mobile Safari/537.36"
OUTLOOK = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; Win64; x64; Trident/7.0; ms-office; MSOffice 16)"
APPLE_PREFETCH = "Mozilla/5.0"
GMAIL_PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)
GMAIL_PROXY = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO_PROXY = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
FROZEN = "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/58.0.3029.110 Safari/537.36"

_LINKS = 6


@dataclass(frozen=True, slots=True)
class Labelled:
    """One act of a session, and whether a person did it."""

    act: Act
    by_person: bool


Session = list[Labelled]


class _Maker:
    """Writes one session; times are seconds after the delivery."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.acts: Session = []

    def at(self, low: float, high: float) -> float:
        return self.random.uniform(low, high)

    def later(self) -> float:
        """When somebody looks: minutes to two days after the delivery, mostly early."""
        return 30 + self.random.expovariate(1 / 14_400)

    def link(self) -> int:
        return self.random.randint(1, _LINKS)

    def opened(self, at: float, agent: str, by_person: bool, network: Network = Network.UNKNOWN) -> None:
        self._add(ActKind.OPENED, at, agent, None, by_person, network)

    def clicked(
        self, at: float, agent: str, by_person: bool, link: int | None = None, network: Network = Network.UNKNOWN
    ) -> None:
        self._add(ActKind.CLICKED, at, agent, link or self.link(), by_person, network)

    def probed(self, at: float, agent: str, link: int, network: Network = Network.UNKNOWN) -> None:
        self._add(ActKind.PROBED, at, agent, link, False, network)

    def decoyed(self, at: float, agent: str, network: Network = Network.UNKNOWN) -> None:
        self._add(ActKind.DECOYED, at, agent, DECOY_LINK, False, network)

    def _add(self, kind: ActKind, at: float, agent: str, link: int | None, by_person: bool, network: Network) -> None:
        self.acts.append(Labelled(Act(kind, DELIVERED + timedelta(seconds=at), agent, link, network), by_person))


# -- people -----------------------------------------------------------------------------------------------------------


def _on_a_desktop(one: _Maker) -> None:
    at = one.later()
    one.opened(at, one.random.choice((DESKTOP, OUTLOOK, MAC)), True)
    if one.random.random() < 0.4:
        one.clicked(at + one.at(3, 240), one.random.choice((DESKTOP, MAC)), True)


def _on_a_phone(one: _Maker) -> None:
    at, agent = one.later(), one.random.choice((PHONE, ANDROID))
    one.opened(at, agent, True)
    if one.random.random() < 0.4:
        one.clicked(at + one.at(2.5, 120), agent, True)


def _behind_gmail(one: _Maker) -> None:
    """Gmail fetches ahead of time for some, and by its proxy for everybody who looks."""
    if one.random.random() < 0.3:
        one.opened(one.at(0.2, 600), GMAIL_PREFETCH, False, Network.RELAY)
    at = one.later()
    one.opened(at, GMAIL_PROXY, True, Network.RELAY)
    if one.random.random() < 0.4:
        one.clicked(at + one.at(3, 240), one.random.choice((DESKTOP, ANDROID)), True)


def _behind_yahoo(one: _Maker) -> None:
    at = one.later()
    one.opened(at, YAHOO_PROXY, True)
    if one.random.random() < 0.4:
        one.clicked(at + one.at(3, 240), DESKTOP, True)


def _behind_apple(one: _Maker) -> None:
    """Mail Privacy Protection fetches the picture unread; some read the mail elsewhere later; a click needs no open."""
    one.opened(one.at(1, 28_800), APPLE_PREFETCH, False, Network.RELAY)
    at = one.later()
    if one.random.random() < 0.3:
        one.opened(at, MAC, True)
    if one.random.random() < 0.4:
        one.clicked(at + one.at(4, 200), PHONE, True, network=Network.RELAY)


def _without_pictures(one: _Maker) -> None:
    one.clicked(one.later(), one.random.choice((DESKTOP, PHONE)), True)


def _at_once(one: _Maker) -> None:
    """A phone in the hand: the first seconds after the mail came."""
    at = one.at(4, 25)
    one.opened(at, PHONE, True)
    one.clicked(at + one.at(2, 9), PHONE, True)


def _with_tabs(one: _Maker) -> None:
    """Several products, each in a tab of its own, some of them within seconds."""
    at = one.later()
    one.opened(at, DESKTOP, True)
    at += one.at(4, 60)
    for link in one.random.sample(range(1, _LINKS + 1), one.random.randint(2, 4)):
        one.clicked(at, DESKTOP, True, link)
        at += one.at(1.2, 20)


def _in_a_company(one: _Maker) -> None:
    """A cloud proxy in front of everybody, whose network is a datacentre's."""
    at = one.later()
    one.opened(at, OUTLOOK, True, one.random.choice((Network.DATACENTRE, Network.UNKNOWN)))
    if one.random.random() < 0.5:
        one.clicked(at + one.at(4, 120), DESKTOP, True, network=Network.DATACENTRE)


def _checked_while_clicking(one: _Maker) -> None:
    """The mail service tries the link while a person follows it, and lets the person through."""
    at, link = one.later(), one.link()
    if one.random.random() < 0.7:
        one.opened(at, OUTLOOK, True)
    at += one.at(4, 120)
    one.probed(at, FROZEN, link, Network.SCANNER)
    one.clicked(at + one.at(0.3, 3), DESKTOP, True, link)


def _forwarded(one: _Maker) -> None:
    """One reads it and passes it on; others open and click with programs of their own."""
    at = one.later()
    one.opened(at, MAC, True)
    for _ in range(one.random.randint(1, 3)):
        at += one.at(120, 40_000)
        agent = one.random.choice((DESKTOP, PHONE, ANDROID))
        one.opened(at, agent, True)
        if one.random.random() < 0.5:
            one.clicked(at + one.at(3, 200), agent, True)


# -- machines ---------------------------------------------------------------------------------------------------------


def _gateway(one: _Maker) -> None:
    """Follows every link before it lets the mail through; a person may read it afterwards."""
    at, agent = -one.at(1, 40), one.random.choice((DESKTOP, FROZEN, "Mozilla/5.0 (compatible; Barracuda Sentinel)"))
    for link in range(1, _LINKS + 1):
        one.clicked(at, agent, False, link)
        at += one.at(0.05, 0.8)
    if one.random.random() < 0.8:
        one.decoyed(at, agent)
    if one.random.random() < 0.4:
        _on_a_desktop(one)


def _crawler(one: _Maker) -> None:
    """Minutes after the delivery, from a datacentre or from anywhere, every link and the hidden one."""
    at, network = one.at(5, 1_800), one.random.choice((Network.DATACENTRE, Network.SCANNER, Network.UNKNOWN))
    agent = one.random.choice((DESKTOP, MAC, FROZEN))
    if one.random.random() < 0.5:
        one.opened(at, agent, False, network)
    for link in range(1, _LINKS + 1):
        at += one.at(0.1, 4)
        one.clicked(at, agent, False, link, network)
    if one.random.random() < 0.8:
        one.decoyed(at + one.at(0.1, 4), agent, network)


def _prober(one: _Maker) -> None:
    """HEAD first, then GET, link by link."""
    at, agent = one.at(1, 900), one.random.choice((DESKTOP, FROZEN))
    for link in one.random.sample(range(1, _LINKS + 1), 3):
        one.probed(at, agent, link)
        one.clicked(at + one.at(0.1, 1), agent, False, link)
        at += one.at(1, 15)


def _headless(one: _Maker) -> None:
    at = one.at(3, 7_200)
    agent = f"{DESKTOP.replace('Chrome/', 'HeadlessChrome/')}"
    one.opened(at, agent, False)
    one.clicked(at + one.at(0.5, 5), agent, False)


def _library(one: _Maker) -> None:
    agent = one.random.choice(("python-requests/2.32", "curl/8.9", "Go-http-client/2.0", "", "Mozilla/5.0"))
    one.clicked(one.at(0.5, 86_400), agent, False)


def _sandbox(one: _Maker) -> None:
    """One link, opened in a real browser in a cloud, some time later."""
    one.clicked(one.at(20, 3_600), DESKTOP, False, network=one.random.choice((Network.DATACENTRE, Network.SCANNER)))


def _picture_proxy(one: _Maker) -> None:
    """Pictures are fetched for caching or scanning, not for reading."""
    agent = one.random.choice((APPLE_PREFETCH, GMAIL_PREFETCH, "Mimecast image proxy", ""))
    one.opened(one.at(0.5, 28_800), agent, False)


def _quiet(one: _Maker) -> None:
    """One link with a real browser from somebody's line: a server sees a person."""
    one.clicked(one.at(30, 3_600), DESKTOP, False)


KINDS: dict[str, tuple[int, Callable[[_Maker], None]]] = {
    "desktop": (180, _on_a_desktop),
    "phone": (200, _on_a_phone),
    "Gmail": (220, _behind_gmail),
    "Yahoo": (40, _behind_yahoo),
    "Apple Mail": (240, _behind_apple),
    "no pictures": (50, _without_pictures),
    "at once": (15, _at_once),
    "tabs": (20, _with_tabs),
    "company proxy": (25, _in_a_company),
    "checked link": (25, _checked_while_clicking),
    "forwarded": (15, _forwarded),
    "gateway": (60, _gateway),
    "crawler": (40, _crawler),
    "prober": (20, _prober),
    "headless": (15, _headless),
    "library": (15, _library),
    "cloud sandbox": (15, _sandbox),
    "picture proxy": (40, _picture_proxy),
    "quiet scanner": (4, _quiet),
}


@dataclass(slots=True)
class Score:
    """Acts of people and of machines, and how many of each count as a person's."""

    people: int = 0
    machines: int = 0
    people_taken: int = 0
    machines_taken: int = 0

    @property
    def precision(self) -> float:
        taken = self.people_taken + self.machines_taken
        return self.people_taken / taken if taken else 1.0

    @property
    def recall(self) -> float:
        return self.people_taken / self.people if self.people else 1.0

    def add(self, by_person: bool, is_taken: bool) -> None:
        self.people += by_person
        self.machines += not by_person
        self.people_taken += by_person and is_taken
        self.machines_taken += not by_person and is_taken


Scores = dict[tuple[str, ActKind], Score]


def sessions(count: int, seed: int = SEED) -> Iterator[tuple[str, Session]]:
    """About `count` sessions, the kinds mixed as `KINDS` weighs them."""
    random = Random(seed)
    names, weights = list(KINDS), [weight for weight, _ in KINDS.values()]
    for name in random.choices(names, weights, k=count):
        maker = _Maker(random)
        KINDS[name][1](maker)
        yield name, maker.acts


def measure(labelled: Iterable[tuple[str, Session]], within: timedelta | None = None) -> Scores:
    """Scores by kind of session and of act, by all acts of the session or those up to `within` after the judged one."""
    scores: Scores = {}
    for name, session in labelled:
        acts = [item.act for item in session]
        for number, item in enumerate(session):
            if item.act.kind not in (ActKind.OPENED, ActKind.CLICKED):
                continue
            others = acts[:number] + acts[number + 1 :]
            if within is not None:
                others = [other for other in others if other.occurred_at <= item.act.occurred_at + within]
            verdict = judge(Evidence(item.act, others, DELIVERED, DELIVERED))
            scores.setdefault((name, item.act.kind), Score()).add(item.by_person, verdict.is_human)
    return scores


def total(scores: Scores, kind: ActKind) -> Score:
    """The scores of one kind of act over every kind of session."""
    of_kind = [score for (_, act), score in scores.items() if act is kind]
    added = Score()
    for score in of_kind:
        added.people += score.people
        added.machines += score.machines
        added.people_taken += score.people_taken
        added.machines_taken += score.machines_taken
    return added


def figures(scores: Scores) -> dict[str, float]:
    opens, clicks = total(scores, ActKind.OPENED), total(scores, ActKind.CLICKED)
    return {
        "open_precision": round(opens.precision, 4),
        "open_recall": round(opens.recall, 4),
        "click_precision": round(clicks.precision, 4),
        "click_recall": round(clicks.recall, 4),
    }


def main(count: int = 20_000) -> None:
    labelled = list(sessions(count))
    scores, settled = measure(labelled), measure(labelled, within=SETTLING)
    print(f"{'session':<16}{'act':<9}{'people':>8}{'taken':>8}{'machines':>10}{'taken':>8}")
    for name in KINDS:
        for kind in (ActKind.OPENED, ActKind.CLICKED):
            if (score := scores.get((name, kind))) is not None:
                print(
                    f"{name:<16}{kind:<9}{score.people:>8}{score.people_taken:>8}"
                    f"{score.machines:>10}{score.machines_taken:>8}"
                )
    early = {f"settled_{name}": value for name, value in figures(settled).items()}
    print(json.dumps(figures(scores) | early))


if __name__ == "__main__":
    main()
