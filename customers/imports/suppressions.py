"""Lists of addresses that must not be written to become suppressions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from customers.identities import lookup_of
from customers.imports import values
from customers.imports.consent_words import CHANNELS, address_kind
from customers.imports.job import Job, Outcome, SimpleImporter
from customers.imports.rows import Parsed, Parser, RowParser, identifier_parser, instant_parser, text_parser
from customers.imports.sources import Batch, Refused
from customers.imports.values import RefusedError
from customers.reindex import adopt_old_lookups
from customers.suppression import NewSuppression, SuppressionReason, suppress_all
from customers.tables import IdentityKind

_WORDS = {
    "bounce": SuppressionReason.BOUNCED,
    "hard_bounce": SuppressionReason.BOUNCED,
    "complaint": SuppressionReason.COMPLAINED,
    "spam": SuppressionReason.COMPLAINED,
    "unsubscribed": SuppressionReason.OPTED_OUT,
    "opt_out": SuppressionReason.OPTED_OUT,
}


class SuppressionImporter(SimpleImporter):
    """Without a channel the address tells it; without a reason it is manual, without an instant now."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        parsers: dict[str, Parser | None] = {
            "email": identifier_parser(IdentityKind.EMAIL),
            "phone": identifier_parser(IdentityKind.PHONE, job.workspace.country),
            "channel": text_parser("unknown_channel", 20),
            "reason": _reason,
        }
        if "occurred_at" in job.mapping.columns:
            parsers["occurred_at"] = instant_parser(job, job.mapping.columns["occurred_at"])
        self._parser = RowParser(job, parsers)

    def read(self, batch: Batch) -> tuple[list[tuple[Parsed, NewSuppression]], list[Refused]]:
        """The good rows with the stop that each of them means, and the others."""
        records, refused = self._parser.records(batch)
        stops = []
        for parsed in records:
            record = parsed.record
            channel = record.get("channel") or ("email" if record.get("email") else "sms")
            if channel not in CHANNELS:
                refused.append(parsed.refused("unknown_channel"))
                continue
            kind = address_kind(channel)
            if not record.get(kind):
                refused.append(parsed.refused("missing_address"))
                continue
            lookup = lookup_of(self.job.vault, kind, record[kind])
            reason = record.get("reason") or SuppressionReason.MANUAL
            at = record.get("occurred_at") or self.job.now
            stops.append((parsed, NewSuppression(channel, lookup, reason, f"import:{self.job.mapping.source}", at)))
        return stops, refused

    def import_batch(self, connection: Connection, batch: Batch) -> Outcome:
        read, refused = self.read(batch)
        outcome = Outcome(refused=refused)
        addresses: dict[IdentityKind, list[str]] = {}
        for parsed, stop in read:
            kind = address_kind(stop.channel)
            addresses.setdefault(kind, []).append(parsed.record[kind])
        for kind, values_of_kind in addresses.items():
            adopt_old_lookups(connection, self.job.vault, kind, values_of_kind)
        outcome.imported_count = suppress_all(connection, [stop for _, stop in read], batch_id=self.job.batch_id)
        outcome.unchanged_count = len(read) - outcome.imported_count
        outcome.details["suppressions"] = outcome.imported_count
        return outcome


def _reason(cell: Any) -> SuppressionReason | None:
    word = (values.text(cell) or "").lower()
    if not word:
        return None
    try:
        return _WORDS.get(word) or SuppressionReason(word)
    except ValueError:
        raise RefusedError("unknown_reason") from None
