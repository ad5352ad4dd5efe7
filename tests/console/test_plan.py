"""What a plan shows before anything is published, whom a publication would strand, and going back."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.plan import Plan, find_catalogue, find_faults, make_plan
from console.project import Project, load_project
from console.publish import publish_project
from console.rollback import roll_back
from core.errors import ConflictError, NotFoundError
from journeys.migration import migrate
from journeys.overview import read_overview
from journeys.stopping import stop_journey
from tests.console.test_project_tests import MAIL, SHOP
from tests.journeys.conftest import MakeTown, make_town, vault
from tests.journeys.town import Town

__all__ = ["make_town", "vault"]  # fixtures

SEGMENT = "segment: golden\nwho: [{attribute: tier, is: gold}]\n"
WELCOME = """\
journey: welcome
status: live
enter: {event: signed_up}
defaults: {topic: marketing, sender: shop}
steps:
  - {id: nap, wait: 3d}
  - {id: hello, email: hello}
  - {id: rest, wait: 1d}
  - {id: more, email: more}
"""
CHANGED = """\
journey: welcome
status: live
enter: {event: signed_up}
mode: restart
defaults: {topic: marketing, sender: shop}
steps:
  - {id: snooze, wait: 1h}
  - {id: hello, email: hello}
  - {id: rest, wait: 2d}   # longer
"""


class Folder:
    """A project's folder, and the town in which it is applied."""

    def __init__(self, folder: Path, town: Town) -> None:
        self.folder, self.town = folder, town

    def write(self, **texts: str) -> Project:
        for name, text in texts.items():
            file = self.folder / name.replace("__", "/")
            file = file.with_suffix(".mjml" if "templates" in name else ".yaml")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return load_project(self.folder)

    def remove(self, name: str) -> Project:
        (self.folder / name).unlink()
        return load_project(self.folder)

    def plan(self, *, moves: bool = False) -> Plan:
        return make_plan(self.town.runtime, load_project(self.folder), self.town.clock.now(), moves=moves)

    def apply(self) -> None:
        with self.town.runtime.database.transaction() as connection:
            publish_project(connection, load_project(self.folder), self.town.clock.now())

    def codes(self, *, moves: bool = False) -> list[str]:
        with self.town.runtime.database.read() as connection:
            project = load_project(self.folder)
            found = find_faults(connection, find_catalogue(connection), project, moves=moves)
        return [f"{one.code} {one.message}" for one in found if one.code.startswith("E")]


@pytest.fixture
def shop(make_town: MakeTown, tmp_path: Path) -> Folder:
    """Applied, with three people at the first wait."""
    made = Folder(tmp_path / "shop", make_town())
    made.write(
        workspace=SHOP.replace("global_holdout: 99%\n", ""),
        segments__golden=SEGMENT,
        journeys__welcome=WELCOME,
        templates__hello=MAIL.replace("NAME", "hello"),
        templates__more=MAIL.replace("NAME", "more"),
    )
    made.apply()
    for number in range(3):
        made.town.person(f"person{number}", tier="gold")
        made.town.log("signed_up", f"person{number}")
    made.town.work()
    made.town.refresh_segments()
    return made


def test_everything_is_new_when_nothing_was_applied(make_town: MakeTown, tmp_path: Path) -> None:
    made = Folder(tmp_path / "shop", make_town())
    made.write(workspace=SHOP, segments__golden=SEGMENT)
    plan = made.plan()
    assert [(one.kind, one.slug, one.what) for one in plan.changed] == [
        ("workspace", "shop", "changed"),
        ("segment", "golden", "new"),
    ]
    assert [(one.slug, one.before, one.after) for one in plan.segments] == [("golden", 0, 0)]


def test_nothing_is_to_be_done_when_only_comments_and_layout_changed(shop: Folder) -> None:
    """Scenario 80."""
    shop.write(journeys__welcome="# a remark\n" + WELCOME.replace("{id: nap, wait: 3d}", "{id: nap,   wait: 3d}  # !"))
    assert shop.plan().changed == []
    shop.apply()
    shop.apply()
    with shop.town.runtime.database.read() as connection:
        assert [line.version for line in read_overview(connection, shop.town.clock.now(), shop.town.clock.now())] == [1]


def test_each_step_that_changes_is_told_with_the_people_who_stand_there(shop: Folder) -> None:
    shop.write(journeys__welcome=CHANGED)
    plan = shop.plan()
    (journey,) = plan.journeys
    assert [(one.what.value, one.step, one.words) for one in journey.steps] == [
        ("removed", "nap", "wait: 3d"),
        ("removed", "more", "email: more"),
        ("added", "snooze", "wait: 1h"),
        ("changed", "rest", "wait: 1d → 2d"),
    ]
    assert journey.keys == ("mode: restart added",)
    assert (journey.version, journey.inside, journey.at_step) == (1, {1: 3}, {"nap": 3})
    assert not plan.is_refused
    assert [(one.kind, one.what) for one in plan.changed] == [("journey", "changed")]


