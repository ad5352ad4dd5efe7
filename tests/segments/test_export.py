from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, update

from core.database import Database
from core.errors import EnvironmentFaultError, InputError, NotFoundError
from core.located import load_yaml
from core.runtime import Runtime
from core.schema_check import check_schema
from customers.profiles import set_attributes
from customers.tables import identity, profile
from customers.workspace import ValueKind, get_workspace
from segments.costs.guard import guarded_read
from segments.definition import load_segments, parse_segment
from segments.exports.columns import DEFAULT_COLUMNS, ExportColumn, ExportFormat, columns_of
from segments.exports.due import export_due, is_overdue
from segments.exports.members import export_members, format_of
from segments.exports.plan import parse_export
from segments.refresh import refresh_all
from segments.run_page import export_as_markdown
from tests.segments.people import DAY, NOW, identity_row, profile_row
from tests.segments.runtimes import open_runtime_on, publish_document

ALICE, BOB, CAROL = 1, 2, 3
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Runtime:
    """Everybody is in the segment; Alice's first name is a formula, Bob's is not known, Carol objects later."""
    runtime = open_runtime_on(database, tmp_path)
    export = {"every": "1d", "at": "06:00", "to": "crm", "columns": ["external_id", "first_name"]}
    with database.transaction() as connection:
        people = [profile_row(who, country="DE", attributes={"tier": "gold"}) for who in (ALICE, BOB, CAROL)]
        connection.execute(insert(profile), people)
        connection.execute(insert(identity), [identity_row(1, ALICE, "external_id", "=A-1")])
        workspace = get_workspace(connection)
        set_attributes(connection, runtime.vault, workspace, ALICE, {"first_name": "@SUM(A1)"}, NOW)
        who = [{"attribute": "country", "is": "DE"}]
        publish_document(connection, "segment", "german", {"segment": "german", "who": who, "export": export})
        publish_document(connection, "segment", "quiet", {"segment": "quiet", "who": who})
    refresh_all(runtime, now=NOW)
    return runtime


def write(runtime: Runtime, file: Path, *names: str) -> int:
    with guarded_read(runtime) as connection:
        columns = columns_of(names or DEFAULT_COLUMNS, get_workspace(connection))
        return export_members(connection, runtime.vault, "german", file, columns, format_of(file))


def test_nothing_personal_is_in_the_file_when_nothing_was_named(runtime: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "german.csv"
    assert write(runtime, file) == 3
    text = file.read_text()
    assert text.splitlines()[0] == "profile_id,external_id,entered_at"
    assert text.splitlines()[1] == "1,'=A-1,2026-06-10T08:00:00Z"
    assert "SUM" not in text
    assert file.stat().st_mode & 0o777 == 0o600


def test_no_cell_is_a_formula_when_personal_columns_were_named(runtime: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "german.csv"
    write(runtime, file, "profile_id", "first_name", "tier", "has_email")
    with file.open() as stream:
        rows = list(csv.reader(stream))
    assert rows[1] == ["1", "'@SUM(A1)", "gold", "false"]
    assert rows[2] == ["2", "", "gold", "false"]


def test_who_objected_since_the_refresh_is_left_out(runtime: Runtime, tmp_path: Path) -> None:
    with runtime.database.transaction() as connection:
        connection.execute(update(profile).where(profile.c.id == CAROL).values(objected_at=NOW))
        connection.execute(update(profile).where(profile.c.id == BOB).values(status="erased"))
    assert write(runtime, tmp_path / "german.csv") == 1


def test_values_keep_their_kinds_when_parquet_is_written(runtime: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "german.parquet"
    assert write(runtime, file, "profile_id", "entered_at", "first_name", "has_email", "birth_month") == 3
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(file)]).fetchall()
        [first, *_] = connection.execute("SELECT * FROM read_parquet(?)", [str(file)]).fetchall()
    kinds = ["BIGINT", "TIMESTAMP WITH TIME ZONE", "VARCHAR", "BOOLEAN", "DOUBLE"]
    assert [kind for _name, kind, *_ in described] == kinds
    assert first == (1, NOW, "@SUM(A1)", False, None)
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir() if "german" in one.name] == ["german.parquet"]


