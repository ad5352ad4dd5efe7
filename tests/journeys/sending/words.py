"""What the journeys of these tests have in common."""

from __future__ import annotations

from tests.journeys.town import Town

HEAD = "enter: {event: signed_up}\ndefaults: {topic: marketing}\n"
NIGHT = "quiet_hours: {from: 22:00, to: 08:00}\n"
ONE_MAIL = "steps: [{id: first, email: one}, {id: rest, wait: 9d}]\n"


def one_mail(extra: str = "", *, name: str = "night") -> str:
    """A journey of one mail, with more words at its top."""
    return f"journey: {name}\n{HEAD}{extra}{ONE_MAIL}"


def endings(town: Town, person: str = "alice") -> list[tuple[str, str | None]]:
    """(status, reason) of each message to a person."""
    return [(row.status, row.reason) for row in town.messages(person)]
