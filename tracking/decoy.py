"""The link that nobody sees: a machine that follows every link of a mail follows it too, and gives itself away.

It stands in the HTML of marketing mail without a word, a size or a place in the order of the keyboard, and screen
readers pass over it. It leads to a page that does nothing. `tracking: {decoy: false}` leaves it out.
"""

from __future__ import annotations

from typing import Final

from customers.workspace import Workspace

DECOY_LINK: Final = 0  # the links of a template are numbered from 1
PAGE: Final = b"There is nothing here. This link is not meant for people: please use the others in your mail."


def has_decoy(workspace: Workspace) -> bool:
    """Whether the workspace's marketing mails carry the link; they do unless it says no."""
    return workspace.tracking.get("decoy", True) is not False
