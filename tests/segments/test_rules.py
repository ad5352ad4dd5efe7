from __future__ import annotations

from datetime import timedelta

import pytest

from core.errors import ConflictError, InputError, NotFoundError
from core.located import KeyPath
from customers.tables import customer_event, profile
from segments.compiling.compiler import compile_rule
from segments.language.nesting import find_circle, in_order, inline
from segments.language.parser import parse_conditions
from segments.language.references import Reference, ReferenceKind, iter_references
from segments.language.rules import (
    AllOf,
    Constant,
    EventRule,
    Leaf,
    ListRule,
    Not,
    Rule,
    SegmentRule,
    evaluate,
    iter_leaves,
    replace_leaves,
)
from segments.language.wording import describe
from tests.segments.engines import Engines
from tests.segments.parsing import parse
from tests.segments.people import DAY, NOW, SHOP, event_row, profile_row


def test_every_name_is_listed_with_its_place_when_references_are_asked_for() -> None:
    rule = parse(
        [
            {"segment": "vip"},
            {"not": {"any": [{"list": "press"}, {"attribute": "tier", "is": "gold"}]}},
            {"event": "order_placed"},
            {"event": ["cart_updated", "signed_up"]},
            {"consent": "email.marketing", "is": "granted"},
            {"message": "spring", "was": "clicked"},
            {"branch": "ab", "is": "plain"},
            {"step": "hello", "was": "done"},
            {"sequence": ["order_placed", {"event": ["cart_updated", "signed_up"]}]},
            {"owns": {"category": "Tea"}},
            {"near": {"lat": 1, "lon": 2, "km": 3}},
            {"anniversary": {"attribute": "birthday", "in_next": "7d"}},
            {"score": "churn", "is": {"gte": 0.5}},
            {"rank": {"by": "points", "top": 10}},
            {"rank": {"by": {"event": ["order_placed", "signed_up"], "count": True}, "quintile": 5}},
        ]
    )
    assert list(iter_references(rule)) == [
        Reference(ReferenceKind.SEGMENT, "vip", (0, "segment")),
        Reference(ReferenceKind.LIST, "press", (1, "not", "any", 0, "list")),
        Reference(ReferenceKind.ATTRIBUTE, "tier", (1, "not", "any", 1, "attribute")),
        Reference(ReferenceKind.EVENT, "order_placed", (2, "event")),
        Reference(ReferenceKind.EVENT, "cart_updated", (3, "event", 0)),
        Reference(ReferenceKind.EVENT, "signed_up", (3, "event", 1)),
        Reference(ReferenceKind.TOPIC, "marketing", (4, "consent")),
        Reference(ReferenceKind.MESSAGE, "spring", (5, "message")),
        Reference(ReferenceKind.STEP, "ab", (6, "branch")),
        Reference(ReferenceKind.STEP, "hello", (7, "step")),
        Reference(ReferenceKind.EVENT, "order_placed", (8, "sequence", 0, "event")),
        Reference(ReferenceKind.EVENT, "cart_updated", (8, "sequence", 1, "event")),
        Reference(ReferenceKind.EVENT, "signed_up", (8, "sequence", 1, "event")),
        Reference(ReferenceKind.CATEGORY, "Tea", (9, "owns", "category")),
        Reference(ReferenceKind.ATTRIBUTE, "latitude", (10, "near")),
        Reference(ReferenceKind.ATTRIBUTE, "longitude", (10, "near")),
        Reference(ReferenceKind.ATTRIBUTE, "birthday", (11, "anniversary", "attribute")),
        Reference(ReferenceKind.SCORE, "churn", (12, "score")),
        Reference(ReferenceKind.ATTRIBUTE, "points", (13, "rank", "by")),
        Reference(ReferenceKind.EVENT, "order_placed", (14, "rank", "by", "event", 0)),
        Reference(ReferenceKind.EVENT, "signed_up", (14, "rank", "by", "event", 1)),
    ]


