"""Holdouts and shared seeds: who is left alone, for how long that counts, and what is measured of them."""

from __future__ import annotations

from core.ids import bucket
from tests.journeys.town import Town

ENTER = "enter: {event: signed_up}\n"
GOAL = "goal: {event: visited, within: 2d}\n"


def held_out(share: int, seed: str, *, wanted: bool = True) -> str:
    """A seed by which profile 1 is held out at `share` percent, or is not."""
    return next(f"{seed}{number}" for number in range(999) if (bucket(f"{seed}{number}", 1) < share * 100) is wanted)


def enter(town: Town, journey: str, name: str = "alice") -> None:
    town.journey(journey)
    town.log("signed_up", name)
    town.work()


def test_somebody_who_is_held_out_has_a_run_until_the_goals_window_is_over(town: Town) -> None:
    assert town.person("alice") == 1
    seed = held_out(50, "s")
    enter(town, f"journey: quiet\n{ENTER}{GOAL}holdout: {{percent: 50%, seed: {seed}}}\nsteps: [{{id: w, wait: 9d}}]\n")
    town.run_until("2026-06-02T08:00")
    town.log("signed_up", "alice")
    town.log("visited", "alice")
    town.run_until("2026-06-02T09:00")
    assert (town.runs(), town.refusals()) == ([("holdout", None)], ["active"])
    (run,) = town.enrolments()
    assert f"{run.goal_at:%d %H:%M}" == "02 08:00"
    town.run_until("2026-06-03T08:00")
    assert town.runs() == [("ended", "holdout")]
    town.log("signed_up", "alice")
    town.work()
    assert town.runs() == [("ended", "holdout"), ("holdout", None)]  # chance does not forget


def test_without_a_goal_a_run_that_is_held_out_is_over_at_once(town: Town) -> None:
    assert town.person("alice") == 1
    seed = held_out(50, "s")
    enter(town, f"journey: quiet\n{ENTER}holdout: {{percent: 50%, seed: {seed}}}\nsteps: [{{id: w, wait: 9d}}]\n")
    town.log("signed_up", "alice")
    town.work()
    assert (town.runs(), town.refusals()) == ([("ended", "holdout")] * 2, [])


def test_a_restart_ends_a_run_that_is_held_out_and_holds_out_again(town: Town) -> None:
    assert town.person("alice") == 1
    seed = held_out(50, "s")
    enter(
        town,
        f"journey: quiet\nmode: restart\n{ENTER}{GOAL}holdout: {{percent: 50%, seed: {seed}}}\nsteps: [{{emit: x}}]\n",
    )
    town.run_until("2026-06-01T12:00")
    town.log("signed_up", "alice")
    town.run_until("2026-06-03T08:00")
    assert town.runs() == [("ended", "restarted"), ("holdout", None)]
    town.run_until("2026-06-03T12:00")
    assert town.runs()[-1] == ("ended", "holdout")


def test_the_step_ends_the_runs_of_those_who_are_held_out_and_goes_on_counting_their_goals(town: Town) -> None:
    assert town.person("alice") == 1
    text = f"journey: part\n{ENTER}{GOAL}steps: [{{id: some, holdout: 50%, seed: SEED}}, {{id: w, wait: 9d}}]\n"
    enter(town, text.replace("SEED", held_out(50, "s")))
    assert town.runs() == [("ended", "holdout")]
    town.run_until("2026-06-02T08:00")
    town.log("visited", "alice")
    town.log("visited", "alice")
    town.work()
    (run,) = town.enrolments()
    assert f"{run.goal_at:%d %H:%M}" == "02 08:00"
    assert town.kinds("alice").count("goal") == 1


def test_the_step_lets_those_on_who_are_not_held_out(town: Town) -> None:
    assert town.person("alice") == 1
    seed = held_out(50, "s", wanted=False)
    enter(town, f"journey: part\n{ENTER}steps: [{{id: some, holdout: 50%, seed: {seed}}}, {{id: w, wait: 9d}}]\n")
    assert [run.step for run in town.enrolments()] == ["w"]


def test_one_seed_means_the_same_people_everywhere_and_another_seed_others(town: Town) -> None:
    names = [f"person{number}" for number in range(40)]
    for name in names:
        town.person(name, consents=())
    for slug, seed in (("one", "same"), ("two", "same"), ("three", "other")):
        town.journey(
            f"journey: {slug}\n{ENTER}goal: {{event: visited, within: 2d}}\nholdout: {{percent: 50%, seed: {seed}}}\n"
            "steps: [{id: w, wait: 1d}]\n"
        )
    town.journey(
        f"journey: split\n{ENTER}steps: [{{id: ab, split: {{a: {{weight: 1}}, b: {{weight: 1}}}}, seed: same}}]\n"
    )
    town.log_many([("signed_up", name, {}) for name in names])
    town.work()
    left = {
        slug: {run.profile_id for run in town.enrolments() if run.journey == slug and run.status == "holdout"}
        for slug in ("one", "two", "three")
    }
    first_arm = {
        run.profile_id for run in town.enrolments() if run.journey == "split" and run.state["answers"]["ab"] == ["a"]
    }
    reckoned = {seed: {one for one in town.people.values() if bucket(seed, one) < 5_000} for seed in ("same", "other")}
    assert left["one"] == left["two"] == first_arm == reckoned["same"]
    assert left["three"] == reckoned["other"] != left["one"]


def test_a_goal_without_a_window_counts_for_the_longest_stay(town: Town) -> None:
    for name in ("alice", "bob"):
        town.person(name)
    town.journey(f"journey: buy\n{ENTER}max_stay: 2d\ngoal: {{event: visited}}\nsteps: [{{emit: hello}}]\n")
    for name in ("alice", "bob"):
        town.log("signed_up", name)
    town.run_until("2026-06-03T07:59:59")
    town.log("visited", "alice")
    town.run_until("2026-06-03T08:00")
    town.log("visited", "bob")
    town.work()
    assert [run.goal_at is not None for name in ("alice", "bob") for run in town.enrolments(name)] == [True, False]


def test_a_goal_is_credited_to_the_last_message_of_the_run_that_was_delivered_before_it(town: Town) -> None:
    town.person("alice")
    enter(
        town,
        f"journey: buy\n{ENTER}{GOAL}defaults: {{topic: marketing}}\n"
        "steps: [{id: a, email: one}, {id: b, email: two}, {id: c, email: three}, {id: w, wait: 9d}]\n",
    )
    first, second, third = (town.enrolments()[0].state["messages"][step] for step in ("a", "b", "c"))
    run = town.enrolments()[0].uid
    for message, minute in ((first, "08:20"), (second, "08:10"), (third, "08:40")):
        town.log("message_delivered", "alice", occurred=f"2026-06-01T{minute}", message_id=message, origin_id=run)
    town.log("message_delivered", "alice", occurred="2026-06-01T08:25", message_id="x", origin_id="another")
    town.run_until("2026-06-01T09:00")
    town.log("visited", "alice", occurred="2026-06-01T08:30")
    town.work()
    (goal,) = [entry.data for entry in town.entries("alice") if entry.kind == "goal"]
    assert goal["message"] == first
