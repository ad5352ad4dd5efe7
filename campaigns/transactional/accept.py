"""Takes requests of the transactional API into the ledger, many in one transaction, each of them once.

The id of a message is derived from the idempotency key, so its row is what remembers the call: repeated, it gets the
same answer for as long as messages are kept. Who is not known is made from the address, which stays unverified and has
agreed to nothing. Whoever may not be written to at all has a row all the same, skipped with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from campaigns.transactional.answers import Accepted, Answer, Problem, Refused
from campaigns.transactional.recipients import Found, find_recipients
from campaigns.transactional.request import Submission
from campaigns.transactional.routes import ApiRoute, find_route
from core.database import batches
from core.runtime import Runtime
from customers.workspace import Workspace, get_workspace
from delivery.facts import gather_facts
from delivery.ledger import Ending
from delivery.message_log import log_endings
from delivery.outbox import NewMessage, enqueue, skip_due
from delivery.pinned import PINNED
from delivery.policy import Drop, decide
from delivery.tables import MessageKind, MessageStatus, OriginKind, message

_PURPOSE = "idempotency"
_PRIORITY = 90  # before every campaign
_LOOKUP_BATCH = 500
_REUSED = "this idempotency key was used for another message: give each message a key of its own."


def accept_messages(runtime: Runtime) -> Callable[[Connection, Sequence[Submission]], list[Answer]]:
    """The writer that stores submissions in a transaction of its caller's; an answer for each, in their order."""

    def store(connection: Connection, submissions: Sequence[Submission]) -> list[Answer]:
        return _Acceptance(runtime, connection).accept(submissions)

    return store


@dataclass(frozen=True, slots=True)
class _Draft:
    """A new message that nothing stands against so far."""

    submission: Submission
    route: ApiRoute
    found: Found


