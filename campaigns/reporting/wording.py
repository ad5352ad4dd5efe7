"""How figures read: numbers, shares, money, reasons and effects in a marketer's words. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from campaigns.reporting.experiment import Effect
from campaigns.reporting.figures import Funnel, Report
from customers.money import minor_digits
from recommender.lift import Difference

REASONS = {
    "message": "get a message",
    "held_out": "held out, to measure the effect",
    "consent": "had not agreed to this topic",
    "suppressed": "address bounced or complained before",
    "no_address": "no address for the channel",
    "holdout": "in the workspace's own holdout",
    "cap": "had enough messages already",
    "expired": "too late to be of use",
    "legal_hours": "never a lawful hour where they may be",
    "paused": "asked for a pause",
    "closed": "never an hour at which it may go out",
    "quiet_hours": "asleep, and the message does not wait",
    "no_timezone": "time zone unknown",
    "missed": "their hour had passed",
    "erased": "profile erased",
    "restricted": "asked that their data be used for nothing",
    "objected": "objected to marketing",
    "render_error": "message could not be made",
    "rejected": "refused by the provider",
    "no_offer": "nothing to offer them",
    "throttled": "sending was too slow",
    "exit": "left the journey before",
    "stopped": "stopped by hand",
    "restored": "may have had it before the database was restored",
    "other": "another reason",
}
KINDS = {"campaign": "Campaign", "journey": "Journey", "workspace": "Everything sent"}
_SYMBOLS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹"}
_MINUS = "\N{MINUS SIGN}"


def number(value: float) -> str:
    return f"{value:,.0f}".replace("-", _MINUS)


def share(part: int, whole: int) -> str:
    """`part` of `whole` in percent; a dash of nothing."""
    return percent(part / whole) if whole else "–"


def percent(value: float) -> str:
    """0.123 as 12.3 %; small ones keep a second decimal."""
    shown = f"{100 * value:.2f}" if 0 < abs(value) < 0.01 else f"{100 * value:.1f}"
    return f"{shown}\N{NO-BREAK SPACE}%".replace("-", _MINUS)


def money(minor: float, currency: str) -> str:
    """Minor units as an amount, whole units from a thousand on."""
    amount = minor / 10 ** minor_digits(currency)
    digits = 0 if abs(amount) >= 1_000 else minor_digits(currency)
    symbol = _SYMBOLS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"{_MINUS if amount < 0 else ''}{symbol}{abs(amount):,.{digits}f}"


def reason(word: str) -> str:
    return REASONS.get(word, word.replace("_", " "))


def instant(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%-d %B %Y, %H:%M}"


def length(span: timedelta) -> str:
    """A window as people say it."""
    days = span / timedelta(days=1)
    if days >= 1:
        return f"{days:.0f} day{'s' if round(days) != 1 else ''}"
    hours = span / timedelta(hours=1)
    return f"{hours:.0f} hour{'s' if round(hours) != 1 else ''}"


def interval(difference: Difference, write: Callable[[float], str]) -> str:
    """`+£1.20 (£0.40 to £2.00)`."""
    sign = "+" if difference.value > 0 else ""
    return f"{sign}{write(difference.value)} ({write(difference.low)} to {write(difference.high)})"


def lift(effect: Effect) -> str:
    """`+152 % (19 % to 430 %)` more than the held-out, a dash where they did nothing to compare with."""
    return "–" if effect.lift is None else interval(effect.lift, whole_percent)


def whole_percent(value: float) -> str:
    """1.523 as 152 %."""
    return f"{100 * value:.0f}\N{NO-BREAK SPACE}%".replace("-", _MINUS)


def accounting(funnel: Funnel) -> list[tuple[str, int]]:
    """The lines that add up to everybody who was addressed; those that are nothing may be left out."""
    return [
        ("Sent", funnel.sent),
        ("Held out, to measure the effect", funnel.held_out),
        ("Not sent", funnel.not_sent_count),
        ("Waiting for a better hour", funnel.waiting),
        ("On their way", funnel.in_progress),
        ("Perhaps sent: the provider never answered", funnel.unknown),
    ]


def results(report: Report) -> list[tuple[str, int, str]]:
    """What the sent messages came to: (words, count, share of what)."""
    funnel = report.funnel
    return [
        ("Delivered", funnel.delivered, share(funnel.delivered, funnel.sent)),
        ("Bounced", funnel.bounced, share(funnel.bounced, funnel.sent)),
        ("Opened by people", funnel.opened_by_people, share(funnel.opened_by_people, funnel.opens_measured)),
        ("Opened by machines", funnel.opened_by_machines, share(funnel.opened_by_machines, funnel.opens_measured)),
        *_not_measured(funnel),
        ("Clicked by people", funnel.clicked_by_people, share(funnel.clicked_by_people, funnel.delivered)),
        ("Clicked by machines", funnel.clicked_by_machines, share(funnel.clicked_by_machines, funnel.delivered)),
        ("Unsubscribed", funnel.unsubscribed, share(funnel.unsubscribed, funnel.delivered)),
        ("Complained", funnel.complained, share(funnel.complained, funnel.delivered)),
    ]


def _not_measured(funnel: Funnel) -> list[tuple[str, int, str]]:
    """The mails that nobody may ask about, and the opens that were counted without a name; lines that are nothing not.

    A picture is fetched each time that somebody looks, so that fetches are a share of nothing.
    """
    hidden = funnel.delivered - funnel.opens_measured
    lines = [
        ("Opens not tracked, one by one", hidden, share(hidden, funnel.delivered)),
        ("Looks without a name, by people", funnel.pictures_by_people, "–"),
        ("Looks without a name, by machines", funnel.pictures_by_machines, "–"),
    ]
    return [line for line in lines if line[1]]


def verdict(report: Report) -> str:
    """The experiment in one sentence."""
    experiment = report.experiment
    if experiment is None or experiment.whole is None:
        return "Nobody was held out, so nobody can say what would have happened without these messages."
    effect, currency = experiment.whole.revenue.difference, report.currency
    each = money(abs(effect.value), currency)
    limits = f"95\N{NO-BREAK SPACE}% interval {money(effect.low, currency)} to {money(effect.high, currency)}"
    if effect.low > 0:
        return f"Each person who was written to spent {each} more than those who were held out ({limits})."
    if effect.high < 0:
        return f"Each person who was written to spent {each} less than those who were held out ({limits})."
    return (
        f"Too early to say: the difference is {money(effect.value, currency)} a person, and it may as well be chance "
        f"({limits})."
    )
