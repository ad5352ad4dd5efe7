"""Static lists: filled by a file, asked for by segments, and written to by campaigns."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from campaigns.launch import launch_campaign
from campaigns.schedule import Occurrence
from campaigns.tables import audience_member
from core.database import Database
from core.definitions import publish
from core.errors import InputError
from core.located import load_yaml
from core.runtime import Runtime
from customers.imports.mapping import load_mapping
from customers.lists import add_to_list, list_names, remove_from_list
from customers.profiles import find_profile
from customers.tables import import_batch, profile, static_list_member
from segments.compiling.compiler import compile_rule
from segments.definition import parse_segment
from tests.campaigns.shop import add_people, publish_shop, publish_yaml
from tests.customers.conftest import NOW, WORKSPACE
from tests.customers.importing import import_text

PEOPLE = "import: profiles\ncolumns: {external_id: id, email: mail, phone: phone}\n"
ROWS = "id,mail,phone\nA,alice@example.org,\nB,bob@example.org,+442079460018\nC,carol@example.org,\n"
LISTS = "import: lists\ncolumns: {external_id: id, email: mail, phone: phone, list: list, is_member: on}\n"
PRESS = "import: lists\ncolumns: {email: mail, list: {value: press}}\n"
HEADER = "id,mail,phone,list,on\n"


@pytest.fixture
def people(runtime: Runtime, tmp_path: Path) -> Runtime:
    import_text(runtime, tmp_path, PEOPLE, ROWS)
    with runtime.database.transaction() as connection:
        for name in ("press", "partners"):
            publish(connection, "list", name, document={"list": name}, source="", file=f"lists/{name}.yaml", now=NOW)
    return runtime


def members(runtime: Runtime) -> set[tuple[str, str]]:
    """(list, external id) of everybody who is on one."""
    found = set()
    with runtime.database.read() as connection:
        ids = {find_profile(connection, runtime.vault, "external_id", name): name for name in "ABC"}
        for name, number in connection.execute(
            select(static_list_member.c.list, static_list_member.c.profile_id)
        ).tuples():
            found.add((name, ids[number]))
    return found


def test_people_are_put_on_lists_and_taken_off_by_whatever_names_them(people: Runtime, tmp_path: Path) -> None:
    rows = "A,,,press,\n,bob@example.org,,press,yes\n,,+44 20 7946 0018,partners,1\nC,,,partners,no\n"
    first = import_text(people, tmp_path, LISTS, HEADER + rows)
    assert members(people) == {("press", "A"), ("press", "B"), ("partners", "B")}
    assert (first.imported_count, first.unchanged_count) == (3, 1)
    second = import_text(people, tmp_path, LISTS, HEADER + "A,,,press,no\nB,,,press,yes\nC,,,press,\nC,,,press,no\n")
    assert members(people) == {("press", "B"), ("partners", "B")}
    assert second.details == {"list_members_removed": 1}
    with people.database.read() as connection:
        batches = connection.execute(select(import_batch.c.id).order_by(import_batch.c.id)).scalars().all()
        marked = connection.execute(select(static_list_member.c.batch_id)).scalars().all()
    assert set(marked) == {batches[1]}


def test_row_is_refused_when_nobody_or_no_list_is_meant(people: Runtime, tmp_path: Path) -> None:
    rows = "Z,,,press,\nA,,,pres,\n,,,press,\nA,,,press,perhaps\n"
    result = import_text(people, tmp_path, LISTS, HEADER + rows)
    assert result.rejected == {"unknown_person": 1, "unknown_list": 1, "missing_identity": 1, "wrong_boolean": 1}
    with people.database.read() as connection:
        assert len(connection.execute(select(profile.c.id)).all()) == 3


def test_import_stops_at_once_when_the_mapping_names_a_list_that_is_none(people: Runtime, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no list 'pres' is published: write lists/pres\.yaml"):
        import_text(people, tmp_path, PRESS.replace("press", "pres"), "mail\nalice@example.org\n")
    assert import_text(people, tmp_path, PRESS, "mail\nalice@example.org\n").imported_count == 1


def test_segment_holds_those_who_are_on_the_list(people: Runtime, tmp_path: Path) -> None:
    import_text(people, tmp_path, PRESS, "mail\nalice@example.org\nbob@example.org\n")
    located, _ = load_yaml(b"segment: press\nwho: [{list: press}, {not: {list: partners}}]\n", "segments/press.yaml")
    assert located is not None
    segment, faults = parse_segment(located, "segments/press.yaml", WORKSPACE)
    assert not faults
    assert segment is not None
    with people.database.transaction() as connection:
        bob = find_profile(connection, people.vault, "external_id", "B")
        alice = find_profile(connection, people.vault, "external_id", "A")
        assert bob is not None
        add_to_list(connection, "partners", [bob], NOW)
        query = compile_rule(segment.rule, now=NOW, workspace=WORKSPACE, segments={}, vault=people.vault)
        assert connection.execute(query).scalars().all() == [alice]


def test_only_those_are_told_who_were_moved_when_a_list_changes(database: Database) -> None:
    with database.transaction() as connection:
        ids = [
            connection.execute(
                profile.insert().values(created_at=NOW, updated_at=NOW).returning(profile.c.id)
            ).scalar_one()
            for _ in range(3)
        ]
        assert sorted(add_to_list(connection, "press", [ids[0], ids[1], ids[0]], NOW)) == ids[:2]
        assert add_to_list(connection, "press", ids, NOW) == [ids[2]]
        assert remove_from_list(connection, "press", [ids[2]]) == [ids[2]]
        assert remove_from_list(connection, "press", [ids[2]]) == []
        assert add_to_list(connection, "press", [], NOW) == []
        assert list_names(connection) == frozenset()


def test_mapping_of_lists_needs_a_list_and_somebody(tmp_path: Path) -> None:
    (tmp_path / "mapping.yaml").write_text("import: lists\ncolumns: {list: list}\n")
    with pytest.raises(Exception, match="lists need the field 'external_id' or 'email' or 'phone'"):
        load_mapping(tmp_path / "mapping.yaml", WORKSPACE)


CAMPAIGN = "campaign: invitation\nto: {list: press}\nexcept: {list: partners}\nsend: manual\nemail: plain\n"


def test_campaign_is_sent_to_those_on_one_list_and_not_on_another(runtime: Runtime, tmp_path: Path) -> None:
    with runtime.database.transaction() as connection:
        publish_shop(connection, CAMPAIGN)
        for name in ("press", "partners"):
            publish_yaml(connection, "list", f"list: {name}\n")
        alice, bob, _carol = add_people(connection, runtime.vault, ["alice", "bob", "carol"])
    rows = "mail\nalice@people.example\nbob@people.example\n"
    assert import_text(runtime, tmp_path, PRESS, rows).imported_count == 2
    with runtime.database.transaction() as connection:
        add_to_list(connection, "partners", [bob], NOW)
    result = launch_campaign(runtime, "invitation", Occurrence(NOW), NOW)
    assert result.member_count == 1
    with runtime.database.read() as connection:
        assert connection.execute(select(audience_member.c.profile_id)).scalars().all() == [alice]
