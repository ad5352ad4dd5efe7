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
    """`probed` is a HEAD request for a link: evidence, and never an act that counts."""

    OPENED = "opened"
    CLICKED = "clicked"
    PROBED = "probed"


@dataclass(frozen=True, slots=True)
class Act:
    """One request for the pixel or a link of a message."""

    kind: ActKind
    occurred_at: datetime
    agent: str = ""
    link_no: int | None = None
    is_datacentre: bool = False


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


_PRIOR_ODDS: Final = {ActKind.CLICKED: 4.0, ActKind.OPENED: 2.5, ActKind.PROBED: 1.0}
RATIOS: Final = {
    "head": 0.0,
    "mail_privacy": 0.03,  # Apple fetches every image itself, whether or not anybody reads
    "gmail_prefetch": 0.02,
    "scanner_agent": 0.01,
    "no_agent": 0.05,
    "datacentre": 0.1,
    "at_delivery": 0.03,
    "many_links": 0.01,
    "links_at_once": 0.05,
    "link_probed": 0.1,
    "gmail_proxy": 1.0,  # fetched when the mail is shown
    "yahoo_proxy": 1.0,  # likewise
    "opened_before": 3.0,
    "clicked_after": 3.0,
}
_FETCHERS: Final = frozenset({"mail_privacy", "gmail_prefetch", "scanner_agent"})

_AT_DELIVERY: Final = timedelta(seconds=2)
_AT_SENDING: Final = timedelta(seconds=5)  # while nobody has reported the delivery
_AT_ONCE: Final = timedelta(seconds=2)
_SECONDS_APART: Final = timedelta(seconds=10)
_MANY: Final = 3
_READING_TIME: Final = timedelta(seconds=2)

_MAIL_PRIVACY: Final = "Mozilla/5.0"
_GMAIL_PREFETCH: Final = "Edge/12.246 Mozilla/5.0"
_SCANNER: Final = re.compile(
    r"headless|phantomjs|selenium|puppeteer|playwright|(?<!cu)bot\b|crawl|spider|scan|python|curl/|wget/|go-http-client|"
    r"libwww|java/|barracuda|mimecast|proofpoint|safelinks|cloudmark|symantec|trendmicro|forcepoint",
    re.IGNORECASE,
)


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
    if act.kind is ActKind.PROBED:
        return ["head"]
    signs = [_agent_sign(act)]
    signs += ["datacentre"] if act.is_datacentre else []
    signs += ["at_delivery"] if _is_at_delivery(evidence) else []
    if act.kind is ActKind.CLICKED:
        signs += [_scanning_sign(evidence)]
        if _is_probed(evidence):
            signs.append("link_probed")
        if any(other.kind is ActKind.OPENED and _leads_to(other, act) for other in evidence.others):
            signs.append("opened_before")
    elif any(other.kind is ActKind.CLICKED and _leads_to(act, other) for other in evidence.others):
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
    return "scanner_agent" if _SCANNER.search(agent) else ""


def _is_at_delivery(evidence: Evidence) -> bool:
    if evidence.delivered_at is not None:
        return evidence.act.occurred_at < evidence.delivered_at + _AT_DELIVERY
    return evidence.sent_at is not None and evidence.act.occurred_at < evidence.sent_at + _AT_SENDING


def _scanning_sign(evidence: Evidence) -> str:
    """People follow one link at a time; what follows several at once reads nothing."""
    act = evidence.act
    apart = {
        other.link_no: abs(other.occurred_at - act.occurred_at)
        for other in sorted(evidence.others, key=lambda other: -abs(other.occurred_at - act.occurred_at))
        if other.kind is not ActKind.OPENED and other.link_no not in (None, act.link_no)
    }
    if sum(distance <= _SECONDS_APART for distance in apart.values()) >= _MANY - 1:
        return "many_links"
    return "links_at_once" if any(distance <= _AT_ONCE for distance in apart.values()) else ""


def _is_probed(evidence: Evidence) -> bool:
    """Was the same link asked for by HEAD shortly before or after?"""
    act = evidence.act
    return any(
        other.kind is ActKind.PROBED
        and other.link_no == act.link_no
        and abs(other.occurred_at - act.occurred_at) <= _SECONDS_APART
        for other in evidence.others
    )


def _leads_to(opened: Act, clicked: Act) -> bool:
    """Did somebody open and, after a moment of reading, click, both with a program that people use?"""
    return (
        _agent_sign(opened) not in _FETCHERS
        and _agent_sign(clicked) not in _FETCHERS
        and clicked.occurred_at - opened.occurred_at >= _READING_TIME
    )
