"""Plan, apply, journeys and test as a person runs them."""

from __future__ import annotations

import pytest

from tests.cli.test_commands import Shell, shell, shop

__all__ = ["shell", "shop"]  # fixtures

LIVE = """\
journey: welcome
status: live
enter: {segment: newsletter}
defaults: {topic: marketing, sender: shop}
steps:
"""


def test_a_new_project_passes_its_tests_and_is_planned_and_applied(shop: Shell) -> None:
    tested = shop.run("test")
    assert tested.code == 0, tested.error
    assert "1 test passed" in tested.out
    assert "nothing to do" in shop.run("plan").out
    shop.write("shop/journeys/welcome.yaml", LIVE + "  - {id: nap, wait: 1d}\n  - {id: hello, email: welcome}\n")
    planned = shop.run("plan")
    assert planned.code == 0
    assert "~ journey    welcome" in planned.out
    assert "+ nap" in planned.out
    assert "Nothing was written" in planned.out
    assert [one["step"] for one in shop.run("plan", "--json").document["journeys"][0]["steps"]] == ["nap"]
    assert shop.run("apply", "--migrate", "--json").document["migrated"] == [
        {"journey": "welcome", "moved": 0, "staying": 0}
    ]
    assert "nothing to do" in shop.run("plan").out


def test_journeys_are_listed_stopped_and_rolled_back(shop: Shell) -> None:
    shop.write("shop/journeys/welcome.yaml", LIVE + "  - {id: hello, email: welcome}\n")
    assert shop.run("apply").code == 0
    (line,) = shop.run("journeys", "list", "--json").document
    assert (line["journey"], line["version"], line["status"], line["waiting"]) == ("welcome", 2, "live", 0)
    assert shop.run("journeys", "rollback", "welcome", "--json").document == {"journey": "welcome", "version": 3}
    assert "version 3 → 4" in shop.run("plan").out
    assert shop.run("journeys", "stop", "welcome").code == 1  # nobody said yes
    assert shop.run("journeys", "stop", "welcome", "--yes", "--json").document == {"journey": "welcome", "ended": 0}
    assert "withdrawn" in shop.run("journeys", "list").out


@pytest.mark.parametrize("expected", ["08:00, email: welcom", "09:00, email: welcome", "08:00, end: goal"])
def test_a_test_that_fails_says_so_with_its_place_and_exit_code(shop: Shell, expected: str) -> None:
    text = (shop.folder / "shop" / "tests" / "welcome.yaml").read_text()
    shop.write("shop/tests/welcome.yaml", text.replace("08:00, email: welcome, end: completed", expected))
    answer = shop.run("test")
    assert answer.code == 1
    assert "tests/welcome.yaml:" in answer.out + answer.error
