"""What a mail of our own says, in the reader's language: the `entry` of `delivery/system_mails.py`."""

from __future__ import annotations

import re
from typing import Final

from customers.workspace import Workspace
from tracking.pages.contrast import text_colour_on
from tracking.pages.language import Texts

_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_DEFAULT_COLOUR: Final = "#24483a"


def mail_words(workspace: Workspace, texts: Texts, name: str, *, ignore: str, **values: object) -> dict[str, str]:
    """The texts `mail.<name>_…` with `values`, the remark `mail.<ignore>` for whom it was not meant, and colours."""
    given = {"brand": workspace.brand["name"], **values}
    said = {part: texts(f"mail.{name}_{part}", **given) for part in ("subject", "preheader", "title", "text", "button")}
    colour = workspace.brand.get("color", "")
    colour = colour if _COLOUR.fullmatch(colour) else _DEFAULT_COLOUR
    return {
        **said,
        "language": texts.language,
        "hello": texts("mail.hello", **given),
        "ignore": texts(f"mail.{ignore}", **given),
        "colour": colour,
        "on_colour": text_colour_on(colour),
    }
