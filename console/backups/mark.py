"""What a restored database says of itself: from when it is, when it was put back, and that nothing may go out yet.

Plain SQL for both engines, because on PostgreSQL it is part of the one transaction that restores: no moment exists in
which the old timers and campaigns stand there and the pause does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from core.clock import from_micros, to_micros
from core.cursors import RESTORED, get_position
from core.database import Database
from core.key_store import data_key
from delivery.pauses import EVERYTHING, find_pauses

_CAUSE = "restored from a backup of"
_NO_TRANSACTION = 10**14  # a position above counts microseconds; no server has begun so many transactions


@dataclass(frozen=True, slots=True)
class Restoration:
    """The gap is (`made_at`, `restored_at`]. `is_held`: the pause that the restore set still stands."""

    made_at: datetime
    restored_at: datetime
    is_held: bool


def find_restoration(connection: Connection, now: datetime) -> Restoration | None:
    """The last restore of this database, if it ever was restored."""
    position = get_position(connection, RESTORED)
    if position.row_id == 0:
        return None
    cause = find_pauses(connection, now).get(EVERYTHING, "")
    return Restoration(from_micros(position.transaction_no), from_micros(position.row_id), cause.startswith(_CAUSE))


def highest_id(store: Database) -> int:
    """The highest profile id that has a data key: the restored database may not have given it away yet."""
    with store.read() as connection:
        return connection.execute(select(func.max(data_key.c.profile_id))).scalar() or 0


def mark_statements(made_at: datetime, restored_at: datetime) -> Sequence[str]:
    """Pause everything, and say why; for both engines."""
    made, restored = to_micros(made_at), to_micros(restored_at)
    return (
        f"""INSERT INTO pause (scope, cause, since, "until")
            VALUES ('{EVERYTHING}', '{_CAUSE} {made_at:%Y-%m-%d %H:%M} UTC', {restored}, NULL)
            ON CONFLICT (scope) DO UPDATE SET cause = excluded.cause, since = excluded.since, "until" = NULL""",
        f"""INSERT INTO cursor_position (name, transaction_no, row_id) VALUES ('{RESTORED}', {made}, {restored})
            ON CONFLICT (name) DO UPDATE SET transaction_no = excluded.transaction_no, row_id = excluded.row_id""",
    )


def sqlite_statements(highest: int) -> Sequence[str]:
    """Ids of profiles that the lost database gave away are not given to somebody else."""
    return (
        """INSERT INTO sqlite_sequence (name, seq) SELECT 'profile', 0
            WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'profile')""",
        f"UPDATE sqlite_sequence SET seq = max(seq, {highest}) WHERE name = 'profile'",
    )


def postgresql_statements(highest: int) -> Sequence[str]:
    """The same for PostgreSQL, and transaction numbers that this server can have given.

    Rows that cursors read carry the number of their transaction (core/cursors.py). Another cluster may have counted
    further than this one has; then all of them move down by one distance, so that their order stays.
    """
    return (
        f"""SELECT setval(sequence, greatest({highest}, (SELECT coalesce(max(id), 0) FROM profile), 1))
            FROM pg_get_serial_sequence('profile', 'id') AS sequence""",
        f"""DO $$
        DECLARE
            found text;
            newest bigint;
            distance bigint;
            oldest_running bigint := pg_snapshot_xmin(pg_current_snapshot())::text::bigint;
            numbered text[] := (SELECT array_agg(table_name::text) FROM information_schema.columns
                WHERE table_schema = current_schema() AND column_name = 'transaction_no');
        BEGIN
            FOREACH found IN ARRAY numbered LOOP
                EXECUTE format('SELECT greatest($1, max(transaction_no)) FROM %I WHERE transaction_no < $2', found)
                    INTO newest USING newest, {_NO_TRANSACTION};
            END LOOP;
            distance := newest - oldest_running + 1;
            IF distance > 0 THEN
                FOREACH found IN ARRAY numbered LOOP
                    EXECUTE format('UPDATE %I SET transaction_no = transaction_no - $1
                        WHERE transaction_no BETWEEN -$2 AND $2', found) USING distance, {_NO_TRANSACTION};
                END LOOP;
            END IF;
        END $$""",
    )
