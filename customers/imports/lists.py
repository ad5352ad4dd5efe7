"""Who is on which list: rows put people that we know on it, or take them off.

A row makes nobody: whoever is not known yet is refused, because a list without consent helps no one. Import profiles
first.
"""

from __future__ import annotations

from sqlalchemy import Connection

from core.errors import InputError
from customers.identities import resolve_all
from customers.imports import values
from customers.imports.changes import note_left
from customers.imports.job import Job, Outcome, SimpleImporter
from customers.imports.rows import Parsed, Parser, RowParser, identifier_parser, text_parser
from customers.imports.sources import Batch
from customers.lists import add_to_list, list_names, remove_from_list
from customers.tables import IdentityKind

_WHO = (IdentityKind.EXTERNAL_ID, IdentityKind.EMAIL, IdentityKind.PHONE)


class ListImporter(SimpleImporter):
    """Of several rows about one person and one list, the last one counts."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        parsers: dict[str, Parser | None] = {
            **{kind.value: identifier_parser(kind, job.workspace.country) for kind in _WHO},
            "list": text_parser("unknown_list", 100),
            "is_member": values.truth,
        }
        self._parser = RowParser(job, parsers)

    def read(self, connection: Connection, batch: Batch) -> tuple[list[tuple[Parsed, int]], Outcome]:
        """The good rows, each with the profile it means. Raises InputError when the mapping names no published list."""
        records, refused = self._parser.records(batch)
        outcome = Outcome(refused=refused)
        names = list_names(connection)
        column = self.job.mapping.columns["list"]
        if column.column is None and column.value not in names:
            raise InputError(
                f"no list '{column.value}' is published: write lists/{column.value}.yaml and run `postilion apply`."
            )
        rows = []
        for parsed in records:
            reason = self._reason(parsed, names)
            if reason is None:
                rows.append(parsed)
            else:
                outcome.refused.append(parsed.refused(reason))
        people = [
            {kind: parsed.record[kind] for kind in _WHO if parsed.record.get(kind) is not None} for parsed in rows
        ]
        owners = resolve_all(connection, self.job.vault, people, self.job.now, create=False)
        found = []
        for parsed, owner in zip(rows, owners, strict=True):
            if owner is None:
                outcome.refused.append(parsed.refused("unknown_person"))
            else:
                found.append((parsed, owner))
        return found, outcome

    def import_batch(self, connection: Connection, batch: Batch) -> Outcome:
        rows, outcome = self.read(connection, batch)
        last: dict[tuple[str, int], bool] = {
            (parsed.record["list"], owner): parsed.record.get("is_member") is not False for parsed, owner in rows
        }
        for name in sorted({name for name, _ in last}):
            coming = [owner for (of, owner), stays in last.items() if of == name and stays]
            going = [owner for (of, owner), stays in last.items() if of == name and not stays]
            outcome.details["list_members_added"] += len(
                add_to_list(connection, name, coming, self.job.now, batch_id=self.job.batch_id)
            )
            left = remove_from_list(connection, name, going)
            note_left(connection, self.job.batch_id, name, left)
            outcome.details["list_members_removed"] += len(left)
        outcome.imported_count = outcome.details.total()
        outcome.unchanged_count = len(rows) - outcome.imported_count
        return outcome

    def _reason(self, parsed: Parsed, names: frozenset[str]) -> str | None:
        if parsed.record["list"] not in names:
            return "unknown_list"
        has_identity = any(parsed.record.get(kind) is not None for kind in _WHO)
        return None if has_identity else "missing_identity"
