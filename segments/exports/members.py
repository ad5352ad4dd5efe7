"""The members of a segment as a CSV or Parquet file, as they stood at its last refresh.

Personal columns are in it only when they were named; they are opened batch by batch, so that a million members cost no
more memory than five thousand. The file appears whole or not at all, and only its owner can read it.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from core.errors import InputError
from core.vault import Vault
from customers.imports.rejects import neutralised
from customers.profiles import Profile, load_profiles
from customers.tables import IdentityKind, ProfileStatus, identity, profile
from segments.compiling.attributes import ADDRESSES, COLUMNS
from segments.exports.columns import ENTERED_AT, EXTERNAL_ID, PROFILE_ID, ExportColumn, ExportFormat
from segments.snapshot.parquet import WHOLE_NUMBER, write_parquet
from segments.tables import membership

_BATCH = 5_000

Row = dict[str, Any]


def format_of(file: Path) -> ExportFormat:
    """By the file's ending. Raises InputError for another one."""
    try:
        return ExportFormat(file.suffix.removeprefix(".").lower())
    except ValueError:
        raise InputError(f"{file.name} is neither .csv nor .parquet: say by its ending which it shall be.") from None


def export_members(
    connection: Connection,
    vault: Vault,
    segment: str,
    file: Path,
    columns: Sequence[ExportColumn],
    file_format: ExportFormat,
) -> int:
    """Write the members of `segment` to `file`, which is replaced; answers how many rows it has.

    Who was erased, restricted or objected since the last refresh is left out. The folder has to be there.
    """
    unfinished = file.with_name(f".{file.name}.part")
    rows = iter_rows(connection, vault, segment, columns)
    try:
        if file_format is ExportFormat.CSV:
            count = _write_csv(unfinished, columns, rows)
        else:
            kinds = {one.name: WHOLE_NUMBER if one.name == PROFILE_ID else one.kind for one in columns}
            count = write_parquet(unfinished, kinds, rows)
        with unfinished.open("rb+") as written:
            os.fsync(written.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def iter_rows(connection: Connection, vault: Vault, segment: str, columns: Sequence[ExportColumn]) -> Iterator[Row]:
    """The members in the order of their ids, each with its value for every column or None."""
    opens = any(one.is_sealed for one in columns)
    last = 0
    while members := _members_after(connection, segment, last):
        last = members[-1][0]
        ids = [number for number, _entered_at in members]
        rows = _opened(connection, vault, ids) if opens else _plain(connection, ids, columns)
        for number, entered_at in members:
            known = rows.get(number, {}) | {PROFILE_ID: number, ENTERED_AT: entered_at}
            yield {one.name: known.get(one.name) for one in columns}


def _members_after(connection: Connection, segment: str, last: int) -> list[tuple[int, datetime]]:
    member = membership.c
    query = (
        select(member.profile_id, member.entered_at)
        .join(profile, profile.c.id == member.profile_id)
        .where(
            member.segment == segment,
            member.profile_id > last,
            profile.c.status == ProfileStatus.ACTIVE.value,
            profile.c.objected_at.is_(None),
        )
        .order_by(member.profile_id)
        .limit(_BATCH)
    )
    return [(number, entered_at) for number, entered_at in connection.execute(query).tuples()]


def _plain(connection: Connection, ids: Sequence[int], columns: Sequence[ExportColumn]) -> dict[int, Row]:
    """What can be told without opening anything."""
    query = select(profile.c.id, profile.c.attributes, *(profile.c[name] for name in COLUMNS))
    rows: dict[int, Row] = {}
    for row in connection.execute(query.where(profile.c.id.in_(ids))).mappings():
        rows[row["id"]] = {**row["attributes"], **{name: row[name] for name in COLUMNS}}
    if any(one.name == EXTERNAL_ID for one in columns):
        named = select(identity.c.profile_id, identity.c.lookup).where(
            identity.c.profile_id.in_(ids), identity.c.kind == IdentityKind.EXTERNAL_ID.value
        )
        ordered = named.order_by(identity.c.origin_profile_id.is_(None), identity.c.id)
        for number, name in connection.execute(ordered):  # of several the newest own one stays
            rows[number][EXTERNAL_ID] = name
    return rows


def _opened(connection: Connection, vault: Vault, ids: Sequence[int]) -> dict[int, Row]:
    plain = _plain(connection, ids, ())
    return {number: plain[number] | _attributes(one) for number, one in load_profiles(connection, vault, ids).items()}


def _attributes(one: Profile) -> Row:
    addresses = {"email": one.email, "phone": one.phone}
    found = {name: address.value for name in ADDRESSES if (address := addresses[name]) is not None}
    return {**one.attributes, EXTERNAL_ID: one.external_id, **found}


def _write_csv(file: Path, columns: Sequence[ExportColumn], rows: Iterator[Row]) -> int:
    count = 0
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([neutralised(one.name) for one in columns])
        for row in rows:
            writer.writerow([_cell(row[one.name]) for one in columns])
            count += 1
    return count


def _cell(value: Any) -> str:
    """Text that no spreadsheet takes for a formula; a number keeps its sign, an instant is in UTC."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return neutralised(value)
    return str(value) if isinstance(value, int | float) else neutralised(_encoded(value))


def _encoded(value: list[Any] | Mapping[str, Any]) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
