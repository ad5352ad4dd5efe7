"""What erasing a person does to the rows of the database: deleted, cleared or kept, as each table says of itself.

Statements over whole sets, each found by an index; nothing is read into memory. What a profile's key seals is not
opened here, so the same can be done to a restored database long after the key was destroyed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, func, or_, select, text, update

from console.rights.owned import emptied, is_filled, personal_tables, rows_of
from core.erasures import Erasure
from core.personal import OnErasure
from customers.consent import WHOLE_CHANNEL, ConsentStatus, NewConsent, record_consents
from customers.tables import IdentityKind, ProfileStatus, consent_entry, identity, profile
from customers.task_tables import UNFINISHED, TaskStatus, task
from customers.tombstones import bury
from customers.touches import TouchKind, touch
from delivery.policy import Reason
from delivery.tables import MessageStatus, message
from journeys.departures import end_runs_of
from journeys.transition import EndReason
from segments.membership_writes import forget_members

SOURCE = "erasure"

_CHANNELS: Mapping[str, str] = {IdentityKind.EMAIL: "email", IdentityKind.PHONE: "sms"}


def forget(connection: Connection, erasure: Erasure) -> Counter[str]:
    """Erase the rows of one person; answers how many changed, by table. Doing it again changes nothing."""
    ids = list(erasure.profile_ids)
    _hold_back_ids(connection, ids)
    changed: Counter[str] = Counter()
    bury(connection, erasure.marks, erasure.erased_at)
    changed["consent_entry"] += _withdraw(connection, erasure)
    changed["enrolment"] += end_runs_of(connection, ids, EndReason.ERASED, erasure.erased_at)
    changed["message"] += _cancel_messages(connection, ids, erasure.erased_at)
    changed["task"] += _cancel_tasks(connection, ids, erasure.erased_at)
    changed["membership"] += forget_members(connection, ids)
    for table, personal in reversed(list(personal_tables())):  # children before what they refer to
        if table is profile:
            continue
        mine = rows_of(table, personal, ids)
        if personal.on_erasure is OnErasure.DELETE:
            changed[table.name] += connection.execute(delete(table).where(mine)).rowcount
        elif personal.on_erasure is OnErasure.CLEAR:
            columns = [table.c[name] for name in personal.clears]
            filled = or_(*map(is_filled, columns))
            values = {column.name: emptied(column) for column in columns}
            changed[table.name] += connection.execute(update(table).where(mine, filled).values(values)).rowcount
    changed["profile"] += _close_profiles(connection, ids, erasure.erased_at)
    touch(connection, ids, TouchKind.REWRITTEN)
    return +changed


def _close_profiles(connection: Connection, profile_ids: Collection[int], now: datetime) -> int:
    """The profile's own row goes last: until then nothing says that the person is gone."""
    personal = next(found for table, found in personal_tables() if table is profile)
    values = {name: emptied(profile.c[name]) for name in personal.clears}
    gone = {"status": ProfileStatus.ERASED.value, "objected_at": None, "updated_at": now}
    standing = profile.c.id.in_(profile_ids) & (profile.c.status != ProfileStatus.ERASED.value)
    return connection.execute(update(profile).where(standing).values(values | gone)).rowcount


def _withdraw(connection: Connection, erasure: Erasure) -> int:
    """Answer every old grant of an address that is nobody else's, so that none lives again after a fresh opt-in."""
    mine = select(identity.c.kind, identity.c.lookup).where(
        identity.c.profile_id.in_(erasure.profile_ids), identity.c.kind.in_(sorted(_CHANNELS))
    )
    addresses = dict.fromkeys((row.lookup, _CHANNELS[row.kind]) for row in connection.execute(mine))
    lookups = [lookup for lookup, _ in addresses]
    shared = set(
        connection.scalars(
            select(identity.c.lookup)
            .join(profile, profile.c.id == identity.c.profile_id)
            .where(
                identity.c.kind.in_(sorted(_CHANNELS)),
                identity.c.lookup.in_(lookups),
                identity.c.profile_id.not_in(erasure.profile_ids),
                profile.c.status.in_([ProfileStatus.ACTIVE, ProfileStatus.RESTRICTED]),
            )
        )
    )
    spoken = select(consent_entry.c.lookup, consent_entry.c.channel).where(consent_entry.c.lookup.in_(lookups))
    addresses |= dict.fromkeys(connection.execute(spoken.distinct()).tuples())
    entries = [
        NewConsent(
            lookup=lookup,
            channel=channel,
            topic=WHOLE_CHANNEL,
            status=ConsentStatus.WITHDRAWN,
            basis=None,
            source=SOURCE,
            occurred_at=erasure.erased_at,
            profile_id=None,
            key=f"erasure:{erasure.no}:{channel}:{lookup}",
        )
        for lookup, channel in addresses
        if lookup not in shared
    ]
    return len(record_consents(connection, entries, erasure.erased_at))


def _cancel_messages(connection: Connection, profile_ids: Collection[int], now: datetime) -> int:
    """What nobody has claimed yet. A claimed message meets the send policy, which drops it."""
    waiting = message.c.profile_id.in_(profile_ids) & (message.c.status == MessageStatus.DUE.value)
    values = {"status": MessageStatus.CANCELLED.value, "reason": Reason.ERASED.value, "ended_at": now}
    return connection.execute(update(message).where(waiting).values(**values)).rowcount


def _cancel_tasks(connection: Connection, profile_ids: Collection[int], now: datetime) -> int:
    """Nobody can be called back any more."""
    open_ones = task.c.profile_id.in_(profile_ids) & task.c.status.in_(sorted(UNFINISHED))
    values = {"status": TaskStatus.CANCELLED.value, "outcome": Reason.ERASED.value, "closed_at": now, "updated_at": now}
    return connection.execute(update(task).where(open_ones).values(**values)).rowcount


def _hold_back_ids(connection: Connection, profile_ids: Collection[int]) -> None:
    """The id of somebody erased never returns, although a restored database may not have given it away yet."""
    highest = max(profile_ids)
    if highest <= (connection.scalar(select(func.max(profile.c.id))) or 0):
        return
    if connection.dialect.name == "sqlite":
        values = {"highest": highest}
        connection.execute(
            text(
                "INSERT INTO sqlite_sequence (name, seq) SELECT 'profile', 0 "
                "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'profile')"
            )
        )
        raised = "UPDATE sqlite_sequence SET seq = max(seq, :highest) WHERE name = 'profile'"
        connection.execute(text(raised), values)
        return
    sequence = connection.scalar(select(func.pg_get_serial_sequence("profile", "id")))
    last: int = connection.execute(text(f"SELECT last_value FROM {sequence}")).scalar_one()
    connection.execute(select(func.setval(sequence, max(last, highest))))
