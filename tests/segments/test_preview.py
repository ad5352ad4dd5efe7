from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from core.database import Database
from core.durations import parse_duration
from core.errors import InputError
from core.runtime import Runtime
from customers.identities import lookup_of
from customers.tables import IdentityKind, consent_entry, customer_event, identity, profile, suppression
from customers.workspace import Limit, Workspace, get_workspace
from delivery.tables import message
from segments.definition import load_segments, rules_of
from segments.preview.file import SegmentFile, read_segment_file
from segments.preview.look import Preview, look_at
from segments.preview.members import people, spread_sample
from segments.preview.outline import differences
from segments.preview.reach import Reach, reach_of
from segments.refresh import refresh_all
from tests.segments.parsing import parse
from tests.segments.people import DAY, NOW, consent_row, event_row, identity_row, message_row, profile_row
from tests.segments.runtimes import open_runtime_on, publish_document

ALICE, BOB, CAROL, DAVE, ERIN, FRANK, GRACE = range(1, 8)
BUYERS = """\
segment: buyers
name: Buyers
who:
  - {event: order_placed, within: 30d}
"""


@pytest.fixture
def runtime(database: Database, tmp_path: Path) -> Runtime:
    """Alice may be written to; Bob withdrew, Carol bounced, Dave has no address, Erin paused, Frank got his limit."""
    runtime = open_runtime_on(database, tmp_path)
    vault = runtime.vault
    names = {ALICE: "alice", BOB: "bob", CAROL: "carol", ERIN: "erin", FRANK: "frank"}
    lookups = {who: lookup_of(vault, IdentityKind.EMAIL, f"{name}@people.example") for who, name in names.items()}
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(who, has_email=who in names) for who in range(1, 8)])
        rows = []
        vault.prepare(names)
        for who, name in names.items():
            sealed = vault.seal(who, "identity.email", f"{name}@people.example")
            rows.append(identity_row(who, who, "email", lookups[who]) | {"sealed": sealed})
        connection.execute(insert(identity), rows)
        connection.execute(insert(identity), [identity_row(20, ALICE, "external_id", "A-1")])
        granted = [consent_row(who, lookups[who], "email", "marketing", "granted", NOW - 9 * DAY) for who in names]
        connection.execute(
            insert(consent_entry),
            [
                *granted,
                consent_row(30, lookups[BOB], "email", "*", "withdrawn", NOW - DAY),
                consent_row(31, lookups[ERIN], "pause.email", "*", "granted", NOW - DAY) | {"expires_at": NOW + DAY},
            ],
        )
        connection.execute(
            insert(suppression),
            [{"channel": "email", "lookup": lookups[CAROL], "reason": "bounced", "source": "t", "occurred_at": NOW}],
        )
        connection.execute(
            insert(message), [message_row(1, FRANK, "spring", status="sent", claimed_at=NOW - DAY, sent_at=NOW - DAY)]
        )
        connection.execute(
            insert(customer_event),
            [event_row(100 + who, who, "order_placed", NOW - who * DAY, total=1000) for who in range(1, 7)],
        )
    return runtime


def workspace_of(runtime: Runtime, **changes: Any) -> Workspace:
    with runtime.database.read() as connection:
        return replace(get_workspace(connection), **changes)


def read(runtime: Runtime, tmp_path: Path, text: str, name: str = "buyers") -> SegmentFile:
    file = tmp_path / "segments" / f"{name}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    with runtime.database.read() as connection:
        published = rules_of(load_segments(connection))
    return read_segment_file(file, tmp_path, workspace_of(runtime), published, [])


def look(runtime: Runtime, found: SegmentFile, **options: Any) -> Preview:
    assert found.segment is not None, found.faults
    return look_at(runtime, workspace_of(runtime), found.segment, found.rules, NOW, **options)


def test_everything_is_told_when_a_file_that_is_not_published_is_previewed(runtime: Runtime, tmp_path: Path) -> None:
    preview = look(runtime, read(runtime, tmp_path, BUYERS))
    assert (preview.count, preview.population, preview.change) == (6, 7, None)
    assert preview.sample[0].external_id == "A-1"
    assert preview.sample[0].email == "a***@people.example"
    assert "order_placed" in preview.sql
    assert preview.cost.rows > 0
    assert "people.example" not in str(preview.as_document()).replace("***@people.example", "")


def test_each_gate_keeps_whom_delivery_would_keep_when_reach_is_counted(runtime: Runtime) -> None:
    limit = Limit(1, parse_duration("7d"), channel="email")
    workspace = workspace_of(runtime, limits=(limit,))
    with runtime.database.read() as connection:
        [reach] = reach_of(connection, list(range(1, 8)), workspace, NOW)
    lost = {"no_address": 2, "suppressed": 1, "consent": 1, "paused": 1, "cap": 1}
    assert reach == Reach("email", "marketing", 7, lost)
    assert reach.reached == 1