@dataclass(slots=True)
class _Acceptance:
    """One batch; what it needs of the workspace and of templates is read once."""

    runtime: Runtime
    connection: Connection
    workspace: Workspace = field(init=False)
    secrets: Sequence[bytes] = field(init=False)

    def __post_init__(self) -> None:
        vault = self.runtime.vault
        self.workspace = get_workspace(self.connection)
        # The newest first: a key that rotates between a call and its retry must not make another call of it.
        self.secrets = [vault.signing_key(_PURPOSE, version) for version in range(vault.key_version, 0, -1)]

    def accept(self, submissions: Sequence[Submission]) -> list[Answer]:
        known = self._rows([one.message_id for one in submissions])
        first = {one.message_id: one for one in reversed(submissions)}
        fresh = [one for message_id, one in first.items() if message_id not in known]
        answers: dict[str, Answer] = self._store(fresh)
        found = []
        for one in submissions:
            answer = answers.get(one.message_id)
            is_first = answer is not None and first[one.message_id] is one
            found.append(answer if answer is not None and is_first else self._repeat(one, known, first, answers))
        return found

    def _repeat(
        self,
        one: Submission,
        known: Mapping[str, Any],
        first: Mapping[str, Submission],
        answers: Mapping[str, Answer],
    ) -> Answer:
        """The answer to a call whose key was used before, by a call that is stored or that came with this batch."""
        row = known.get(one.message_id)
        if row is not None:
            return _told_again(row) if self._is_same(one, row.origin_id) else Refused(Problem.KEY_REUSED, _REUSED)
        earlier = first[one.message_id]
        if one.fingerprint(self.secrets[0]) != earlier.fingerprint(self.secrets[0]):
            return Refused(Problem.KEY_REUSED, _REUSED)
        answer = answers[one.message_id]
        return Accepted(answer.id, answer.status, answer.reason, True) if isinstance(answer, Accepted) else answer

    def _is_same(self, one: Submission, fingerprint: str) -> bool:
        return any(one.fingerprint(secret) == fingerprint for secret in self.secrets)

    def _rows(self, ids: Sequence[str]) -> dict[str, Any]:
        names = ("id", "origin_id", "status", "reason", "ended_at", "created_at")
        query = select(*(message.c[name] for name in names))
        return {
            row.id: row
            for some in batches(ids, _LOOKUP_BATCH)
            for row in self.connection.execute(query.where(message.c.id.in_(some)))
        }

    def _store(self, submissions: Sequence[Submission]) -> dict[str, Answer]:
        answers: dict[str, Answer] = {}
        asked: list[tuple[Submission, ApiRoute]] = []
        routes: dict[str, ApiRoute | Refused] = {}
        for one in submissions:
            slug = one.request.template
            route = routes.get(slug) or find_route(self.connection, self.workspace, slug)
            routes[slug] = route
            if isinstance(route, Refused):
                answers[one.message_id] = route
            elif missing := route.missing("entry", one.request.data):
                answers[one.message_id] = _missing(slug, missing)
            else:
                asked.append((one, route))
        drafts = []
        recipients = find_recipients(self.connection, self.runtime, self.workspace, asked)
        for (one, route), found in zip(asked, recipients, strict=True):
            if isinstance(found, Refused):
                answers[one.message_id] = found
            else:
                drafts.append(_Draft(one, route, found))
        return answers | self._enqueue(drafts)

    def _enqueue(self, drafts: Sequence[_Draft]) -> dict[str, Answer]:
        if not drafts:
            return {}
        now = self.runtime.clock.now()
        # In the order of their ids, so that two processes with the same calls never wait for each other.
        messages = sorted((self._message(draft) for draft in drafts), key=lambda one: one.id)
        enqueue(self.connection, self.runtime.vault, messages, now)
        rows = self._full_rows([draft.submission.message_id for draft in drafts])
        skipped = self._skip(rows, now)
        answers: dict[str, Answer] = {}
        for draft in drafts:
            one = draft.submission
            row = rows[one.message_id]
            if not self._is_same(one, row.origin_id):  # another process was quicker under the same key
                answers[one.message_id] = Refused(Problem.KEY_REUSED, _REUSED)
            elif ending := skipped.get(one.message_id):
                answers[one.message_id] = Accepted(one.message_id, ending.status, ending.reason)
            else:
                answers[one.message_id] = _told_again(row, is_repeated=False)
        return answers

    def _message(self, draft: _Draft) -> NewMessage:
        one, route = draft.submission, draft.route
        request = one.request
        context: dict[str, Any] = {"entry": request.data}
        if draft.found.pinned is not None:
            context[PINNED] = draft.found.pinned
        return NewMessage(
            id=one.message_id,
            profile_id=draft.found.profile_id,
            channel=route.channel,
            topic=route.topic,
            template=route.template,
            origin_kind=OriginKind.API,
            origin=route.template,
            origin_id=one.fingerprint(self.secrets[0]),
            due_at=max(request.send_at or one.received_at, one.received_at),
            kind=MessageKind.TRANSACTIONAL,
            sender=route.sender,
            priority=_PRIORITY,
            context=context,
        )

    def _full_rows(self, ids: Sequence[str]) -> dict[str, Any]:
        return {
            row.id: row
            for some in batches(ids, _LOOKUP_BATCH)
            for row in self.connection.execute(select(message).where(message.c.id.in_(some)))
        }

    def _skip(self, rows: Mapping[str, Any], now: datetime) -> dict[str, Ending]:
        """End those that the policy would drop this very moment: who calls shall learn of it at once."""
        connection, runtime = self.connection, self.runtime
        waiting = [row for row in rows.values() if row.status == MessageStatus.DUE]
        gathered = gather_facts(
            connection,
            runtime.vault,
            self.workspace,
            waiting,
            now,
            takes_synthetic=runtime.settings.reaches_nobody,
        )
        endings = {}
        for row in waiting:
            decision = decide(gathered[row.id].facts, now)
            if isinstance(decision, Drop):
                endings[row.id] = Ending(row.id, MessageStatus.SKIPPED, decision.reason)
        skip_due(connection, {one.message_id: one.reason for one in endings.values() if one.reason}, now)
        log_endings(connection, list(endings.values()), rows, now)
        return endings


def _told_again(row: Any, *, is_repeated: bool = True) -> Accepted:
    """The answer that the first call got: what happened since is the business of asking for the status."""
    if row.status == MessageStatus.SKIPPED and row.ended_at == row.created_at:
        return Accepted(row.id, MessageStatus.SKIPPED, row.reason, is_repeated)
    return Accepted(row.id, MessageStatus.DUE, None, is_repeated)


def _missing(template: str, paths: tuple[str, ...]) -> Refused:
    return Refused(Problem.MISSING, f"the template {template!r} needs what is missing: {', '.join(paths)}.", paths)
