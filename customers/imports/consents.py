"""Statements of consent from another system become entries of the history; they bind the address, known or not."""

from __future__ import annotations

from sqlalchemy import Connection

from customers.consent import NewConsent, import_consents
from customers.identities import lookup_of, resolve_all
from customers.imports import consent_words, values
from customers.imports.job import Job, Outcome, SimpleImporter
from customers.imports.rows import Parsed, Parser, RowParser, identifier_parser, instant_parser, text_parser
from customers.imports.sources import Batch
from customers.reindex import adopt_old_lookups
from customers.tables import IdentityKind


class ConsentImporter(SimpleImporter):
    """An entry that is there already is unchanged, and so is a grant where the last word was no."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        parsers: dict[str, Parser | None] = {
            "email": identifier_parser(IdentityKind.EMAIL),
            "phone": identifier_parser(IdentityKind.PHONE, job.workspace.country),
            "channel": text_parser("unknown_channel", 20),
            "topic": text_parser("unknown_topic", 50),
            "status": consent_words.status,
            "basis": consent_words.basis,
            "text_version": text_parser("wrong_text_version", 50),
        }
        columns = job.mapping.columns
        for name in ("occurred_at", "expires_at"):
            if name in columns:
                parsers[name] = instant_parser(job, columns[name])
        self._parser = RowParser(job, parsers)

    def import_batch(self, connection: Connection, batch: Batch) -> Outcome:
        records, refused = self._parser.records(batch)
        outcome = Outcome(refused=refused)
        rows = []
        for parsed in records:
            reason = self._reason(parsed)
            if reason is None:
                rows.append(parsed)
            else:
                outcome.refused.append(parsed.refused(reason))
        entries = self._entries(connection, rows)
        imported = import_consents(connection, entries, self.job.now, batch_id=self.job.batch_id)
        outcome.imported_count = len(imported.new)
        outcome.unchanged_count = len(rows) - len(imported.new)
        outcome.details.update(consents=len(imported.new), grants_after_withdrawal=len(imported.denied))
        return outcome

    def _reason(self, parsed: Parsed) -> str | None:
        record = parsed.record
        if record["channel"] not in consent_words.CHANNELS:
            return "unknown_channel"
        if not consent_words.knows_topic(self.job.workspace, record["channel"], record["topic"]):
            return "unknown_topic"
        if record["status"] is None:
            return "wrong_consent"
        if record["occurred_at"] is None:
            return "missing_date"
        return None if record.get(consent_words.address_kind(record["channel"])) else "missing_address"

    def _entries(self, connection: Connection, rows: list[Parsed]) -> list[NewConsent]:
        kinds = [consent_words.address_kind(parsed.record["channel"]) for parsed in rows]
        people = [{kind: parsed.record[kind]} for kind, parsed in zip(kinds, rows, strict=True)]
        for kind in sorted(set(kinds)):
            addresses = [parsed.record[kind] for of_kind, parsed in zip(kinds, rows, strict=True) if of_kind == kind]
            adopt_old_lookups(connection, self.job.vault, kind, addresses)
        owners = resolve_all(connection, self.job.vault, people, self.job.now, create=False)
        return [
            consent_words.entry(
                self.job.mapping.source,
                lookup_of(self.job.vault, kind, parsed.record[kind]),
                parsed.record["channel"],
                parsed.record["topic"],
                parsed.record["status"],
                parsed.record["occurred_at"],
                owner,
                why=parsed.record.get("basis"),
                text_version=values.text(parsed.record.get("text_version")),
                expires_at=parsed.record.get("expires_at"),
            )
            for kind, parsed, owner in zip(kinds, rows, owners, strict=True)
        ]
