"""`bandit`: equal seeds draw alike, better arms are drawn more often, and every draw can be made again."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from core.ids import derived_id
from journeys.steps.thompson import Draw, draw_arm
from journeys.tables import bandit_draw, bandit_tally
from tests.journeys.test_check import faults_of
from tests.journeys.town import Town

ENTER = "enter: {event: signed_up}\nmode: parallel\n"
BANDIT = (
    "journey: learn\n"
    + ENTER
    + """
steps:
  - id: way
    bandit: {story: {then: [{emit: told}]}, gift: {}}
    reward: {event: visited, where: {page: shop}, within: 2d}
"""
)
COUNTS = st.tuples(st.integers(0, 10_000), st.integers(0, 10_000))


def draws(town: Town) -> list[Any]:
    with town.runtime.database.read() as connection:
        return list(connection.execute(select(bandit_draw).order_by(bandit_draw.c.drawn_at, bandit_draw.c.profile_id)))


@given(st.text(max_size=40), st.lists(COUNTS, min_size=2, max_size=5), st.sampled_from([0, 10, 20]))
def test_the_same_arm_is_drawn_when_seed_and_counts_are_the_same(
    seed: str, counts: list[tuple[int, int]], floor: int
) -> None:
    arms = [f"arm{number}" for number in range(len(counts))]
    tallies = dict(zip(arms, counts, strict=True))
    assert draw_arm(arms, tallies, seed, Decimal(floor)) == draw_arm(arms, dict(tallies), seed, Decimal(floor))


def test_arms_are_drawn_as_often_as_they_are_the_best_when_their_rates_are_uncertain() -> None:
    """For Beta(3, 1) against Beta(1, 1) the first is the greater with probability 3/4."""
    drawn = Counter(draw_arm(["a", "b"], {"a": (2, 0)}, f"s{number}").arm for number in range(4_000))
    assert abs(drawn["a"] / 4_000 - 3 / 4) < 4 * (3 / 16 / 4_000) ** 0.5


def test_every_arm_keeps_its_floor_when_one_is_far_better() -> None:
    tallies = {"a": (9_000, 1_000), "b": (1, 9_000), "c": (1, 9_000)}
    drawn = [draw_arm(["a", "b", "c"], tallies, f"s{number}", Decimal(10)) for number in range(3_000)]
    shares = Counter(one.arm for one in drawn)
    assert abs(shares["b"] / 3_000 - 0.1) < 0.025
    assert abs(shares["a"] / 3_000 - 0.8) < 0.035
    assert {one.arm for one in drawn if one.by is Draw.THOMPSON} == {"a"}


def test_a_world_with_one_better_arm_is_found_out_when_many_have_been_drawn() -> None:
    rates, tallies, last = {"poor": 0.05, "good": 0.2}, {"poor": (0, 0), "good": (0, 0)}, Counter[str]()
    for number in range(3_000):
        arm = draw_arm(list(rates), tallies, f"visit{number}").arm
        won = int(derived_id("luck", number)[:8], 16) < rates[arm] * 2**32
        tallies[arm] = (tallies[arm][0] + won, tallies[arm][1] + (not won))
        last[arm] += number >= 2_000
    assert last["good"] > 950


def test_a_draw_knows_what_was_earned_in_its_window_and_can_be_made_again_from_the_journal(town: Town) -> None:
    for name in ("alice", "bob", "carol"):
        town.person(name, consents=())
    town.journey(BANDIT)
    town.log("signed_up", "alice")
    town.log("signed_up", "bob")
    town.work()
    first = {row.profile_id: row.arm for row in draws(town)}
    town.run_until("2026-06-02T08:00")
    town.log("visited", "alice", page="shop")
    town.log("visited", "bob", page="home")
    town.run_until("2026-06-03T08:00")
    town.log("visited", "bob", page="shop")  # at the end of the window is outside
    town.run_until("2026-06-03T09:00")
    town.log("signed_up", "carol")
    town.work()
    entry = next(one for one in town.entries("carol") if one.kind == "drawn")
    earned = {"story": [0, 0], "gift": [0, 0]}
    earned[first[town.people["alice"]]][0] += 1
    earned[first[town.people["bob"]]][1] += 1
    assert entry.data["known"] == earned
    visit = draws(town)[-1].id
    again = draw_arm(list(earned), {arm: (won, lost) for arm, (won, lost) in earned.items()}, visit)
    assert (again.arm, again.by) == (entry.data["arm"], entry.data["by"])
    assert "was drawn by what they had earned" in "\n".join(town.story("carol", "learn"))


def test_what_is_too_fresh_is_not_known_yet_when_the_bandit_has_a_delay(town: Town) -> None:
    town.person("alice", consents=())
    town.person("bob", consents=())
    town.journey(BANDIT + "    delay: 1d\n    floor: 10%\n")
    town.log("signed_up", "alice")
    town.run_until("2026-06-02T09:00")
    town.log("visited", "alice", page="shop")
    town.run_until("2026-06-03T09:00")
    town.log("signed_up", "bob")
    town.run_until("2026-06-03T09:01")
    town.log("signed_up", "bob")
    town.work()
    known = [[sum(counts) for counts in zip(*one.data["known"].values(), strict=True)]
             for one in sorted(town.entries("bob"), key=lambda one: one.at) if one.kind == "drawn"]  # fmt: skip
    assert known == [[0, 0], [1, 0]]


def test_nothing_is_forgotten_when_draws_are_settled_after_some_days(town: Town) -> None:
    for number in range(12):
        town.person(f"p{number}", consents=())
    town.journey(BANDIT)
    town.log_many([("signed_up", f"p{number}", {}) for number in range(11)])
    town.run_until("2026-06-02T08:00")
    town.log_many([("visited", f"p{number}", {"page": "shop"}) for number in range(4)])
    known = []
    for day in ("04", "08", "09"):
        town.run_until(f"2026-06-{day}T08:00")
        town.log("signed_up", "p11")
        town.work()
        last = max((one for one in town.entries("p11") if one.kind == "drawn"), key=lambda one: one.at)
        known.append(last.data["known"])
    assert sum(won for won, _ in known[0].values()) == 4
    assert sum(lost for _, lost in known[0].values()) == 7
    assert sum(won + lost for won, lost in known[2].values()) == 12
    assert known[0] != known[1] == known[2]
    with town.runtime.database.read() as connection:
        assert len(draws(town)) == 3
        assert sum(connection.scalars(select(bandit_tally.c.success_count))) == 4


def test_a_click_of_a_person_in_the_arms_own_mail_is_the_reward_when_the_bandit_stands_in_the_message(
    town: Town,
) -> None:
    for name in ("alice", "bob", "carol"):
        town.person(name)
    town.template("plain", "---\ntemplate: plain\nchannel: email\nsubject: A\n---\n<mjml></mjml>\n")
    town.template("warm", "---\ntemplate: warm\nchannel: email\nsubject: B\n---\n<mjml></mjml>\n")
    town.journey(
        "journey: learn\n"
        + ENTER
        + """
