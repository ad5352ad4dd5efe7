"""What a page may ask for, checked. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec

from core.errors import InputError

MOST_TEXT = 100
THIS_BROWSER = "me"  # the visitor whom the cookie names

_DEFAULT_LIMIT = 6
_MAX_LIMIT = 24
_MAX_ITEMS = 20
_MAX_FIELDS = 30
_MAX_SEEN = 50
_MAX_VIEW = 40
_SLUG = re.compile(r"[a-z][a-z0-9_]{0,49}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a request."""

    placement: str
    skus: tuple[str, ...]
    visitor: str | None
    limit: int


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became of an answer in a browser: skus that came into view, and skus that were clicked.

    `view` is made up anew for each showing, so that an answer which many are given counts for each.
    """

    decision_id: str
    shown: list[str] = []
    clicked: list[str] = []
    view: str = ""


def read_query(query: bytes, sku: str | None = None) -> Asked:
    """The parameters of a query string; `sku` is the product whose page it is, if any.

    Raises InputError, in a sentence for who builds the page.
    """
    try:
        fields = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise InputError(f"a request has up to {_MAX_FIELDS} parameters.") from None
    placement = fields.get("placement", "home" if sku is None else "product")
    if not _SLUG.fullmatch(placement):
        raise InputError("`placement` is a name of small letters, digits and underscores, such as product.")
    listed = [sku or "", fields.get("item", ""), *fields.get("items", "").split(",")]
    given = tuple(dict.fromkeys(one for text in listed if (one := text.strip())))
    if len(given) > _MAX_ITEMS or any(len(one) > MOST_TEXT or "\0" in one for one in given):
        raise InputError(f"`items` takes up to {_MAX_ITEMS} skus of up to {MOST_TEXT} characters, with commas between.")
    visitor = fields.get("visitor") or None
    if visitor is not None and (len(visitor) > MOST_TEXT or "\0" in visitor):
        raise InputError(f"`visitor` has up to {MOST_TEXT} characters.")
    return Asked(placement, given, visitor, _limit(fields.get("limit")))


def read_seen(body: bytes) -> Seen:
    """The body of a report. Raises InputError."""
    try:
        seen = _decode_seen(body)
    except msgspec.MsgspecError as error:
        raise InputError(f"the body is no report of an offer: {error}.") from None
    skus = [*seen.shown, *seen.clicked]
    texts = (seen.decision_id, seen.view, *skus)
    if len(seen.view) > _MAX_VIEW:
        raise InputError(f"`view` has up to {_MAX_VIEW} characters.")
    if len(skus) > _MAX_SEEN or any(len(text) > MOST_TEXT or "\0" in text for text in texts):
        raise InputError(f"a report has up to {_MAX_SEEN} skus of up to {MOST_TEXT} characters.")
    return seen


_decode_seen = msgspec.json.Decoder(Seen).decode


def _limit(text: str | None) -> int:
    if text is None:
        return _DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= 3 and 1 <= int(text) <= _MAX_LIMIT):
        raise InputError(f"`limit` is a whole number from 1 to {_MAX_LIMIT}.")
    return int(text)
