"""The few mails that Postilion itself has to write: a sign-up to be confirmed, and the link to somebody's own data.

They go through the ledger as transactional messages with a template that comes with the program; a template of the
project with the same name takes its place. Their one link stands in `links.button`, is tracked by nobody, and is shown
in no browser view. What they say is handed in, in the reader's language, as `entry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from core.definitions import Published, hash_document
from core.ids import derived_id
from core.vault import Vault
from customers.workspace import Workspace
from delivery.outbox import NewMessage, enqueue
from delivery.pinned import PINNED
from delivery.tables import MessageKind, OriginKind

DOUBLE_OPT_IN: Final = "double_opt_in"
DATA_REQUEST_LINK: Final = "data_request_link"
BUILT_IN: Final = frozenset({DOUBLE_OPT_IN, DATA_REQUEST_LINK})
BUTTON: Final = "links.button"

_FOLDER: Final = Path(__file__).parent / "built_in"
_PRIORITY: Final = 100  # somebody is waiting for it
_NO_TOPIC: Final = "transactional"
_ALWAYS: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SystemMail:
    """One such mail to a profile's own address, or to the normalised address `to`.

    `cause` is what it comes from: the same cause never sends twice. After `expires_at` it is not sent any more.
    """

    template: str
    profile_id: int
    cause: str
    words: Mapping[str, str] = field(repr=False)
    button: str = field(repr=False)
    expires_at: datetime
    to: str | None = field(default=None, repr=False)


def send_system_mail(
    connection: Connection, vault: Vault, workspace: Workspace, mail: SystemMail, now: datetime
) -> str:
    """Put the mail into the ledger; answers its id."""
    message_id = derived_id("system", mail.template, mail.cause)
    context = {"entry": dict(mail.words), "links": {"button": mail.button}}
    new = NewMessage(
        id=message_id,
        profile_id=mail.profile_id,
        channel="email",
        topic=next((slug for slug, topic in workspace.topics.items() if topic.kind == _NO_TOPIC), _NO_TOPIC),
        template=mail.template,
        origin_kind=OriginKind.SYSTEM,
        origin=mail.template,
        origin_id=message_id,
        due_at=now,
        kind=MessageKind.TRANSACTIONAL,
        priority=_PRIORITY,
        expires_at=mail.expires_at,
        context={**context, PINNED: mail.to} if mail.to is not None else context,
    )
    enqueue(connection, vault, [new], now)
    return message_id


@cache
def find_built_in(slug: str) -> Published | None:
    """The template that comes with the program, as if it were published."""
    if slug not in BUILT_IN:
        return None
    file = _FOLDER / f"{slug}.mjml"
    text = file.read_text(encoding="utf-8")
    document = {"text": text}
    return Published("template", slug, 0, hash_document(document), document, text, f"built_in/{file.name}", _ALWAYS)