def test_what_was_there_stays_when_an_export_fails(runtime: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "german.parquet"
    file.write_text("before")
    wrong = [ExportColumn("tier", ValueKind.NUMBER, is_sealed=False)]
    with guarded_read(runtime) as connection, pytest.raises(EnvironmentFaultError, match="could not be written"):
        export_members(connection, runtime.vault, "german", file, wrong, ExportFormat.PARQUET)
    assert file.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir() if "german" in one.name] == ["german.parquet"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["emial"], "no column is called 'emial': did you mean 'email'"),
        (["email", "email"], "stands twice"),
    ],
)
def test_the_way_out_is_told_when_a_column_cannot_be(runtime: Runtime, names: list[str], message: str) -> None:
    with runtime.database.read() as connection, pytest.raises(InputError, match=message):
        columns_of(names, get_workspace(connection))
    with pytest.raises(InputError, match="say by its ending"):
        format_of(Path("german.xlsx"))


def test_a_file_is_written_once_a_day_when_an_export_is_scheduled(runtime: Runtime) -> None:
    done = export_due(runtime, "german", NOW)
    file = runtime.settings.exports_folder / "crm" / "german-2026-06-10.csv"
    assert (done.file, done.rows) == (str(file), 3)
    assert file.read_text().splitlines()[:2] == ["external_id,first_name", "'=A-1,'@SUM(A1)"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o077 == 0
    again = export_due(runtime, "german", NOW + timedelta(hours=3))
    assert again.rows is None
    assert "there already" in export_as_markdown(again)
    assert export_due(runtime, "german", NOW + DAY).rows == 3
    with pytest.raises(NotFoundError, match="has an `export`"):
        export_due(runtime, "quiet", NOW)


def test_an_export_is_overdue_when_its_hour_has_passed_without_a_file(runtime: Runtime) -> None:
    folder = runtime.settings.exports_folder
    with runtime.database.read() as connection:
        segments = load_segments(connection)
    assert not is_overdue(segments["quiet"], folder, NOW, BERLIN)
    assert not is_overdue(segments["german"], folder, NOW - timedelta(hours=5), BERLIN)
    assert is_overdue(segments["german"], folder, NOW, BERLIN)
    export_due(runtime, "german", NOW)
    assert not is_overdue(segments["german"], folder, NOW, BERLIN)


def test_a_weekly_export_is_due_on_mondays() -> None:
    plan = parse_export({"every": "1w"})
    assert [day for day in range(1, 15) if plan.is_due_on(date(2026, 6, day))] == [1, 8]
    assert plan.to == "{segment}/{segment}-{date}.csv"


@given(st.text(alphabet="./{}abc\\ ", max_size=20))
def test_no_path_leads_out_of_the_folder_whatever_is_written(tmp_path_factory: pytest.TempPathFactory, to: str) -> None:
    root = tmp_path_factory.getbasetemp() / "exports"
    plan = parse_export({"every": "1d", "to": to})
    try:
        file = plan.file_of(root, "loyal", date(2026, 6, 10))
    except InputError:
        return
    assert file.is_relative_to(root.resolve())


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="leads out of"):
        parse_export({"every": "1d", "to": "out"}).file_of(tmp_path / "exports", "loyal", date(2026, 6, 10))


@pytest.mark.parametrize(
    ("export", "code"),
    [
        ("{every: 90m}", "E103"),
        ("{every: 1d, to: ../elsewhere}", "E103"),
        ("{every: 1d, to: /etc/cron.d}", "E103"),
        ("{every: 1d, to: crm.csv}", "E103"),
        ("{every: 1d, to: 'crm-{week}-{date}.csv'}", "E103"),
        ("{every: 1d, columns: [emial]}", "E120"),
        ("{every: 1d, format: xlsx}", "E103"),
        ("{evry: 1d}", "E102"),
    ],
)
def test_the_fault_has_its_place_when_an_export_is_written_wrongly(runtime: Runtime, export: str, code: str) -> None:
    text = f"segment: loyal\nwho: {{list: vips}}\nexport: {export}\n"
    located, _ = load_yaml(text.encode(), "segments/loyal.yaml")
    assert located is not None
    with runtime.database.read() as connection:
        workspace = get_workspace(connection)
    faults = check_schema(located, "segment") or parse_segment(located, "segments/loyal.yaml", workspace)[1]
    assert code in {fault.code for fault in faults}
    assert all(fault.line == 3 for fault in faults)
