"""Campaign parameters (`utm_source` and its siblings) for the links of a message, by the rules of its project. Pure.

They are written where a click is redirected, so that a mail stays as small as it was. What a link says of itself goes
before every rule, and a fragment stays at the end (RFC 3986, section 3.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote_plus, urlsplit

from core.suggest import did_you_mean

PARAMETERS: Final = ("source", "medium", "campaign", "content", "term")
WORDS: Final = ("campaign", "channel", "link", "step", "template", "topic", "variant", "workspace")

_USUAL: Final = {"source": "{workspace}", "medium": "{channel}", "campaign": "{campaign}"}
_WORD: Final = re.compile(r"\{([^{}]*)\}")
_MAX_URL: Final = 2_048  # longer addresses are cut off on their way


@dataclass(frozen=True, slots=True)
class UtmRules:
    """`parameters` are texts with words in braces, by their name without "utm_"; no `domains` means every link."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()


def parse_utm(written: Any, under: UtmRules | None = None) -> UtmRules | None:
    """The rules that a checked file writes, over those of the workspace; None for no parameters.

    True means the usual ones: the workspace as source, the channel as medium and the campaign's or journey's slug.
    """
    if written is None:
        return under
    if written is False:
        return None
    if written is True:
        return under or UtmRules(_USUAL)
    own = {name: str(written[name]) for name in PARAMETERS if written.get(name) is not None}
    domains = frozenset(str(domain).lower() for domain in written.get("domains") or ())
    if under is None:
        return UtmRules(own or _USUAL, domains)
    both = {**under.parameters, **own}
    return UtmRules({name: both[name] for name in PARAMETERS if name in both}, domains or under.domains)


def utm_flaws(written: Any) -> Iterator[tuple[str, str, str]]:
    """What a file of the right shape still gets wrong: the parameter, the message, and the way out."""
    if isinstance(written, Mapping):
        for name in PARAMETERS:
            for word in _WORD.findall(str(written.get(name) or "")):
                if word not in WORDS:
                    hint = did_you_mean(word, WORDS) or f"write one of {', '.join(WORDS)}"
                    yield name, f"nothing stands for {{{word}}}", hint


def with_utm(url: str, rules: UtmRules | None, words: Mapping[str, str | None]) -> str:
    """`url`, absolute, with the parameters that it lacks; unchanged where it is not the shop's or would get too long.

    `words` are those of `WORDS`; a parameter that comes out empty is left out.
    """
    if rules is None or not _is_own(url, rules.domains):
        return url
    address, hash_sign, fragment = url.partition("#")
    path, _, query = address.partition("?")
    present = {unquote_plus(pair.partition("=")[0]).lower() for pair in query.split("&")}
    added = [
        f"utm_{name}={quote(value, safe='')}"
        for name, text in rules.parameters.items()
        if f"utm_{name}" not in present and (value := _fill(text, words))
    ]
    if not added:
        return url
    whole = f"{path}?{'&'.join(([query] if query else []) + added)}{hash_sign}{fragment}"
    return whole if len(whole) <= _MAX_URL else url


def _is_own(url: str, domains: frozenset[str]) -> bool:
    if not domains:
        return True
    host = (urlsplit(url).hostname or "").lower().rstrip(".")
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _fill(text: str, words: Mapping[str, str | None]) -> str:
    return _WORD.sub(lambda found: words.get(found[1]) or "", text).strip()