def test_contained_segments_come_first_when_segments_are_ordered() -> None:
    rules = {"a": parse({"segment": "c"}), "b": parse({"list": "x"}), "c": parse({"not": {"segment": "b"}})}
    assert in_order(rules) == ["b", "c", "a"]


def test_the_way_round_is_printed_when_segments_form_a_circle() -> None:
    rules = {name: parse({"segment": inner}) for name, inner in {"a": "b", "b": "c", "c": "b", "d": "d"}.items()}
    assert find_circle("a", rules) is None
    assert find_circle("b", rules) == ["b", "c", "b"]
    assert find_circle("d", rules) == ["d", "d"]
    for attempt in (lambda: in_order(rules), lambda: inline(SegmentRule("a"), rules)):
        with pytest.raises(ConflictError, match="b → c → b"):
            attempt()


def test_the_nearest_segment_is_named_when_a_nested_one_is_missing() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'loyal'"):
        inline(SegmentRule("loyol"), {"loyal": AllOf(())})


@pytest.mark.parametrize(
    "condition",
    [
        {"branch": "ab", "is": "plain"},
        {"step": "hello", "was": "done"},
        {"entry": {"total": 5}},
        {"event": "order_placed", "since": "entry"},
        {"sequence": ["order_placed", "cart_updated"], "since": "step"},
        {"sequence": ["order_placed", {"event": "cart_updated", "where": {"id": {"from_event": "id"}}}]},
        {"event": "order_placed", "where": {"id": {"from_event": "id"}}},
    ],
)
def test_condition_of_a_journey_is_refused_when_it_is_compiled_for_a_population(condition: dict[str, object]) -> None:
    with pytest.raises(InputError, match="journey"):
        compile_rule(parse(condition), now=NOW, workspace=SHOP, segments={})


def test_a_journey_can_answer_its_own_conditions_when_it_replaces_them() -> None:
    rule = parse([{"branch": "ab", "is": "plain"}, {"not": {"list": "press"}}])

    def answered(leaf: Leaf) -> Rule:
        return leaf if isinstance(leaf, ListRule) else Constant(True)

    assert replace_leaves(rule, answered) == AllOf((Constant(True), Not(ListRule("press"))))
    assert evaluate(rule, lambda leaf: not isinstance(leaf, ListRule))
    assert [type(leaf).__name__ for leaf in iter_leaves(rule)] == ["BranchRule", "ListRule"]


def test_the_later_start_counts_when_a_window_and_an_enrolment_both_set_one() -> None:
    rule = EventRule(("order_placed",), within=timedelta(days=7), start=NOW - 3 * DAY)
    assert rule.starts_at(NOW) == NOW - 3 * DAY
    assert rule.starts_at(NOW + 7 * DAY) == NOW
    assert EventRule(("order_placed",)).starts_at(NOW) is None


def test_leaves_are_equal_when_they_differ_only_in_their_place() -> None:
    first, second = iter_leaves(parse([{"list": "press"}, {"list": "press"}]))
    assert first == second
    assert hash(first) == hash(second)
    assert first.path != second.path


