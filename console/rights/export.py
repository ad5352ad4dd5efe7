"""A copy of everything that is known about a person (GDPR articles 15 and 20), in a file and behind a link.

What belongs to the person is what the tables say of themselves (`core/personal.py`), so that a new table is in the
copy from the day on which it says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table

from console.rights.archive import Part, write_archive
from console.rights.export_files import export_folder, new_name
from console.rights.family import load_living
from console.rights.owned import personal_tables
from console.rights.records import read_records
from core.errors import NotFoundError
from core.personal import Personal
from core.runtime import Runtime
from customers.profiles import Profile, get_profile
from customers.rights import Request, Right, complete
from customers.single_use_links import LIFETIME, PATH, LinkKind, create_link
from customers.workspace import Workspace
from tracking.pages.data_requests import send_link
from tracking.pages.language import texts_for

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Export:
    """The copy: where it lies, and the link that hands it out once."""

    request: Request
    file: Path
    url: str = field(repr=False)  # whoever has it has the data
    expires_at: datetime
    rows: Mapping[str, int]


def export_profile(
    runtime: Runtime, workspace: Workspace, profile_id: int, *, requested_by: str, now: datetime
) -> Export:
    """Write the copy into the state folder's `exports/` and make its link.

    Raises NotFoundError for an unknown profile and ConflictError for somebody who was erased.
    """
    request, file, rows = write_export(runtime, workspace, profile_id, requested_by=requested_by, now=now)
    with runtime.database.transaction() as connection:
        token = create_link(connection, runtime.vault, LinkKind.EXPORT, request.profile_id, request.id, now)
    url = f"{runtime.settings.public_url.rstrip('/')}{PATH}{token}"
    return Export(request, file, url, now + LIFETIME, rows)


def mail_link(runtime: Runtime, workspace: Workspace, done: Export) -> None:
    """Send the link of `done` to the person's own address, in their language.

    Raises NotFoundError for somebody without an e-mail address.
    """
    profile_id = done.request.profile_id
    with runtime.database.transaction() as connection:
        person = get_profile(connection, runtime.vault, profile_id)
        if person.email is None:
            raise NotFoundError(f"profile {profile_id} has no e-mail address: hand the file over in another way.")
        texts, token = texts_for(workspace, person.locale), done.url.rpartition("/")[2]
        send_link(connection, runtime, workspace, texts, profile_id, LinkKind.EXPORT, token)


def write_export(
    runtime: Runtime, workspace: Workspace, profile_id: int, *, requested_by: str, now: datetime
) -> tuple[Request, Path, Mapping[str, int]]:
    """Write the copy, without a link to it: the request, done; the file; and how many rows of each table are in it.

    Raises what `export_profile` raises.
    """
    with runtime.database.read() as connection:
        ids, _status = load_living(connection, profile_id)
        file = export_folder(runtime.settings) / new_name(ids[0], now)
        person = get_profile(connection, runtime.vault, ids[0])
        parts = [_part(connection, runtime, table, personal, ids) for table, personal in personal_tables()]
        heading = f"What {workspace.name} keeps about you"
        rows = write_archive(file, parts, heading, _facts(workspace, person), now)
    proof = {"file": file.name, "sha256": _digest(file), "bytes": file.stat().st_size, "rows": rows}
    with runtime.database.transaction() as connection:
        zone = ZoneInfo(workspace.timezone)
        request = complete(connection, ids, Right.EXPORT, requested_by=requested_by, proof=proof, now=now, zone=zone)
    return request, file, rows


def _part(connection: Connection, runtime: Runtime, table: Table, personal: Personal, ids: Sequence[int]) -> Part:
    read = partial(read_records, connection, runtime.vault, table, personal, ids)
    return Part(str(table.name), personal.about, read)


def _facts(workspace: Workspace, person: Profile) -> dict[str, Any]:
    """Who they are, in the words that they would use themselves."""
    return {
        "kept_by": workspace.name,
        "profile": {
            "number": person.id,
            "external_id": person.external_id,
            "email": person.email.value if person.email else None,
            "phone": person.phone.value if person.phone else None,
            "country": person.country,
            "timezone": person.timezone,
            "locale": person.locale,
            **person.attributes,
        },
    }


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
