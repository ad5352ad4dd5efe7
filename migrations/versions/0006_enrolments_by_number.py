"""Enrolments get numbers, so that those who came together lie together, with their timers and journals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

import core.columns

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_UID = sa.String(length=36)
_ENROLMENT = (
    "journey", "version", "profile_id", "key", "status", "position", "step", "state", "sealed_state", "entered_at",
    "step_entered_at", "ended_at", "end_reason", "goal_at", "journal_seq", "origin_profile_id",
)  # fmt: skip
_CHILDREN: Mapping[str, Sequence[str]] = {
    "journal": ("seq", "at", "kind", "data"),
    "timer": ("kind", "due_at"),
    "event_wait": ("item_no", "event_name", "profile_id"),
}


def upgrade() -> None:
    _put_aside()
    op.execute("CREATE TABLE enrolment_number AS SELECT id, row_number() OVER (ORDER BY entered_at, id) AS number "
               "FROM enrolment_aside")  # fmt: skip
    op.execute("CREATE UNIQUE INDEX ix_enrolment_number ON enrolment_number (id)")
    _create(sa.Column("id", _NUMBER, nullable=False), _NUMBER, uid=sa.Column("uid", _UID, nullable=False))
    columns = ", ".join(_ENROLMENT)
    op.execute(f"INSERT INTO enrolment (id, uid, {columns}) SELECT number, id, {columns} FROM enrolment_aside "
               "JOIN enrolment_number USING (id) ORDER BY number")  # fmt: skip
    for name, others in _CHILDREN.items():
        columns = ", ".join(others)
        op.execute(f"INSERT INTO {name} (enrolment_id, {columns}) SELECT number, {columns} FROM {name}_aside "
                   f"JOIN enrolment_number ON enrolment_number.id = enrolment_id ORDER BY number")  # fmt: skip
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SELECT setval(pg_get_serial_sequence('enrolment', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL)"
                   " FROM enrolment")  # fmt: skip
    op.drop_table("enrolment_number")
    _drop_aside()


def downgrade() -> None:
    _put_aside()
    _create(sa.Column("id", _UID, nullable=False), _UID)
    columns = ", ".join(_ENROLMENT)
    op.execute(f"INSERT INTO enrolment (id, {columns}) SELECT uid, {columns} FROM enrolment_aside")
    for name, others in _CHILDREN.items():
        columns = ", ".join(f"{name}_aside.{column}" for column in others)
        op.execute(f"INSERT INTO {name} (enrolment_id, {', '.join(others)}) SELECT uid, {columns} FROM {name}_aside "
                   f"JOIN enrolment_aside ON enrolment_aside.id = enrolment_id")  # fmt: skip
    _drop_aside()


def _put_aside() -> None:
    """Keep the rows in plain tables, and free the names."""
    for name in ("enrolment", *_CHILDREN):
        op.execute(f"CREATE TABLE {name}_aside AS SELECT * FROM {name}")
    for name in (*_CHILDREN, "enrolment"):
        op.drop_table(name)


def _drop_aside() -> None:
    for name in (*_CHILDREN, "enrolment"):
        op.drop_table(f"{name}_aside")


def _create(key: sa.Column[object], number: sa.types.TypeEngine[object], uid: sa.Column[object] | None = None) -> None:
    named = [] if uid is None else [uid, sa.UniqueConstraint("uid", name=op.f("uq_enrolment_uid"))]
    op.create_table(
        "enrolment",
        key,
        *named,
        sa.Column("journey", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("profile_id", _NUMBER, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("position", core.columns.Document(), nullable=True),
        sa.Column("step", sa.String(length=100), nullable=True),
        sa.Column("state", core.columns.Document(), nullable=False),
        sa.Column("sealed_state", sa.LargeBinary(), nullable=True),
        sa.Column("entered_at", core.columns.Instant(), nullable=False),
        sa.Column("step_entered_at", core.columns.Instant(), nullable=True),
        sa.Column("ended_at", core.columns.Instant(), nullable=True),
        sa.Column("end_reason", sa.String(length=30), nullable=True),
        sa.Column("goal_at", core.columns.Instant(), nullable=True),
        sa.Column("journal_seq", sa.Integer(), nullable=False),
        sa.Column("origin_profile_id", _NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_enrolment_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrolment")),
    )
    op.create_index("ix_enrolment_journey_status_step", "enrolment", ["journey", "status", "step"])
    op.create_index("ix_enrolment_profile_id_journey_key", "enrolment", ["profile_id", "journey", "key"])
    kept = sa.text("sealed_state IS NOT NULL")
    op.create_index("ix_enrolment_kept", "enrolment", ["ended_at"], sqlite_where=kept, postgresql_where=kept)
    op.create_table(
        "journal",
        _owner(number),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", core.columns.Instant(), nullable=False),
        sa.Column("kind", sa.String(length=30), nullable=False),
        sa.Column("data", core.columns.Document(), nullable=False),
        sa.ForeignKeyConstraint(["enrolment_id"], ["enrolment.id"], name=op.f("fk_journal_enrolment_id")),
        sa.PrimaryKeyConstraint("enrolment_id", "seq", name=op.f("pk_journal")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "timer",
        _owner(number),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("due_at", core.columns.Instant(), nullable=False),
        sa.ForeignKeyConstraint(["enrolment_id"], ["enrolment.id"], name=op.f("fk_timer_enrolment_id")),
        sa.PrimaryKeyConstraint("enrolment_id", "kind", name=op.f("pk_timer")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_timer_due_at", "timer", ["due_at", "enrolment_id"])
    op.create_table(
        "event_wait",
        _owner(number),
        sa.Column("item_no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_name", sa.String(length=100), nullable=False),
        sa.Column("profile_id", _NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["enrolment_id"], ["enrolment.id"], name=op.f("fk_event_wait_enrolment_id")),
        sa.ForeignKeyConstraint(["profile_id"], ["profile.id"], name=op.f("fk_event_wait_profile_id")),
        sa.PrimaryKeyConstraint("enrolment_id", "item_no", name=op.f("pk_event_wait")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_event_wait_profile_id_event_name", "event_wait", ["profile_id", "event_name"])


def _owner(number: sa.types.TypeEngine[object]) -> sa.Column[object]:
    return sa.Column("enrolment_id", number, autoincrement=False, nullable=False)
