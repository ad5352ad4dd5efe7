"""A message in the browser, for whoever follows the link in it: composed anew, without what is sealed of its person.

Mail is forwarded, so whoever opens the link need not be the one it was written to.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from campaigns.compose import Composer
from core.runtime import Runtime
from customers.profiles import Profile
from customers.workspace import Workspace, get_workspace
from delivery.envelope import Envelope
from delivery.facts import gather_facts
from delivery.tables import MessageStatus, OriginKind, message

_SHOWN_FOR = timedelta(days=90)


def find_message_html(runtime: Runtime, token_id: int) -> str | None:
    """The HTML of a mail that went out in the last 90 days, by its token's id; None when there is nothing to show."""
    now = runtime.clock.now()
    with runtime.database.read() as connection:
        row = connection.execute(
            select(message).where(
                message.c.token_id == token_id,
                message.c.channel == "email",
                message.c.origin_kind != OriginKind.SYSTEM,  # its link is for its reader alone
                message.c.status.in_([MessageStatus.SENT, MessageStatus.UNKNOWN]),
                message.c.sending_at > now - _SHOWN_FOR,
            )
        ).one_or_none()
        if row is None:
            return None
        workspace = get_workspace(connection)
        gathered = gather_facts(connection, runtime.vault, workspace, [row], now, takes_synthetic=True)[row.id]
    if gathered.facts.is_erased or gathered.address is None:
        return None
    anonymous = replace(gathered, profile=_without_sealed(gathered.profile, workspace))
    composer = Composer(runtime, workspace, shows_sealed=False)
    (composed,) = composer.compose([row], {row.id: anonymous})
    return composed.html if isinstance(composed, Envelope) else None


def _without_sealed(profile: Profile, workspace: Workspace) -> Profile:
    """Only what stands in clear anyway, and no address; an attribute that nobody declared counts as personal."""
    plain = {
        name: value
        for name, value in profile.attributes.items()
        if (spec := workspace.attributes.get(name)) is not None and not spec.is_personal
    }
    return replace(profile, attributes=plain, email=None, phone=None, external_id=None)
