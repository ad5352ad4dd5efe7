"""The doctor: each check says how bad it is and the way out, and none stops another."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert

from cli.serving.health import examine_schedules, examine_server
from console.doctor import ses_account, ses_senders
from console.doctor.dns_hints import records_of
from console.doctor.examine import Check, examine_all
from console.doctor.finding import Finding, Level, fine
from console.doctor.patient import Patient, open_patient
from console.doctor.registry import CHECKS
from console.project import load_project
from console.publish import publish_project
from core.clock import ManualClock
from core.cursors import Position, save_position
from core.database import Database
from core.erasures import record_erasure
from core.key_store import open_key_store
from core.keys import create_key
from core.settings import Settings
from core.vault import Vault
from customers.rights_tables import rights_request
from customers.tables import import_batch, profile
from delivery.pauses import pause
from delivery.providers.ses_account import SenderIdentity
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer

NOW = datetime.now(UTC).replace(microsecond=0)  # real, because real clocks are compared
ALL = (*CHECKS, Check("Prefect", examine_server), Check("schedules", examine_schedules))
WORKSPACE = """\
workspace: shop
timezone: Europe/London
currency: GBP
topics: {marketing: {kind: marketing}}
senders:
  letters: {channel: email, from: "Fern & Kettle <letters@shop.example>", configuration_set: postilion}