defaults: {topic: marketing}
steps:
  - id: hello
    email: {bandit: {plain: plain, warm: warm}, reward: {message: hello, was: clicked, within: 1d}}
  - {if: {branch: hello, is: warm}, emit: was_warm}
"""
    )
    for name in ("alice", "bob"):
        town.log("signed_up", name)
    town.run_until("2026-06-01T09:00")
    town.click("alice", "hello", is_human=False)
    town.click("bob", "hello")
    town.run_until("2026-06-02T09:00")
    town.log("signed_up", "carol")
    town.work()
    sent = {one.profile_id: (one.template, one.variant) for one in town.messages("alice") + town.messages("bob")}
    arms = {row.profile_id: row.arm for row in draws(town)}
    assert all(sent[number] == (arms[number], arms[number]) for number in sent)
    earned = {"plain": [0, 0], "warm": [0, 0]}
    earned[arms[town.people["alice"]]][1] += 1
    earned[arms[town.people["bob"]]][0] += 1
    assert next(one.data["known"] for one in town.entries("carol") if one.kind == "drawn") == earned
    assert [one.data["branch"][0] for one in town.entries("bob") if one.data.get("step") == "hello"
            and one.kind == "step"] == [arms[town.people["bob"]]]  # fmt: skip


def test_a_reward_is_refused_with_its_place_when_it_says_too_little_or_names_no_step() -> None:
    head = "journey: x\nenter: {event: signed_up}\nsteps:\n  - id: a\n    bandit: {m: {}, n: {}}\n    reward: "
    assert faults_of(head + "{within: 7d}\n") == ["E103 reward: {wit"]
    assert faults_of(head + "{event: order_placed}\n") == ["E101 {event: orde"]
    assert faults_of(head + "{event: order_placed, within: 0s}\n") == ["E134 0s"]
    assert faults_of(head + "{message: helo, within: 7d}\n  - {id: hello, email: hello}\n") == ["E111 helo 'hello'?"]
