"""The filters and tests that a template may use: one table of each, nothing else is reachable.

Each is bounded, because a template may be wrong or hostile: text filters take no list, and what could grow without
end (`center`, `format`, `indent`, `batch` …) is not here. How money and dates look is told by the reader's locale.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Undefined, filters, pass_context
from jinja2.runtime import Context
from jinja2.tests import TESTS as JINJA_TESTS
from markupsafe import Markup

MAX_TEXT = 200_000  # characters that one expression may hold

# ISO 4217: the currencies whose minor unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_SYMBOLS = {
    "AUD": "A$",
    "BRL": "R$",
    "CAD": "CA$",
    "CNY": "CN¥",
    "EUR": "€",
    "GBP": "£",
    "ILS": "₪",
    "INR": "₹",
    "JPY": "¥",
    "KRW": "₩",
    "NZD": "NZ$",
    "USD": "$",
    "VND": "₫",
}
# Language: decimal mark, group mark, and whether the symbol stands after the amount (Unicode CLDR).
_NUMBERS = {
    "en": (".", ",", False),
    "cs": (",", "\N{NO-BREAK SPACE}", True),
    "da": (",", ".", True),
    "de": (",", ".", True),
    "es": (",", ".", True),
    "fi": (",", "\N{NO-BREAK SPACE}", True),
    "fr": (",", "\N{NARROW NO-BREAK SPACE}", True),
    "it": (",", ".", True),
    "nb": (",", "\N{NO-BREAK SPACE}", True),
    "pl": (",", "\N{NO-BREAK SPACE}", True),
    "pt": (",", ".", True),
    "sv": (",", "\N{NO-BREAK SPACE}", True),
}
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
_DATE_FORMATS = {"short": "%d/%m/%Y", "long": "%-d %B %Y", "iso": "%Y-%m-%d", "time": "%H:%M"}
# The C library pads `%9999999d` as told, so only plain directives pass.
_DATE_FORMAT = re.compile(r"(?:[^%]|%-?[aAbBdeHIjmMpSyY]|%%){1,100}\Z", re.DOTALL)


# C0 and C1 controls but tab and line ends; Unicode's embeddings, overrides and isolates (UAX 9).
_TRICKS = dict.fromkeys(
    (*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
)


class UnfitValueError(ValueError):
    """A value cannot be used as the template uses it. The sentence never repeats the value: it may be personal."""


def is_blank(value: object) -> bool:
    """Whether a value counts as missing: undefined, null, or a text of white space. 0 and `false` are values."""
    return value is None or isinstance(value, Undefined) or (isinstance(value, str) and not value.strip())


def default(value: Any, replacement: Any = "") -> Any:
    """`value`, or `replacement` where it is missing, null or blank."""
    return replacement if is_blank(value) else value


@pass_context
def money(context: Context, amount: Any, currency: Any, locale: Any = None) -> str:
    """An integer amount in minor units as the reader writes money: `1250 | money('GBP')` is £12.50.

    `currency` is an ISO 4217 code. The marks follow `locale` (such as `de-DE`), else `profile.locale`, else English.
    """
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise UnfitValueError("money wants a whole number of minor units, such as 1250 for 12.50")
    if not (isinstance(currency, str) and _CURRENCY.match(currency)):
        raise UnfitValueError("money wants a currency of three capital letters, such as 'GBP'")
    decimal_mark, group_mark, is_after = _NUMBERS.get(_language(context, locale), _NUMBERS["en"])
    exponent = _EXPONENTS.get(currency, 2)
    whole, fraction = divmod(abs(amount), 10**exponent)
    digits = f"{whole:,}".replace(",", group_mark) + (f"{decimal_mark}{fraction:0{exponent}}" if exponent else "")
    sign, symbol = ("-" if amount < 0 else ""), _SYMBOLS.get(currency)
    if is_after:
        return f"{sign}{digits}\N{NO-BREAK SPACE}{symbol or currency}"
    return f"{sign}{symbol}{digits}" if symbol else f"{sign}{currency}\N{NO-BREAK SPACE}{digits}"


def _language(context: Context, locale: Any) -> str:
    chosen = locale or _of_profile(context, "locale")
    return chosen.replace("_", "-").partition("-")[0].lower() if isinstance(chosen, str) else "en"


@pass_context
def format_date(context: Context, value: Any, pattern: Any = "long") -> str:
    """A date or an instant (a value or ISO 8601 text) as `short`, `long`, `iso`, `time`, or by a strftime pattern.

    An instant is told in the profile's time zone, else in UTC. Names of days and months are English.
    """
    moment = _moment(value)
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        moment = moment.astimezone(_zone(_of_profile(context, "timezone")))
    wanted = _DATE_FORMATS.get(pattern, pattern)
    if not isinstance(wanted, str) or not _DATE_FORMAT.match(wanted):
        raise UnfitValueError("date knows short, long, iso, time and patterns such as '%d %B'")
    return moment.strftime(wanted)


def _moment(value: Any) -> date | datetime:
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        except ValueError:
            pass
    raise UnfitValueError("date wants a date such as 2026-03-01")


def _zone(name: Any) -> Any:
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else UTC
    except (KeyError, ValueError, OSError):
        return UTC


def _of_profile(context: Context, key: str) -> Any:
    profile = context.get("profile")
    return profile.get(key) if isinstance(profile, Mapping) else None


def as_text(value: Any) -> Any:
    """`value` where it can stand in a sentence; a list or a mapping cannot. Undefined stays undefined, and strict."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise UnfitValueError(f"a text is longer than {MAX_TEXT:,} characters")
        return value if value.isprintable() else _without_tricks(value)
    if isinstance(value, (list, tuple, dict, range)) or hasattr(value, "__next__"):
        raise UnfitValueError("a list cannot be written as text: go through it with {% for %}, or use | join(', ')")
    return value


