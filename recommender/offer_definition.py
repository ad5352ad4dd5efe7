"""An offer as a marketer writes it: who may see it, when, how often, and how its products are chosen.

Reads files and what was published of them; nothing is decided and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from core.definitions import get_definition
from core.durations import parse_duration
from core.errors import ConfigError, Fault, has_errors
from core.located import KeyPath, Located
from core.schema_check import check_schema
from core.suggest import did_you_mean
from customers.workspace import Workspace, get_workspace
from segments.language.checks import check_words
from segments.language.matcher_parser import Report, parse_where
from segments.language.parser import parse_conditions
from segments.language.rules import (
    BranchRule,
    EntryRule,
    EventRule,
    Rule,
    SequenceRule,
    Since,
    StepRule,
    Where,
    iter_leaves,
)

FaultMaker = Callable[..., Fault]
Word = TypeVar("Word", bound=StrEnum)

KIND = "offer"
_DEFAULT_COUNT = 3
_DEFAULT_PRIORITY = 50
_DEFAULT_HOLDOUT = Decimal(10)


class Model(StrEnum):
    """How products are chosen."""

    ITEM_ITEM = "item_item"
    BESTSELLERS = "bestsellers"
    REPLENISHMENT = "replenishment"  # what the person buys again and again and may need now


class Basis(StrEnum):
    """The products that the chosen ones go with."""

    RECENT = "recent"  # cart, last orders and what was looked at
    ENTRY = "entry.items"  # those of the event that began the journey; without any, as `recent`
    CART = "cart"
    ORDERS = "orders"
    VIEWED = "viewed"


class Fallback(StrEnum):
    """What fills up when the model knows too little."""

    BESTSELLERS = "bestsellers"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Recommend:
    """`holdout` is a percentage, 0 to 100: so many profiles see best sellers, for comparison.

    `exclude_owned` leaves out what the profile ever bought, and not only lately. At most `per_category` products of one
    category, where the catalogue has others.
    """

    model: Model = Model.ITEM_ITEM
    count: int = _DEFAULT_COUNT
    of: Basis = Basis.RECENT
    exclude_owned: bool = False
    where: Where | None = None
    fallback: Fallback = Fallback.BESTSELLERS
    per_category: int | None = None
    holdout: Decimal = _DEFAULT_HOLDOUT


@dataclass(frozen=True, slots=True)
class ShowLimit:
    """At most `shows` showings to one profile in any stretch of `per`, on one channel or on all."""

    shows: int
    per: timedelta
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """The voucher that goes with the offer: one of its own from a pool for each person, or the same for all.

    It is good for `expires_after` from the moment it is drawn; None: as long as the offer.
    """

    pool: str | None = None
    static: str | None = None
    expires_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """Something proposed to somebody, in `[valid_from, valid_to)`, to those whom `eligible` fits (None: everybody)."""

    slug: str
    recommend: Recommend = field(default_factory=Recommend)
    name: str = ""
    eligible: Rule | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    limits: tuple[ShowLimit, ...] = ()
    priority: int = _DEFAULT_PRIORITY
    is_live: bool = True
    content: Mapping[str, Any] = field(default_factory=dict)
    code: Code | None = None

    @property
    def pool(self) -> str | None:
        """The pool of which each person gets a code of their own, if so."""
        return self.code.pool if self.code is not None else None

    def code_ends_at(self, drawn_at: datetime) -> datetime | None:
        """When a code drawn at `drawn_at` is good no more: never, where neither it nor the offer ends."""
        length = self.code.expires_after if self.code is not None else None
        ends = [end for end in (drawn_at + length if length else None, self.valid_to) if end is not None]
        return min(ends, default=None)


def parse_offer(located: Located, workspace: Workspace | None = None) -> tuple[Offer | None, list[Fault]]:
    """The offer in a file, and everything that is wrong with it, sorted; None when it cannot be used.

    With a workspace, names that it does not know are warned of, and instants without an offset are on its clock
    (else UTC).
    """
    faults = check_schema(located, KIND)
    if has_errors(faults):
        return None, faults
    offer, meaning = _read(located.data, located.fault, workspace)
    return offer, sorted([*faults, *meaning])


def get_offer(connection: Connection, slug: str) -> Offer:
    """The published offer. Raises NotFoundError when there is none, ConfigError when this version cannot read it."""
    published = get_definition(connection, KIND, slug)

    def fault(code: str, path: KeyPath, message: str, hint: str = "", **_place: bool) -> Fault:
        return Fault(published.file, 1, 1, code, f"{'.'.join(map(str, path))}: {message}", hint)

    offer, faults = _read(published.document, fault, get_workspace(connection))
    if offer is None:
        raise ConfigError(faults)
    return offer


def _read(
    document: Mapping[str, Any], fault: FaultMaker, workspace: Workspace | None
) -> tuple[Offer | None, list[Fault]]:
    faults: list[Fault] = []

    def report(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        faults.append(fault(code, path, message, hint, at_key=at_key))

    recommend = _recommend(document.get("recommend") or {}, report)
    eligible = None
    if document.get("eligible") is not None:
        eligible = _eligible(document["eligible"], report, workspace)
    zone = ZoneInfo(workspace.timezone) if workspace is not None else ZoneInfo("UTC")
    valid = document.get("valid") or {}
    start, end = (_instant(valid.get(key), zone) for key in ("from", "to"))
    if start is not None and end is not None and start >= end:
        report("E133", ("valid", "to"), "the offer ends before it begins", "write a later date")
    code = _code(document["code"], report) if "code" in document else None
    if has_errors(faults):
        return None, faults
    offer = Offer(
        slug=document["offer"],
        recommend=recommend,
        name=document.get("name") or document["offer"],
        eligible=eligible,
        valid_from=start,
        valid_to=end,
        limits=tuple(
            ShowLimit(limit["shows"], parse_duration(limit["per"]).as_elapsed(), limit.get("channel"))
            for limit in document.get("limits") or ()
        ),
        priority=document.get("priority", _DEFAULT_PRIORITY),
        is_live=document.get("status", "live") == "live",
        content=document.get("content") or {},
        code=code,
    )
    return offer, faults


def _eligible(document: Any, report: Report, workspace: Workspace | None) -> Rule:
    rule = parse_conditions(document, report, ("eligible",))
    for leaf in iter_leaves(rule):
        of_journey = isinstance(leaf, EventRule | SequenceRule) and leaf.since is not Since.EVER
        if of_journey or isinstance(leaf, BranchRule | EntryRule | StepRule):
            report("E103", leaf.path, "this condition has a meaning inside a journey only", "leave it out here")
    if workspace is not None:
        check_words(rule, workspace, report)
    return rule


def _recommend(document: Mapping[str, Any], report: Report) -> Recommend:
    where = document.get("where")
    holdout = str(document.get("holdout", _DEFAULT_HOLDOUT)).removesuffix("%")
    return Recommend(
        model=_word(document, "model", Model.ITEM_ITEM, report),
        count=document.get("count", _DEFAULT_COUNT),
        of=_word(document, "of", Basis.RECENT, report),
        exclude_owned=document.get("exclude_owned", False),
        where=parse_where(where, report, ("recommend", "where")) if where is not None else None,
        fallback=_word(document, "fallback", Fallback.BESTSELLERS, report),
        per_category=document.get("per_category"),
        holdout=Decimal(holdout),
    )


def _code(document: Mapping[str, Any], report: Report) -> Code | None:
    pool, static = (str(document.get(key) or "").strip() or None for key in ("pool", "static"))
    if (pool is None) == (static is None):
        message = "nothing says which code is meant" if pool is None else "an offer has one kind of code"
        code = "E101" if pool is None else "E103"
        report(code, ("code",), message, "write either `pool: NAME` or `static: CODE`", at_key=True)
        return None
    length = document.get("expires_after")
    return Code(pool, static, parse_duration(length).as_elapsed() if length is not None else None)


def _word(document: Mapping[str, Any], key: str, default: Word, report: Report) -> Word:
    """One of the words of `default`'s kind."""
    words = type(default)
    written = document.get(key, default.value)
    if written in list(words):
        return words(written)
    known = ", ".join(words)
    hint = did_you_mean(written, words) or f"write one of {known}"
    report("E103", ("recommend", key), f"`{key}` knows no '{written}'", hint)
    return default


def _instant(text: str | None, zone: ZoneInfo) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
