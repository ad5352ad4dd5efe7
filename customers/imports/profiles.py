"""Rows of customers become profiles: identities, attributes and consents, all personal data sealed.

Two rows of one person (the same external id or address) become one profile; attribute by attribute the later row wins,
and where it says something else than the earlier one that is counted as `conflicting_values`. Whoever is new is written
whole, by one row a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from customers.attribute_rows import index_start, write_attributes
from customers.consent import NewConsent, import_consents
from customers.identities import Resolved, resolve_each
from customers.identity_rows import ProfileStart
from customers.imports import consent_words
from customers.imports.batch import Batch
from customers.imports.changes import note_attributes
from customers.imports.drafts import Draft, Drafter, start_of
from customers.imports.job import Job, Outcome, SimpleImporter
from customers.imports.members import record_members
from customers.imports.people import People, PeopleReader


class ProfileImporter(SimpleImporter):
    """Takes what `prepare` made of a batch; a row whose every identifier was erased makes nobody and is unchanged."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self._reader = PeopleReader(job)
        self._drafter = Drafter(job)
        self._expects_new = True

    def prepare(self, batch: Batch) -> People:
        people = self._reader.read(batch)
        if self._expects_new:
            people.drafts = [self._drafter.draft(values) for values in people.attributes]
        return people

    def import_batch(self, connection: Connection, batch: People) -> Outcome:
        job = self.job
        drafts: dict[int, Draft] = {}

        def start(profile_id: int, place: int) -> ProfileStart:
            draft = batch.drafts[place] if batch.drafts else self._drafter.draft(batch.attributes[place])
            drafts[profile_id] = draft
            return start_of(job.vault, profile_id, draft)

        resolved = resolve_each(
            connection, job.vault, batch.people, job.now, lookups=batch.lookups, start=start, batch_id=job.batch_id
        )
        outcome = Outcome(refused=batch.refused)
        index_start(connection, [(number, *pair) for number, draft in drafts.items() for pair in draft.index])
        # A file that was mostly known so far is likely to go on like that.
        self._expects_new = len(drafts) * 2 > len(resolved)
        news = {place for place, one in enumerate(resolved) if one.is_news}
        news |= self._set_attributes(connection, batch, resolved, outcome)
        news |= self._record_consents(connection, batch, resolved, outcome)
        if batch.accounts:
            news |= record_members(connection, job, batch.accounts, resolved, outcome)
        outcome.imported_count = len(news)
        outcome.unchanged_count = len(resolved) - len(news)
        outcome.details["erased_before"] += sum(one.is_buried for one in resolved)
        return outcome

    def _set_attributes(
        self, connection: Connection, batch: People, resolved: Sequence[Resolved], outcome: Outcome
    ) -> set[int]:
        """The places of rows that changed something."""
        job = self.job
        known: dict[int, dict[str, Any]] = {}
        changing: dict[int, dict[str, Any]] = {}
        telling: dict[int, list[int]] = {}
        for place, (one, given) in enumerate(zip(resolved, batch.attributes, strict=True)):
            if one.profile_id is None:
                continue
            before = known.get(one.profile_id)
            if before is None:
                known[one.profile_id] = dict(given)
                if one.is_made or not given:
                    continue  # it was written with them
                changing[one.profile_id] = dict(given)
                telling[one.profile_id] = [place]
                continue
            changed = {name: value for name, value in given.items() if before.get(name) != value}
            outcome.details["conflicting_values"] += sum(name in before for name in changed)
            if changed:
                before.update(changed)
                changing.setdefault(one.profile_id, {}).update(changed)
                telling.setdefault(one.profile_id, []).append(place)
        changes = write_attributes(connection, job.vault, job.workspace, changing, job.now, batch_id=job.batch_id)
        note_attributes(connection, job.vault, job.batch_id, changes)
        outcome.details["profiles"] += len({one.profile_id for one in resolved if one.is_news}.union(changes))
        return {place for profile_id in changes for place in telling[profile_id]}

    def _record_consents(
        self, connection: Connection, batch: People, resolved: Sequence[Resolved], outcome: Outcome
    ) -> set[int]:
        """The places of rows that brought a consent that was new."""
        source = self.job.mapping.source
        place_of: dict[str, int] = {}
        entries: list[NewConsent] = []
        for said in batch.statements:
            one = resolved[said.place]
            if one.profile_id is None:
                continue
            entry = consent_words.entry(
                source, said.lookup, said.channel, said.topic, said.status, said.at, one.profile_id
            )
            entries.append(entry)
            place_of.setdefault(entry.key, said.place)
        imported = import_consents(connection, entries, self.job.now, batch_id=self.job.batch_id)
        outcome.details["consents"] += len(imported.new)
        outcome.details["grants_after_withdrawal"] += len(imported.denied)
        outcome.details["consents_without_address"] += batch.consents_without_address
        return {place_of[key] for key in imported.new}