@pytest.mark.parametrize("word", ["device"])
def test_known_word_is_reported_at_its_key_when_it_does_not_work_yet(word: str) -> None:
    faults: list[tuple[str, KeyPath, bool]] = []

    def report(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        faults.append((code, path, at_key))

    assert parse_conditions([{word: "x", "is": 1}], report, ("who",)) == AllOf((Constant(False),))
    assert faults == [("E160", ("who", 0, word), True)]


def test_the_nearest_condition_is_named_when_a_word_is_mistyped() -> None:
    said: list[str] = []

    def report(code: str, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> None:
        said.append(f"{code} {message}, {hint}")

    parse_conditions({"atribute": "tier", "is": "gold"}, report)
    parse_conditions({"attribute": "tier", "is": {"equals": "gold", "start_with": "g"}}, report)
    assert said == [
        "E102 unknown condition 'atribute', did you mean 'attribute'?",
        "E102 unknown matcher 'equals', write eq, ne, in, gt, lt, between, contains, exists or another one",
        "E102 unknown matcher 'start_with', did you mean 'starts_with'?",
    ]


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"event": ["a", "b"], "within": "1d12h", "count": 2}, "event a or b within 1d12h, count eq 2"),
        ({"event": "a", "where": {"x": {"in": [1, "b"]}}}, "event a where x in [1, b]"),
        ({"event": "a", "since": "entry"}, "event a since entry"),
        ({"attribute": "d", "is": {"before": "2026-03-01"}}, "attribute d before 2026-03-01"),
        ({"attribute": "d", "is": {"older_than": "30d", "exists": True}}, "attribute d older_than 30d and exists true"),
        ({"consent": "email.marketing", "is": "denied"}, "consent email.marketing is denied"),
        (
            {"message": "spring", "was": "opened", "where": {"variant": "a"}},
            "message spring was opened where variant eq a",
        ),
        ({"score": "churn", "is": {"gte": 0.5}, "max_age": "7d"}, "score churn gte 0.5, not older than 7d"),
        ({"rank": {"by": "points", "top": "10%"}}, "rank by points: top 10%"),
        ({"rank": {"by": "points", "bottom": 0.25}}, "rank by points: bottom 0.25%"),
        (
            {"rank": {"by": {"event": ["a", "b"], "where": {"x": 1}, "within": "1w", "count": True}, "quintile": 5}},
            "rank by number of a or b where x eq 1 within 7d: quintile 5",
        ),
        ({"rank": {"by": {"event": "a", "max": "total"}, "top": 12.5}}, "rank by max of total of a: top 12.5%"),
        ({"segment": "vip"}, "segment vip"),
        ({"list": "press"}, "list press"),
        ({"branch": "ab", "is": 1}, "branch ab is 1"),
        ({"step": "hello", "was": "done"}, "step hello was done"),
        ({"entry": {"total": {"gte": 5}}}, "entry where total gte 5"),
        (
            {"sequence": ["a", {"event": ["b", "c"], "where": {"x": 1}}], "within": "7d"},
            "sequence a, then b or c where x eq 1 within 7d",
        ),
        ({"sequence": ["a", "b"], "since": "entry"}, "sequence a, then b since entry"),
        ({"owns": {"product": ["kettle", "cup"], "within": "1y"}}, "owns product kettle or cup within 365d"),
        ({"near": {"lat": 52.52, "lon": 13.405, "km": 25}}, "near 52.52, 13.405 within 25 km"),
        ({"anniversary": {"attribute": "birthday", "in_next": "1w"}}, "anniversary of birthday in the next 7d"),
        ({"local_time": {"from": "09:00", "weekday": ["fri", "mon"]}}, "local time 09:00 to 24:00 on mon, fri"),
        (
            {"account": {"country": "GB", "where": {"employees": {"gte": 50}}, "role": {"in": ["buyer"]}}},
            "account country eq GB, role in [buyer], employees gte 50",
        ),
    ],
)
def test_condition_is_told_in_its_own_words_when_it_is_described(condition: dict[str, object], words: str) -> None:
    [leaf] = iter_leaves(parse(condition))
    assert describe(leaf) == words


def test_the_number_and_the_truth_are_two_questions_when_one_rule_asks_both(engines: Engines) -> None:
    engines.load(
        {
            profile: [profile_row(1), profile_row(2)],
            customer_event: [
                event_row(1, 1, "cart_updated", NOW - DAY, total=1),
                event_row(2, 2, "cart_updated", NOW - DAY, total=True),
            ],
        }
    )
    number, truth = ({"event": "cart_updated", "where": {"total": value}} for value in (1, True))
    assert engines.members(parse([number, {"not": truth}])) == [1]
    assert engines.members(parse([truth, {"not": number}])) == [2]