def _without_tricks(text: str) -> str:
    """`text` without control characters, and without those that would turn the direction of what follows it."""
    # JSON may carry lone surrogates; they would only fail when the finished message is encoded.
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnfitValueError("a text holds half a character, which cannot be sent") from None
    return text.translate(_TRICKS)  # Markup stays Markup


def replace(value: Any, old: str, new: str) -> str:
    text = str(as_text(value))
    if len(text) + text.count(old) * len(new) > MAX_TEXT:
        raise UnfitValueError(f"replace would make a text of more than {MAX_TEXT:,} characters")
    return text.replace(old, new)


def join(values: Any, separator: str = "", attribute: str | None = None) -> str:
    """The items as one text. The caller's guard has bounded how many they are."""
    items = [value if attribute is None else value[attribute] for value in values]
    texts = [str(as_text(item)) for item in items]
    if sum(map(len, texts)) + len(texts) * len(str(separator)) > MAX_TEXT:
        raise UnfitValueError(f"join would make a text of more than {MAX_TEXT:,} characters")
    return str(separator).join(texts)


def round_number(value: Any, digits: int = 0) -> float:
    if not isinstance(value, (int, float)):
        raise UnfitValueError("round wants a number")
    return round(float(value), max(-12, min(12, digits)))


def _on_text(function: Callable[..., Any]) -> Callable[..., Any]:
    def apply(value: Any, *arguments: Any, **named: Any) -> Any:
        checked = as_text(value)
        # Markup would bring its own, escaping, idea of these methods; what is not yet written out is plain text.
        result = function(str(checked) if isinstance(checked, Markup) else checked, *arguments, **named)
        return as_text(result)

    return apply


def _truncate(value: Any, length: int = 80, ending: str = "…") -> str:
    text = str(value)
    return text if len(text) <= length else text[: max(0, length - len(ending))].rstrip() + ending


TEXT_FILTERS: Mapping[str, Callable[..., Any]] = {
    "capitalize": _on_text(filters.do_capitalize),
    "lower": _on_text(filters.do_lower),
    "string": _on_text(str),
    "striptags": _on_text(filters.do_striptags),
    "title": _on_text(filters.do_title),
    "trim": _on_text(lambda value: str(value).strip()),
    "truncate": _on_text(_truncate),
    "upper": _on_text(filters.do_upper),
    "urlencode": _on_text(filters.do_urlencode),
    "wordcount": _on_text(filters.do_wordcount),
    "replace": replace,
}
# Each of these walks its input: `jinja_limits` charges it for every item.
LIST_FILTERS: Mapping[str, Callable[..., Any]] = {
    "first": filters.FILTERS["first"],
    "join": join,
    "last": filters.FILTERS["last"],
    "list": filters.FILTERS["list"],
    "map": filters.FILTERS["map"],
    "max": filters.FILTERS["max"],
    "min": filters.FILTERS["min"],
    "reject": filters.FILTERS["reject"],
    "rejectattr": filters.FILTERS["rejectattr"],
    "reverse": filters.FILTERS["reverse"],
    "select": filters.FILTERS["select"],
    "selectattr": filters.FILTERS["selectattr"],
    "sort": filters.FILTERS["sort"],
    "sum": filters.FILTERS["sum"],
    "unique": filters.FILTERS["unique"],
}
FILTERS: Mapping[str, Callable[..., Any]] = {
    **TEXT_FILTERS,
    **LIST_FILTERS,
    "abs": abs,
    "count": filters.FILTERS["count"],
    "date": format_date,
    "default": default,
    "float": filters.FILTERS["float"],
    "int": filters.FILTERS["int"],
    "items": lambda mapping: list(mapping.items()),
    "length": filters.FILTERS["length"],
    "money": money,
    "round": round_number,
}
TESTS: Mapping[str, Any] = {
    name: JINJA_TESTS[name]
    for name in (
        "defined",
        "undefined",
        "even",
        "odd",
        "divisibleby",
        "in",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "equalto",
        "greaterthan",
        "lessthan",
        "string",
        "number",
        "mapping",
        "sequence",
        "iterable",
        "boolean",
        "true",
        "false",
    )
}
