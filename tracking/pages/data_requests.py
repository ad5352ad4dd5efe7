"""`Send me my data` and `erase me`: a link to the address on record, which serves once and within half an hour.

Mail is forwarded, so whoever presses the button in one need not be the one it was written to. Nothing else happens
here: the page behind the link asks once more (`console/rights/web.py`).
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, select

from core.runtime import Runtime
from customers.single_use_links import LIFETIME, PATH, LinkKind, count_links, create_link
from customers.tables import ProfileStatus, profile
from customers.workspace import Workspace
from delivery.system_mails import DATA_REQUEST_LINK, SystemMail, send_system_mail
from tracking.pages.language import Texts
from tracking.pages.mail_words import mail_words

# (window, links): whoever got hold of a mail must not fill its reader's mailbox.
LIMITS: Final = ((timedelta(hours=1), 3), (timedelta(days=1), 6))


def request_link(
    connection: Connection, runtime: Runtime, workspace: Workspace, texts: Texts, profile_id: int, kind: LinkKind
) -> bool:
    """Send the link that `kind` needs, within the limits; answers whether one was sent.

    Nothing is sent to somebody without an e-mail address, or who was erased.
    """
    now = runtime.clock.now()
    if any(count_links(connection, profile_id, now - window) >= links for window, links in LIMITS):
        return False
    row = connection.execute(select(profile.c.status, profile.c.has_email).where(profile.c.id == profile_id)).one()
    if row.status not in (ProfileStatus.ACTIVE, ProfileStatus.RESTRICTED) or not row.has_email:
        return False
    token = create_link(connection, runtime.vault, kind, profile_id, None, now)
    send_link(connection, runtime, workspace, texts, profile_id, kind, token)
    return True


def send_link(
    connection: Connection,
    runtime: Runtime,
    workspace: Workspace,
    texts: Texts,
    profile_id: int,
    kind: LinkKind,
    token: str,
) -> None:
    """Queue the mail with a link that was made just now, to the profile's own address."""
    now = runtime.clock.now()
    mail = SystemMail(
        template=DATA_REQUEST_LINK,
        profile_id=profile_id,
        cause=hashlib.sha256(token.encode()).hexdigest(),
        words=mail_words(workspace, texts, kind.value, ignore="rights_ignore"),
        button=f"{runtime.settings.public_url.rstrip('/')}{PATH}{token}",
        expires_at=now + LIFETIME,
    )
    send_system_mail(connection, runtime.vault, workspace, mail, now)
