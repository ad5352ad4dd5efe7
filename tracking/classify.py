"""How probable it is that a person, and not a machine, opened a mail or followed a link. Pure.

Each sign multiplies the odds by a ratio, how much likelier a person shows it than a machine (naive Bayes); the ratios
are rules of thumb, set so that one strong sign outweighs everything that speaks for a person. What is not asked here:
who the person is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

HUMAN: Final = 0.5  # from this probability on an act counts as a person's


class ActKind(StrEnum):
    """`probed` (a HEAD request for a link) and `decoyed` (the link that nobody sees) are evidence and never count."""

    OPENED = "opened"
    CLICKED = "clicked"
    PROBED = "probed"
    DECOYED = "decoyed"


class Network(StrEnum):
    """Whose network a request came from, as far as it tells people from machines (see `networks.py`)."""

    UNKNOWN = ""
    DATACENTRE = "datacentre"
    SCANNER = "scanner_network"  # of a mail security product
    RELAY = "relay"  # a privacy relay or a mail service's own proxy, behind which people are


@dataclass(frozen=True, slots=True)
class Act:
    """One request for the pixel or a link of a message."""

    kind: ActKind
    occurred_at: datetime
    agent: str = ""
    link_no: int | None = None
    network: Network = Network.UNKNOWN


@dataclass(frozen=True, slots=True)
class Evidence:
    """An act, and what else is known of its message: every other act, earlier and later, and the delivery.

    `delivered_at` is None while the provider has not reported it.
    """

    act: Act
    others: Sequence[Act] = ()
    sent_at: datetime | None = None
    delivered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    human_probability: float
    reasons: tuple[str, ...]

    @property
    def is_human(self) -> bool:
        return self.human_probability >= HUMAN


_PRIOR_ODDS: Final = {ActKind.CLICKED: 4.0, ActKind.OPENED: 2.5, ActKind.PROBED: 1.0, ActKind.DECOYED: 1.0}
RATIOS: Final = {
    "head": 0.0,
    "decoy": 0.0,  # the link that nobody sees
    "decoy_followed": 0.005,
    "crawled": 0.01,
    "scanner_agent": 0.01,
    "scanner_network": 0.02,
    "gmail_prefetch": 0.02,
    "mail_privacy": 0.03,  # Apple fetches every image itself, whether or not anybody reads
    "at_delivery": 0.03,
    "no_agent": 0.05,
    "links_at_once": 0.05,
    "many_links": 0.1,  # a quick person with tabs does that too, having opened the mail before
    "datacentre": 0.1,  # a company's cloud proxy has people behind it
    "link_probed": 0.1,
    "old_agent": 0.2,
    "soon_after_delivery": 0.4,
    "gmail_proxy": 1.0,  # fetched when the mail is shown
    "yahoo_proxy": 1.0,  # likewise
    "opened_before": 3.0,
    "clicked_after": 3.0,
}
_FETCHERS: Final = frozenset({"mail_privacy", "gmail_prefetch", "scanner_agent", "no_agent"})
_PROXIES: Final = frozenset({"gmail_proxy", "yahoo_proxy"})
_MACHINES_NETWORKS: Final = frozenset({Network.DATACENTRE, Network.SCANNER})
EVIDENCE_ONLY: Final = {ActKind.PROBED: "head", ActKind.DECOYED: "decoy"}

_AT_DELIVERY: Final = timedelta(seconds=2)
_AT_SENDING: Final = timedelta(seconds=5)  # while nobody has reported the delivery
_SOON: Final = timedelta(seconds=20)
_AT_ONCE: Final = timedelta(seconds=2)
_SECONDS_APART: Final = timedelta(seconds=10)
_MANY: Final = 3
_CRAWL: Final = 6
_READING_TIME: Final = timedelta(seconds=2)
_DECOY_NEAR: Final = timedelta(seconds=30)  # whatever the agent says: scanners have many
_DECOY_SESSION: Final = timedelta(minutes=10)  # of the same agent

_MAIL_PRIVACY: Final = "Mozilla/5.0"
_GMAIL_PREFETCH: Final = "Edge/12.246 Mozilla/5.0"
_SCANNER: Final = re.compile(
    r"headless|phantomjs|selenium|puppeteer|playwright|slimerjs|htmlunit|"
    r"(?<!cu)bot\b|crawl|spider|scan|preview|prefetch|python|curl/|wget/|go-http-client|axios|node-fetch|"
    r"libwww|lwp|java/|httpclient|guzzle|barracuda|mimecast|proofpoint|safelinks|cloudmark|symantec|messagelabs|"
    r"trendmicro|forcepoint|fireeye|trellix|ironport|sophos|fortinet|zscaler",
    re.IGNORECASE,
)
# Nobody browses with these any more; programs that pretend to be a browser often froze on one.
_OLD: Final = re.compile(r"MSIE [2-9]\.|Windows NT 5|Windows (?:95|98|CE)|Chrome/[1-6]?\d\.|Firefox/[1-5]?\d\.")


def judge(evidence: Evidence) -> Verdict:
    """The probability, 0 to 1, that a person acted, and the signs that were seen, strongest first."""
    signs = _signs(evidence)
    odds = _PRIOR_ODDS[evidence.act.kind]
    for sign in signs:
        odds *= RATIOS[sign]
    ordered = sorted(signs, key=lambda sign: (RATIOS[sign], sign))
    return Verdict(round(odds / (1 + odds), 4), tuple(ordered))


def _signs(evidence: Evidence) -> list[str]:
    act = evidence.act
    if act.kind in EVIDENCE_ONLY:
        return [EVIDENCE_ONLY[act.kind]]
    agent = _agent_sign(act)
    signs = [agent, _network_sign(act, agent), _delivery_sign(evidence), _decoy_sign(evidence)]
    if act.kind is ActKind.CLICKED:
        signs += _scanning_signs(evidence)
        if _is_probed(evidence):
            signs.append("link_probed")
        if any(other.kind is ActKind.OPENED and _leads_to(other, act, evidence) for other in evidence.others):
            signs.append("opened_before")
    elif any(other.kind is ActKind.CLICKED and _leads_to(act, other, evidence) for other in evidence.others):
        signs.append("clicked_after")
    return [sign for sign in signs if sign]


def _agent_sign(act: Act) -> str:
    return _sign_of(act.agent, act.kind)


@lru_cache(maxsize=4_096)
def _sign_of(agent: str, kind: ActKind) -> str:
    agent = agent.strip()
    if not agent:
        return "no_agent"
    if agent == _MAIL_PRIVACY:
        return "mail_privacy" if kind is ActKind.OPENED else "scanner_agent"
    if agent.endswith(_GMAIL_PREFETCH):
        return "gmail_prefetch"
    if "GoogleImageProxy" in agent:
        return "gmail_proxy"
    if "YahooMailProxy" in agent:
        return "yahoo_proxy"
    if _SCANNER.search(agent):
        return "scanner_agent"
    # Mail programs show themselves as old browsers, so that an open tells nothing by that.
    return "old_agent" if kind is ActKind.CLICKED and _OLD.search(agent) else ""


def _network_sign(act: Act, agent_sign: str) -> str:
    if act.network not in _MACHINES_NETWORKS or agent_sign in _PROXIES:
        return ""
    return act.network.value


def _delivery_sign(evidence: Evidence) -> str:
    act = evidence.act
    if _is_at_delivery(act, evidence):
        return "at_delivery"
    delivered_at = evidence.delivered_at
    is_soon = act.kind is ActKind.CLICKED and delivered_at is not None and act.occurred_at < delivered_at + _SOON
    return "soon_after_delivery" if is_soon else ""


def _is_at_delivery(act: Act, evidence: Evidence) -> bool:
    if evidence.delivered_at is not None:
        return act.occurred_at < evidence.delivered_at + _AT_DELIVERY
    return evidence.sent_at is not None and act.occurred_at < evidence.sent_at + _AT_SENDING


def _decoy_sign(evidence: Evidence) -> str:
    return "decoy_followed" if _is_near_decoy(evidence.act, evidence) else ""


def _is_near_decoy(act: Act, evidence: Evidence) -> bool:
    """Did the same visit follow the link that nobody sees?"""
    for other in evidence.others:
        if other.kind is ActKind.DECOYED:
            apart = abs(other.occurred_at - act.occurred_at)
            if apart <= _DECOY_NEAR or (apart <= _DECOY_SESSION and other.agent == act.agent):
                return True
    return False


def _scanning_signs(evidence: Evidence) -> list[str]:
    """People follow one link at a time; what follows several at once reads nothing."""
    act = evidence.act
    apart: dict[int, timedelta] = {}
    for other in evidence.others:
        if other.kind is ActKind.OPENED or other.link_no in (None, act.link_no):
            continue
        assert other.link_no is not None
        distance = abs(other.occurred_at - act.occurred_at)
        apart[other.link_no] = min(distance, apart.get(other.link_no, distance))
    near_count = sum(distance <= _SECONDS_APART for distance in apart.values())
    signs = ["links_at_once"] if any(distance <= _AT_ONCE for distance in apart.values()) else []
    if near_count >= _CRAWL - 1:
        return [*signs, "crawled"]
    return [*signs, "many_links"] if near_count >= _MANY - 1 else signs


def _is_probed(evidence: Evidence) -> bool:
    """Did the same program ask for the same link by HEAD shortly before or after?

    Another one may be a mail service that tries a link at the moment somebody follows it.
    """
    act = evidence.act
    return any(
        other.kind is ActKind.PROBED
        and other.link_no == act.link_no
        and other.agent == act.agent
        and abs(other.occurred_at - act.occurred_at) <= _SECONDS_APART
        for other in evidence.others
    )


def _leads_to(opened: Act, clicked: Act, evidence: Evidence) -> bool:
    """Did somebody open and, after a moment of reading, click, both as people do?"""
    return (
        _agent_sign(opened) not in _FETCHERS
        and _agent_sign(clicked) not in _FETCHERS
        and (opened.network not in _MACHINES_NETWORKS or _agent_sign(opened) in _PROXIES)
        and clicked.occurred_at - opened.occurred_at >= _READING_TIME
        and not _is_at_delivery(opened, evidence)
        and not _is_near_decoy(opened, evidence)
    )