"""


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """A healthy project with its key, published."""
    project = tmp_path / "shop"
    project.mkdir()
    (project / "workspace.yaml").write_text(WORKSPACE)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    url = database_url
    if url.startswith("sqlite"):
        shutil.move(url.removeprefix("sqlite:///"), state / "postilion.db")
        url = f"sqlite:///{state / 'postilion.db'}"
    made = Settings(
        project=str(project),
        state=str(state),
        database_url=url,
        keys_url=f"sqlite:///{state / 'keys.db'}",
        key_file=str(tmp_path / "keys" / "shop.key"),
        prefect_port="1",
    )
    vault = Vault(create_key(made.key_path("shop")), open_key_store(made.keys_database))
    vault.create_store()
    vault.prepare([1])
    vault.close()
    with opened(made) as base, base.transaction() as connection:
        publish_project(connection, load_project(project), NOW - timedelta(minutes=1))
    return made


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    database = Database(settings.database)
    yield database
    database.close()


def examined(settings: Settings, *names: str, offline: bool = True) -> dict[str, list[Finding]]:
    checks = [check for check in ALL if not names or check.name in names]
    with open_patient(settings, ManualClock(NOW), is_offline=offline) as patient:
        return {one.check: list(one.findings) for one in examine_all(patient, checks)}


def only(settings: Settings, name: str, level: Level, *, offline: bool = True) -> Finding:
    """The one finding of a check that is of this level."""
    [found] = [one for one in examined(settings, name, offline=offline)[name] if one.level is level]
    return found


# -- the contract of every check --------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", ALL, ids=lambda check: check.name)
@pytest.mark.parametrize("state", ["healthy", "nothing there"])
def test_check_says_something_with_its_way_out_when_all_or_nothing_is_there(
    settings: Settings, tmp_path: Path, check: Check, state: str
) -> None:
    if state == "nothing there":
        nowhere = tmp_path / "nowhere"
        settings = Settings(project=str(nowhere), key_file=str(nowhere / "key"), prefect_port="1")
    findings = examined(settings, check.name)[check.name]
    assert findings
    for finding in findings:
        assert finding.text
        assert "\n" not in finding.text
        assert finding.way_out or finding.level in (Level.FINE, Level.NOTE)
    assert not (tmp_path / "nowhere").exists()


def test_nothing_is_wrong_when_the_project_is_healthy(settings: Settings) -> None:
    found = examined(settings)
    assert {name: one for name, some in found.items() for one in some if one.level is Level.WRONG} == {}
    assert [name for name in found if any(one.level is Level.WARNING for one in found[name])] == ["schedules"]


def test_others_are_examined_when_one_check_fails_and_one_hangs(settings: Settings) -> None:
    def fail(_patient: Patient) -> Iterator[Finding]:
        yield fine("so far so good")
        raise RuntimeError("write to alice@people.example")

    def hang(_patient: Patient) -> Iterator[Finding]:
        time.sleep(2)
        yield fine("too late")

    checks = [Check("fails", fail), Check("hangs", hang, limit_s=0.2), Check("works", lambda _patient: [fine("yes")])]
    with open_patient(settings, ManualClock(NOW)) as patient:
        found = {one.check: one.findings for one in examine_all(patient, checks)}
    assert [one.level for one in found["fails"]] == [Level.FINE, Level.WARNING]
    assert "alice" not in found["fails"][1].text
    assert "no answer" in found["hangs"][0].text
    assert found["works"] == [fine("yes")]


# -- keys -------------------------------------------------------------------------------------------------------------


def test_key_is_wrong_when_others_can_read_it(settings: Settings) -> None:
    settings.key_path("shop").chmod(0o644)
    assert only(settings, "workspace key", Level.WRONG).way_out.startswith("run `chmod 600")


@pytest.mark.parametrize(("place", "words"), [("state", "beside the database"), ("shop/secrets", "project folder")])
def test_key_is_wrong_when_it_lies_beside_what_it_opens(
    settings: Settings, tmp_path: Path, place: str, words: str
) -> None:
    target = tmp_path / place / "shop.key"
    target.parent.mkdir(exist_ok=True)
    shutil.copy2(settings.key_path("shop"), target)
    moved = replace(settings, key_file=str(target))
    assert words in only(moved, "workspace key", Level.WRONG).text


def test_key_is_wrong_when_it_lies_in_a_work_tree_of_git(settings: Settings) -> None:
    (settings.key_path("shop").parent.parent / ".git").mkdir()
    assert "git work tree" in only(settings, "workspace key", Level.WRONG).text


def test_key_is_wrong_when_its_rotation_was_not_finished(settings: Settings) -> None:
    path = settings.key_path("shop")
    line = path.read_text().splitlines()[-1]
    path.write_text(f"{path.read_text()}2 {line.split()[1]} pending\n")
    assert "keys rotate" in only(settings, "workspace key", Level.WRONG).way_out


def test_key_store_is_wrong_when_it_belongs_to_another_key(settings: Settings, tmp_path: Path) -> None:
    create_key(tmp_path / "other" / "other.key")
    other = replace(settings, key_file=str(tmp_path / "other" / "other.key"))
    assert only(other, "key store", Level.WRONG).text


def test_files_are_warned_of_when_others_may_look_at_them(settings: Settings) -> None:
    settings.state_folder.chmod(0o755)
    for file in settings.state_folder.iterdir():
        file.chmod(0o644)
    assert only(settings, "key store", Level.WARNING).way_out.endswith("keys.db`")
    assert "chmod 700" in examined(settings, "permissions")["permissions"][0].way_out


# -- the database -----------------------------------------------------------------------------------------------------


def test_cursor_is_found_when_it_is_ahead_of_the_server(settings: Settings) -> None:
    with opened(settings) as database:
        if database.is_sqlite:
            pytest.skip("SQLite numbers no transactions")
        with database.transaction() as connection:
            save_position(connection, "attribution", Position(2**40, 7))
    found = only(settings, "cursors", Level.WRONG)
    assert "attribution" in found.text
    assert "postilion restore" in found.way_out


def test_long_transaction_is_named_when_it_holds_cursors_back(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from console.doctor import database_state

    with opened(settings) as database:
        if database.is_sqlite:
            pytest.skip("SQLite has one writer at a time")
        short = database_state._OLD_TRANSACTIONS.replace("5 minutes", "1 millisecond")
        monkeypatch.setattr(database_state, "_OLD_TRANSACTIONS", short)
        with database.transaction() as connection:
            save_position(connection, "attribution", Position())
            time.sleep(0.05)
            found = only(settings, "database", Level.WARNING)
    assert "pg_terminate_backend" in found.way_out


def test_file_is_wrong_when_it_is_damaged(settings: Settings) -> None:
    if not settings.database.startswith("sqlite"):
        pytest.skip("a server looks after its own files")
    file = Path(settings.database.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(file)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'profile'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with file.open("r+b") as stream:
        stream.seek((root - 1) * size)
        stream.write(os.urandom(size))
    assert "postilion restore" in only(settings, "database", Level.WRONG).way_out


def test_tables_are_wrong_when_a_migration_is_missing_or_unknown(settings: Settings) -> None:
    for revision, way_out in (("0001", "postilion apply"), ("9999", "install that version")):
        with opened(settings) as database, database.transaction() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
        assert way_out in only(settings, "tables", Level.WRONG).way_out


def test_changes_are_told_when_files_differ_from_what_is_published(settings: Settings) -> None:
    (settings.project_folder / "segments").mkdir()
    (settings.project_folder / "segments" / "all.yaml").write_text(
        "segment: all\nwho: [{attribute: has_email, is: true}]\n"
    )
    assert "1 new" in only(settings, "published files", Level.WARNING).text


def test_what_stands_open_is_told_when_it_is_in_the_database(settings: Settings) -> None:
    day = timedelta(days=1)
    request = {"profile_id": 1, "kind": "export", "status": "open", "requested_by": "letter", "proof": {}}
    with opened(settings) as database, database.transaction() as connection:
        pause(connection, "channel:sms", "stopped by hand", NOW)
        connection.execute(insert(profile).values(id=1, created_at=NOW, updated_at=NOW))
        for due_at in (NOW - day, NOW + 3 * day, NOW + 20 * day):
            connection.execute(insert(rights_request).values(**request, requested_at=NOW - 30 * day, due_at=due_at))
        batch = {"key": "k", "kind": "orders", "file": "orders.csv", "status": "running", "counts": {}}
        connection.execute(insert(import_batch).values(**batch, rows_done=5, started_at=NOW - day))
    store = open_key_store(settings.keys_database)
    record_erasure(store, [1], {}, NOW)
    store.close()
    assert "channel:sms" in only(settings, "pauses", Level.WARNING).way_out
    assert only(settings, "privacy requests", Level.WRONG).text.startswith("1 open past")
    assert only(settings, "privacy requests", Level.WARNING).text.startswith("1 due")
    assert "orders.csv" in only(settings, "imports and events", Level.WARNING).text
    assert only(settings, "erasures", Level.WRONG).text.startswith("1 of 1")


# -- AWS --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxOptions(seed=7)) as running:
        yield running


def test_account_is_told_as_ses_tells_it_when_it_can_be_asked(settings: Settings, sandbox: SandboxServer) -> None:
    asked = replace(settings, aws_endpoint_url=sandbox.url)
    behave = f"{sandbox.url}/sandbox/behaviour"
    httpx.post(f"{sandbox.url}/sandbox/reset").raise_for_status()
    with open_patient(asked, ManualClock(NOW)) as patient:
        assert [one.level for one in ses_account.examine(patient)] == [Level.FINE]
        httpx.put(behave, json={"trial": True}).raise_for_status()
        assert [one.level for one in ses_account.examine(patient)] == [Level.WARNING, Level.FINE]
        httpx.put(behave, json={"paused": True}).raise_for_status()
        assert [one.level for one in ses_account.examine(patient)] == [Level.WRONG]
        httpx.post(f"{sandbox.url}/sandbox/reset").raise_for_status()


def test_sender_is_wrong_when_its_domain_is_not_verified_or_nobody_hears_of_bounces(
    settings: Settings, sandbox: SandboxServer
) -> None:
    from tests.sandbox.conftest import client_for

    asked = replace(settings, aws_endpoint_url=sandbox.url)
    ses, sns = client_for(sandbox.url, "sesv2"), client_for(sandbox.url, "sns")
    httpx.post(f"{sandbox.url}/sandbox/reset").raise_for_status()
    with open_patient(asked, ManualClock(NOW)) as patient:
        levels = [one.level for one in ses_senders.examine(patient)]
        if levels[0] is Level.WARNING:  # once for the module: identities outlive a reset
            assert levels == [Level.WARNING, Level.WRONG]
            ses.create_email_identity(EmailIdentity="shop.example")
            topic = sns.create_topic(Name="doctor")["TopicArn"]
            destination = {
                "Enabled": True,
                "MatchingEventTypes": ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT", "REJECT"],
                "SnsDestination": {"TopicArn": topic},
            }
            ses.create_configuration_set_event_destination(
                ConfigurationSetName="postilion", EventDestinationName="doctor", EventDestination=destination
            )
        found = list(ses_senders.examine(patient))
        assert [one.level for one in found] == [Level.FINE, Level.WARNING, Level.WRONG]
        assert found[1].text == "postilion does not report delivery delay, rendering failure"
        assert found[2].text.endswith(":doctor, whose notifications are not believed")
        httpx.put(f"{sandbox.url}/sandbox/behaviour", json={"unverified": ["shop.example"]}).raise_for_status()
        assert "not verified" in next(iter(ses_senders.examine(patient))).text
        httpx.post(f"{sandbox.url}/sandbox/reset").raise_for_status()


def test_nobody_is_blamed_when_aws_cannot_be_reached(settings: Settings) -> None:
    nowhere = replace(settings, aws_endpoint_url="http://127.0.0.1:9")
    for name in ("clock", "SES account", "SES senders"):
        assert "not" in only(nowhere, name, Level.NOTE, offline=False).text


def test_records_are_named_exactly_when_ses_gave_the_domain_its_tokens() -> None:
    identity = SenderIdentity("shop.example", True, "SUCCESS", ("a1", "b2", "c3"), "mail.shop.example", "SUCCESS")
    assert records_of("shop.example", "eu-west-1", identity) == [
        "DKIM   a1._domainkey.shop.example  CNAME  a1.dkim.amazonses.com",
        "DKIM   b2._domainkey.shop.example  CNAME  b2.dkim.amazonses.com",
        "DKIM   c3._domainkey.shop.example  CNAME  c3.dkim.amazonses.com",
        'SPF    mail.shop.example  TXT  "v=spf1 include:amazonses.com ~all"',
        "       mail.shop.example  MX  10 feedback-smtp.eu-west-1.amazonses.com",
        'DMARC  _dmarc.shop.example  TXT  "v=DMARC1; p=none; rua=mailto:postmaster@shop.example"',
    ]
