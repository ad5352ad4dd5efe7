"""A refresh that asks the snapshot: when that pays, and what of its answer still holds in the database.

Between the moment that the snapshot shows and the transaction that writes, people may have changed and a tick may have
moved them. Whoever changed since is asked about once more, in that transaction, so that nobody is put back.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, update

from core.errors import ConflictError, EnvironmentFaultError
from core.runtime import Runtime
from core.vault import Vault
from customers.tables import profile
from customers.workspace import Workspace
from segments.definition import Segment
from segments.language.nesting import inline
from segments.language.rules import Rule
from segments.language.timing import timing_of_rule
from segments.mark import Positions, committed_since
from segments.membership import matching
from segments.membership_writes import asks_for_moves
from segments.population import Found, find_everybody
from segments.snapshot.files import folder_of
from segments.tables import membership, segment_follow

if TYPE_CHECKING:
    import numpy as np

_log = logging.getLogger("postilion.segments")
_WORTH_A_BUILD = 5  # segments: for fewer the snapshot is not made, though it is used where it is there
_MOST_AGAIN = 20_000  # people: above it the database had better be asked about everybody


def find_where_it_pays(runtime: Runtime, segments: Sequence[Segment], now: datetime) -> Found | None:
    """What the snapshot says; None where the database is quicker, or another process has the snapshot."""
    settings = runtime.settings
    if not segments or not settings.snapshot_from_number:
        return None
    with runtime.database.read() as connection:
        highest = connection.scalar(select(func.max(profile.c.id))) or 0
    is_there = folder_of(settings).working.exists()
    if highest < settings.snapshot_from_number or not (is_there or len(segments) >= _WORTH_A_BUILD):
        return None
    try:
        return find_everybody(runtime, {segment.slug: segment for segment in segments}, now)
    except ConflictError:
        return None
    except EnvironmentFaultError:
        _log.warning("the snapshot could not be asked, the database is", exc_info=True)
        return None


def members_now(
    connection: Connection,
    found: Found,
    segment: Segment,
    rules: Mapping[str, Rule],
    workspace: Workspace,
    now: datetime,
    *,
    vault: Vault | None,
    is_followed: bool,
) -> list[int] | None:
    """The members as of `now`, which is the instant of `found` or a tick's a moment later; None to ask the database.

    `is_followed` tells that ticks write this segment. The caller holds the lock that ticks and refreshes share.
    """
    import numpy as np

    positions = found.positions
    since = Positions(positions.events, positions.orders, positions.touches)
    # What a refresh itself writes, segment after segment, concerns only who asks for it.
    reads_moves = asks_for_moves(timing_of_rule(inline(segment.rule, rules)))
    changed = committed_since(connection, since, _MOST_AGAIN, reads_moves=reads_moves)
    if changed is None:
        return None
    members = found.members[segment.slug]
    if now != found.asked_at:
        _sweep_again(connection, found.asked_at)
        if is_followed:
            changed |= set(np.setxor1d(members, _members_of(connection, segment.slug)).tolist())
    if len(changed) > _MOST_AGAIN:
        return None
    again = matching(connection, segment.rule, sorted(changed), now, workspace, segments=rules, vault=vault)
    kept = members[~np.isin(members, np.fromiter(changed, dtype=np.int64, count=len(changed)))]
    return sorted({*kept.tolist(), *again})


def _members_of(connection: Connection, slug: str) -> np.ndarray[Any, Any]:
    import numpy as np

    query = select(membership.c.profile_id).where(membership.c.segment == slug)
    return np.fromiter(connection.scalars(query), dtype=np.int64)


def _sweep_again(connection: Connection, since: datetime) -> None:
    """Let the next tick look at everybody whom time alone has changed since `since`."""
    row = segment_follow.c
    connection.execute(update(segment_follow).where(row.followed_to > since).values(followed_to=since))