def test_a_segment_is_counted_before_and_after(shop: Folder) -> None:
    shop.write(segments__golden="segment: golden\nwho: [{attribute: tier, is: silver}]\n")
    (segment,) = shop.plan().segments
    assert (segment.before, segment.after) == (3, 0)


def test_moving_people_is_refused_with_their_number_when_their_step_is_gone(shop: Folder) -> None:
    shop.write(journeys__welcome=CHANGED)
    assert shop.codes() == []
    assert shop.codes(moves=True) == ["E142 3 people stand at `nap` (wait, version 1), which is gone"]
    assert shop.plan(moves=True).is_refused
    shop.write(journeys__welcome=CHANGED.replace("steps:", "migrate: {removed: {nap: snooze}}\nsteps:"))
    assert shop.codes(moves=True) == []


def test_people_of_older_versions_are_told_when_their_file_is_as_it_was(shop: Folder) -> None:
    shop.write(journeys__welcome=CHANGED.replace("steps:", "migrate: {removed: {nap: snooze}}\nsteps:"))
    (changed,) = shop.plan(moves=True).journeys
    assert [(one.version, one.step, one.to, one.count) for one in changed.moving] == [(1, "nap", "snooze", 3)]
    shop.apply()
    assert shop.plan().journeys == ()
    plan = shop.plan(moves=True)
    (unchanged,) = plan.journeys
    assert (plan.changed, unchanged.version, unchanged.moving) == ([], 2, changed.moving)
    migrate(shop.town.runtime, "welcome", shop.town.clock.now())
    assert shop.plan(moves=True).journeys == ()


def test_a_template_may_not_go_while_people_of_an_old_version_will_need_it(shop: Folder) -> None:
    shop.write(journeys__welcome=CHANGED.replace("snooze", "nap"))
    shop.remove("templates/more.mjml")
    assert shop.codes() == ["E143 3 people in version 1 of 'welcome' will still need the template 'more'"]
    assert shop.codes(moves=True) == []
    shop.town.run_until("2026-06-20T08:00")
    assert shop.codes() == []


def test_a_file_that_is_gone_is_withdrawn_and_its_people_are_counted(shop: Folder) -> None:
    shop.remove("journeys/welcome.yaml")
    plan = shop.plan()
    assert [(one.slug, one.inside) for one in plan.journeys] == [("welcome", {1: 3})]
    assert not plan.is_refused


def test_the_overview_tells_versions_that_finish_and_who_is_inside(shop: Folder) -> None:
    shop.town.run_until("2026-06-02T08:00")
    shop.write(journeys__welcome=CHANGED.replace("snooze", "nap"))
    shop.apply()
    shop.town.person("late")
    shop.town.log("signed_up", "late")
    shop.town.work()

    def lines() -> list[tuple[int, str, int, int]]:
        with shop.town.runtime.database.read() as connection:
            found = read_overview(connection, shop.town.clock.now(), shop.town.clock.now())
        return [(line.version, line.status, line.waiting, line.entered) for line in found]

    assert lines() == [(2, "live", 1, 1), (1, "finishing", 3, 0)]
    migrate(shop.town.runtime, "welcome", shop.town.clock.now())
    assert lines() == [(2, "live", 4, 1)]
    stop_journey(shop.town.runtime, "welcome", shop.town.clock.now())
    assert lines() == [(2, "withdrawn", 0, 1)]


# -- going back --------------------------------------------------------------------------------------------------------


def test_an_older_version_runs_again_as_a_new_one(shop: Folder) -> None:
    shop.write(journeys__welcome=CHANGED)
    shop.apply()
    with shop.town.runtime.database.transaction() as connection:
        published = roll_back(connection, "welcome", shop.town.clock.now()).published
    assert (published.version, published.document["steps"][0]) == (3, {"id": "nap", "wait": "3d"})
    with shop.town.runtime.database.transaction() as connection:
        with pytest.raises(ConflictError, match="runs already"):
            roll_back(connection, "welcome", shop.town.clock.now(), to=1)
        with pytest.raises(NotFoundError, match="has no version 9"):
            roll_back(connection, "welcome", shop.town.clock.now(), to=9)
        assert roll_back(connection, "welcome", shop.town.clock.now()).published.document["steps"][0]["id"] == "snooze"


def test_there_is_nothing_to_go_back_to_when_there_was_one_version(shop: Folder) -> None:
    with shop.town.runtime.database.transaction() as connection, pytest.raises(NotFoundError, match="no older"):
        roll_back(connection, "welcome", shop.town.clock.now())
