"""Alias calls that say two known users are one: no call decides that, so the pair waits for a person who does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from customers.proposals import ReviewReason, propose
from customers.tables import IdentityKind, identity
from tracking.events.event_spec import Call, CallKind


def find_users(connection: Connection, user_ids: Collection[str]) -> dict[str, int]:
    """The profile of each of `user_ids` that was ever identified as a user's."""
    query = select(identity.c.lookup, identity.c.profile_id).where(
        identity.c.kind == IdentityKind.EXTERNAL_ID.value, identity.c.lookup.in_(sorted(user_ids))
    )
    return dict(connection.execute(query).tuples().all()) if user_ids else {}


def known_previous(connection: Connection, calls: Sequence[Call]) -> frozenset[str]:
    """The previous ids of alias calls that are a user's: known as such, or named as such by a call beside them."""
    previous = {call.previous_id.strip() for call in calls if call.kind is CallKind.ALIAS and call.previous_id}
    if not previous:
        return frozenset()
    named = {call.user_id.strip() for call in calls if call.user_id}
    return frozenset(previous & named | find_users(connection, previous).keys())


def propose_aliases(connection: Connection, said: Sequence[tuple[str, int]], now: datetime) -> int:
    """Put into the review queue whoever is said to be one: (previous user id, profile); answers how many are new."""
    users = find_users(connection, {previous for previous, _ in said})
    pairs = [(users[previous], profile_id) for previous, profile_id in said if previous in users]
    return propose(connection, pairs, ReviewReason.ALIAS, now) if pairs else 0