def test_limits_that_wait_keep_nobody_when_reach_is_counted(runtime: Runtime) -> None:
    workspace = workspace_of(runtime, limits=(Limit(1, parse_duration("7d"), then="wait"),))
    with runtime.database.read() as connection:
        [reach] = reach_of(connection, [FRANK], workspace, NOW)
    assert reach.reached == 1


def test_everybody_is_held_out_when_the_workspace_holds_all_out(runtime: Runtime) -> None:
    workspace = workspace_of(runtime, global_holdout=100)
    with runtime.database.read() as connection:
        [reach] = reach_of(connection, [ALICE, DAVE], workspace, NOW)
    assert reach.lost == {"no_address": 1, "holdout": 1}


def test_the_difference_is_told_when_the_segment_is_published(runtime: Runtime, tmp_path: Path) -> None:
    who = [{"event": "order_placed", "within": "3d"}]
    with runtime.database.transaction() as connection:
        publish_document(connection, "segment", "buyers", {"segment": "buyers", "who": who})
        others = [{"event": "order_placed", "within": "2d"}]
        publish_document(connection, "segment", "fresh", {"segment": "fresh", "who": others})
    refresh_all(runtime, now=NOW)
    preview = look(runtime, read(runtime, tmp_path, BUYERS))
    assert preview.change is not None
    assert (preview.change.members, preview.change.entered, preview.change.left) == (3, 3, 0)
    assert preview.change.conditions == (
        "  all of",
        "-   event order_placed within 3d",
        "+   event order_placed within 30d",
    )
    [overlap] = preview.overlaps
    assert (overlap.segment, overlap.shared, overlap.share) == ("fresh", 2, 1.0)
    unchanged = look(runtime, read(runtime, tmp_path, BUYERS.replace("30d", "3d")))
    assert unchanged.change is not None
    assert (unchanged.change.entered, unchanged.change.left, unchanged.change.conditions) == (0, 0, ())


def test_faults_have_their_places_when_the_file_is_wrong(runtime: Runtime, tmp_path: Path) -> None:
    found = read(runtime, tmp_path, "segment: buyers\nwho:\n  - {event: order_placed, withn: 30d}\n")
    assert found.segment is None
    assert [(fault.line, fault.code) for fault in found.faults] == [(3, "E102")]
    unknown = read(runtime, tmp_path, "segment: buyers\nwho:\n  - {segment: byers}\n  - {list: vips}\n")
    assert [fault.code for fault in unknown.faults] == ["E120", "E120"]
    circle = read(runtime, tmp_path, "segment: buyers\nwho:\n  - {segment: buyers}\n")
    assert [fault.code for fault in circle.faults] == ["E121"]
    with pytest.raises(InputError, match="there is no file"):
        read_segment_file(tmp_path / "none.yaml", tmp_path, workspace_of(runtime), {}, [])


def test_files_beside_it_are_nested_as_they_stand_when_a_file_is_previewed(runtime: Runtime, tmp_path: Path) -> None:
    read(runtime, tmp_path, BUYERS)
    outer = read(runtime, tmp_path, "segment: others\nwho:\n  - {not: {segment: buyers}}\n", "others")
    assert [one.id for one in look(runtime, outer).sample] == [GRACE]


def test_a_dear_segment_is_refused_unless_it_is_forced(runtime: Runtime, tmp_path: Path) -> None:
    dear = replace(runtime, settings=replace(runtime.settings, segment_rows="1"))
    found = read(dear, tmp_path, BUYERS)
    with pytest.raises(InputError, match="--force"):
        look(dear, found)
    assert look(dear, found, is_forced=True, timeout=timedelta(seconds=30)).count == 6


def test_the_sample_is_the_same_and_from_everywhere_when_it_is_drawn_again() -> None:
    ids = range(1, 100_001)
    sample = spread_sample(ids, 20)
    assert sample == spread_sample(ids, 20)
    assert len(sample) == 20
    assert sample[0] < 30_000 < 70_000 < sample[-1]
    assert spread_sample(ids, 0) == []
    assert spread_sample([3, 5], 20) == [3, 5]


def test_ids_can_be_joined_with_when_there_are_none_or_many(database: Database) -> None:
    with database.read() as connection:
        for ids in (range(0), range(1, 60_001)):
            assert connection.scalar(select(func.count()).select_from(people(connection, list(ids)))) == len(ids)


def test_no_lines_differ_when_only_the_order_of_keys_does() -> None:
    rule = parse({"any": [{"attribute": "tier", "is": "gold"}, {"not": {"list": "vips"}}]})
    assert differences(rule, rule) == []


def test_values_of_another_kind_are_counted_when_a_condition_meets_them(runtime: Runtime, tmp_path: Path) -> None:
    text = "segment: buyers\nwho:\n  - {event: order_placed, where: {total: {starts_with: '10'}}}\n"
    [mismatch] = look(runtime, read(runtime, tmp_path, text)).mismatches
    assert (mismatch.count, mismatch.words) == (6, "'total' of order_placed is not a text")
