"""Plays a test: lets happen what is given, and reads from the ledger and the journals what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from sqlalchemy import select

from campaigns.due import choose_occurrence
from campaigns.launch import launch_campaign
from console.project import Project
from console.project_tests.case import Case, Happening, Outcome
from console.project_tests.stage import Stage, list_of, open_stage
from core.errors import InputError
from customers.lists import add_to_list, remove_from_list
from customers.log import NewEvent, append_events
from customers.profiles import set_attributes
from delivery.tables import MessageStatus, message
from journeys.tables import EnrolmentStatus, enrolment, entry_refusal, journal
from journeys.transition import JournalKind

_HANDED_OVER = (MessageStatus.SENT.value, MessageStatus.UNKNOWN.value)
_DONE = {"opened": "message_opened", "clicked": "link_clicked"}


def play(case: Case, project: Project, template: Path, folder: Path) -> list[Outcome]:
    """Everything that came of `case`, oldest first; `template` is an empty database of our schema.

    Raises PostilionError when the test asks for something that cannot happen.
    """
    with open_stage(case, project, template, folder) as stage:
        _let_happen(stage, [one for one in case.happenings if one.at < case.start])
        stage.work()
        coming = (one for one in case.happenings if case.start <= one.at <= case.end)
        for at, some in groupby(coming, key=lambda one: one.at):
            stage.pass_time_until(at)
            _let_happen(stage, list(some))
            stage.work()
        stage.pass_time_until(case.end)
        stage.work()
        return sorted(_read(stage), key=lambda one: one.at)


# -- what happens ------------------------------------------------------------------------------------------------------


def _let_happen(stage: Stage, happenings: list[Happening]) -> None:
    for number, one in enumerate(happenings):
        match one.act:
            case "event":
                _log(stage, one, str(one.what), dict(one.values), number)
            case "set":
                with stage.runtime.database.transaction() as connection:
                    now, owner = stage.clock.now(), stage.people[one.person]
                    set_attributes(connection, stage.runtime.vault, stage.workspace, owner, one.what, now)
            case "consent":
                for consent, status in one.what.items():
                    stage.consent(one.person, consent, status)
            case "joins" | "leaves":
                _move(stage, one)
            case "opened" | "clicked":
                _log(stage, one, _DONE[one.act], _about_message(stage, one), number)
            case "launch":
                _launch(stage, str(one.what))


def _log(stage: Stage, one: Happening, name: str, properties: dict[str, object], number: int) -> None:
    key = f"{one.person}:{name}:{one.at.isoformat()}:{number}"
    event = NewEvent(name, one.at, "test", key, stage.people[one.person], properties)
    with stage.runtime.database.transaction() as connection:
        append_events(connection, stage.runtime.vault, stage.workspace, [event], stage.clock.now())


def _move(stage: Stage, one: Happening) -> None:
    owner, name = stage.people[one.person], list_of(str(one.what))
    with stage.runtime.database.transaction() as connection:
        if one.act == "joins":
            add_to_list(connection, name, [owner], stage.clock.now())
        else:
            remove_from_list(connection, name, [owner])


def _about_message(stage: Stage, one: Happening) -> dict[str, object]:
    """What an open or a click says of the message of a step, by its newest run."""
    query = select(message).where(
        message.c.profile_id == stage.people[one.person], message.c.step == one.what, message.c.id.in_(stage.sent)
    )
    with stage.runtime.database.read() as connection:
        row = connection.execute(query.order_by(message.c.created_at.desc()).limit(1)).one_or_none()
    if row is None:
        raise InputError(f"{one.person} cannot have {one.act} `{one.what}`: nothing was sent by that step until then.")
    about = {name: getattr(row, name) for name in ("origin_kind", "origin", "origin_id", "step", "variant")}
    return {**about, "message_id": row.id, "is_human": True}


def _launch(stage: Stage, campaign: str) -> None:
    now = stage.clock.now()
    with stage.runtime.database.read() as connection:
        occurrence = choose_occurrence(connection, campaign, now)
    launch_campaign(stage.runtime, campaign, occurrence, now)


# -- what came of it ---------------------------------------------------------------------------------------------------


def _read(stage: Stage) -> Iterator[Outcome]:
    names = {number: name for name, number in stage.people.items()}
    sent = stage.sent
    with stage.runtime.database.read() as connection:
        for row in connection.execute(select(message)):
            if row.status in _HANDED_OVER and row.id in sent:
                what = row.step if row.channel == "webhook" else row.template
                yield Outcome(sent[row.id], names[row.profile_id], row.channel, what)
            elif row.status in (MessageStatus.SKIPPED.value, MessageStatus.FAILED.value):
                what, detail = row.reason or row.status, str(row.detail or "")
                yield Outcome(row.ended_at, names[row.profile_id], row.status, what, detail)
        for run in connection.execute(select(enrolment).where(enrolment.c.status == EnrolmentStatus.ENDED.value)):
            yield Outcome(run.ended_at, names[run.profile_id], "end", run.end_reason)
        for refusal in connection.execute(select(entry_refusal)):
            yield Outcome(refusal.at, names[refusal.profile_id], "refused", refusal.reason)
        passed = select(journal.c.at, journal.c.data, enrolment.c.profile_id).join(
            enrolment, enrolment.c.id == journal.c.enrolment_id
        )
        for entry in connection.execute(passed.where(journal.c.kind == JournalKind.STEP.value)):
            ways: list[str | int] = entry.data.get("branch", [])
            if ways:  # by its name, where it has one
                way = next((one for one in ways if isinstance(one, str)), ways[0])
                yield Outcome(entry.at, names[entry.profile_id], "branch", f"{entry.data['step']} → {way}")
