"""What pages and their mails say, in the reader's language: texts as they stand in `texts/*.yaml`, dates and plurals.

A workspace may put its own words in the place of ours (`texts` in workspace.yaml). Nothing here knows a page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from core.located import load_yaml
from customers.workspace import Workspace

DEFAULT: Final = "en"

_FOLDER: Final = Path(__file__).parent / "texts"
_PLACE: Final = re.compile(r"\{(\w+)\}")
_ZERO_IS_ONE: Final = frozenset({"fr"})  # CLDR: in French, 0 takes the singular
_LONGEST_HEADER: Final = 200


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of one language. `zone` is where dates are told."""

    language: str
    zone: ZoneInfo
    words: Mapping[str, Any]

    def __call__(self, key: str, **values: object) -> str:
        """The text `key` with its places filled; with `count` the singular or plural of it. Plain text, no HTML."""
        if "count" in values and key not in self.words:
            key = f"{key}.{self._form(values['count'])}"
        return _PLACE.sub(lambda place: str(values.get(place[1], place[0])), self.words[key])

    def day(self, moment: datetime) -> str:
        """The date of an instant on the workspace's clock, as this language writes it."""
        local = moment.astimezone(self.zone)
        return self("date.pattern", day=local.day, month=self.words["date.months"][local.month - 1], year=local.year)

    def by_channel(self, channel: str) -> str:
        """`by e-mail`; of a channel without a word of its own, its name."""
        key = f"channel.{channel}"
        return self(key) if key in self.words else self("channel.other", channel=channel)

    def _form(self, count: object) -> str:
        return "one" if count == 1 or (count == 0 and self.language in _ZERO_IS_ONE) else "other"


@cache
def languages() -> tuple[str, ...]:
    """The languages that there are texts in, by their ISO 639 code."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


@cache
def words_of(language: str) -> Mapping[str, Any]:
    """Our own texts of one language, with dots in their names."""
    file = _FOLDER / f"{language}.yaml"
    located, _faults = load_yaml(file.read_bytes(), file.name)
    assert located is not None, "the texts are part of the program"
    return dict(_flat(located.data))


def texts_for(workspace: Workspace, *wanted: str | None) -> Texts:
    """The texts in the first of the `wanted` locales or languages that there are any in, else in the workspace's."""
    language = next(filter(None, map(_known, (*wanted, workspace.locale))), DEFAULT)
    own = workspace.texts.get(language) or {}
    return Texts(language, ZoneInfo(workspace.timezone), {**words_of(language), **own})


def accepted(header: str | None) -> list[str]:
    """The languages of an Accept-Language header (RFC 9110, section 12.5.4), the most wanted first."""
    found = []
    for place, part in enumerate((header or "")[:_LONGEST_HEADER].split(",")):
        name, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight or 1)
        except ValueError:
            continue
        if quality > 0 and name:
            found.append((-quality, place, name))
    return [name for _, _, name in sorted(found)]


def is_text(key: str) -> bool:
    """Whether pages say anything by this name."""
    return isinstance(words_of(DEFAULT).get(key), str)


def _known(locale: str | None) -> str | None:
    language = re.split("[-_]", locale or "", maxsplit=1)[0].lower()
    return language if language in languages() else None


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def text_names() -> Iterator[str]:
    """Every text that a workspace may replace."""
    return (key for key, value in words_of(DEFAULT).items() if isinstance(value, str))
