"""The law of the one compiler: random rules over random rows have the same members wherever they are asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.tables import consent_entry, customer_event, identity, profile, static_list_member
from customers.task_tables import task
from delivery.tables import message
from insights.tables import score
from tests.segments import oracle
from tests.segments.engines import Engines
from tests.segments.leaf_strategies import BIRTH_DAYS, POSITIONS, ZONES, longer_leaves, longer_rows
from tests.segments.parsing import parse
from tests.segments.people import (
    NOW,
    consent_row,
    engagement_row,
    event_row,
    identity_row,
    message_row,
    profile_row,
    score_row,
    task_row,
)
from tracking.tables import engagement_event

PEOPLE = 5
PEOPLE_IDS = st.integers(1, PEOPLE)
AGES = st.sampled_from([0, 1, 7, 30, 365])  # days; the edges of the windows below are met exactly
NUDGES = st.sampled_from([timedelta(microseconds=step) for step in (-1, 0, 1)])

numbers = st.sampled_from([0, 1, 2, 5, -3, 0.1, 0.2, 0.3, 2.5, 19.99, 100000, 12345678.9])
texts = st.sampled_from(["", "a", "A", "b", "ab", "ä", "z", "5", "true", "O'Brien", "100%", "_", "\\", '"', "😀", "DE"])
scalars = st.one_of(numbers, texts, st.booleans())
values = st.one_of(
    scalars,
    scalars,
    st.none(),
    st.lists(st.one_of(scalars, st.none()), max_size=3),
    st.sampled_from([{"a": 1}, [["a"]]]),
)
filled = texts.filter(bool)
_comparisons = st.one_of(
    st.fixed_dictionaries({"eq": scalars}),
    st.fixed_dictionaries({"ne": scalars}),
    st.fixed_dictionaries({"in": st.lists(scalars, max_size=3)}),
    st.fixed_dictionaries({"not_in": st.lists(scalars, max_size=3)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    *(st.fixed_dictionaries({how: numbers}) for how in ("gt", "gte", "lt", "lte")),
    *(st.fixed_dictionaries({how: filled}) for how in ("gt", "lte", "contains", "starts_with", "ends_with")),
    st.fixed_dictionaries({"between": st.tuples(numbers, numbers).map(list)}),
    st.fixed_dictionaries({"between": st.tuples(filled, filled).map(list)}),
)


@st.composite
def matchers(draw: st.DrawFn) -> Any:
    """A value, a comparison, or two comparisons at once."""
    count = draw(st.integers(0, 2))
    if count == 0:
        return draw(scalars)
    comparisons: dict[str, Any] = draw(_comparisons)
    return comparisons if count == 1 else comparisons | draw(_comparisons)


EVENTS = st.sampled_from(["order_placed", "cart_updated"])
PROPERTIES = st.sampled_from(["total", "sku", "it's 100%"])
AGGREGATES = ("sum", "avg", "min", "max", "first", "last", "distinct")


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    rule: dict[str, Any] = {"event": draw(st.one_of(EVENTS, st.just(["order_placed", "cart_updated"])))}
    if draw(st.booleans()):
        rule["where"] = draw(st.dictionaries(PROPERTIES, matchers(), min_size=1, max_size=2))
    if draw(st.booleans()):
        rule["within"] = f"{draw(AGES.filter(bool))}d"
    if draw(st.booleans()):
        rule["count"] = draw(
            st.one_of(st.integers(0, 3), st.fixed_dictionaries({"gte": st.integers(0, 3)}), matchers())
        )
    for kind in draw(st.sets(st.sampled_from(AGGREGATES), max_size=2)):
        rule[kind] = {"of": draw(PROPERTIES), "is": draw(matchers())}
    return rule


@st.composite
def leaves(draw: st.DrawFn) -> dict[str, Any]:
    match draw(
        st.sampled_from(
            ["attribute", "column", "event", "event", "event", "consent", "message", "list", "case", "score", "rank"]
            + ["longer"] * 4
        )
    ):
        case "attribute":
            return {"attribute": draw(st.sampled_from(["tier", "tags", "it's 100%"])), "is": draw(matchers())}
        case "column":
            name = draw(st.sampled_from(["country", "has_email", "birth_month"]))
            return {"attribute": name, "is": draw(matchers())}
        case "event":
            return draw(events())
        case "consent":
            topic = draw(st.sampled_from(["email.marketing", "sms.marketing"]))
            return {"consent": topic, "is": draw(st.sampled_from(["granted", "denied", "unknown"]))}
        case "message":
            name = draw(st.sampled_from(["spring", "spring_mail", "autumn"]))
            was = draw(st.sampled_from(["sent", "delivered", "opened", "clicked", "bounced"]))
            return {"message": name, "was": was}
        case "score":
            return draw(scores())
        case "rank":
            return draw(ranks())
        case "longer":
            return draw(longer_leaves(st.dictionaries(PROPERTIES, matchers(), min_size=1, max_size=2), matchers()))
        case "case":
            asked = {"status": draw(_of(STATUSES)), "kind": draw(_of(["complaint", "service_request"]))}
            return {"case": {word: asked[word] for word in draw(st.sets(st.sampled_from(sorted(asked)), min_size=1))}}
    return {"list": "vips"}


_SCORES = st.sampled_from(["churn", "value"])


@st.composite
def scores(draw: st.DrawFn) -> dict[str, Any]:
    age = draw(st.sampled_from([None, "1d", "7d"]))
    rule = {"score": draw(_SCORES), "is": draw(matchers())}
    return rule if age is None else rule | {"max_age": age}


_KINDS_OF_RANK = ("count", "sum", "avg", "min", "max", "first", "last", "distinct")


@st.composite
def ranks(draw: st.DrawFn) -> dict[str, Any]:
    """Of so few people the shares are coarse ones, and those that divide them exactly."""
    by: Any = draw(st.sampled_from(["points", "member_since", "tier", "birth_month"]))
    if draw(st.booleans()):
        by = {key: value for key, value in draw(events()).items() if key in ("event", "where", "within")}
        kind = draw(st.sampled_from(_KINDS_OF_RANK))
        instants = st.just("occurred_at") if kind in ("first", "last") else st.nothing()
        by[kind] = True if kind == "count" else draw(PROPERTIES | instants)
    percents = st.sampled_from([0, "20%", 25, 33.33, "33.34%", 40, "50%", 66.67, 100])
    share = draw(st.sampled_from(["top", "bottom", "quintile"]))
    return {"rank": {"by": by, share: draw(st.integers(1, 5) if share == "quintile" else percents)}}


STATUSES = ["open", "in_progress", "done", "cancelled"]


def _of(words: list[str]) -> st.SearchStrategy[Any]:
    """A matcher that compares one of `words`, or some."""
    word, some = st.sampled_from(words), st.lists(st.sampled_from(words), max_size=2)
    alone = st.fixed_dictionaries({"eq": word}) | st.fixed_dictionaries({"ne": word})
    return word | alone | st.fixed_dictionaries({"in": some}) | st.fixed_dictionaries({"not_in": some})


@st.composite
def rules(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    word = draw(st.sampled_from(["leaf", "not", "all", "any"])) if depth else "leaf"
    if word == "leaf":
        return draw(leaves())
    inner = rules(depth - 1)
    return {word: draw(inner) if word == "not" else draw(st.lists(inner, min_size=1, max_size=3))}


@st.composite
def people(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "status": draw(st.sampled_from(["active", "active", "active", "active", "erased"])),
        "country": draw(st.sampled_from([None, "DE", "AT"])),
        "has_email": draw(st.booleans()),
        "birth_month": draw(st.sampled_from([None, 1, 2, 6])),
        "birth_day": draw(BIRTH_DAYS),
        "timezone": draw(ZONES),
        "attributes": draw(st.dictionaries(st.sampled_from(["tier", "tags", "it's 100%"]), values))
        | draw(st.fixed_dictionaries({}, optional={"points": numbers | values, "member_since": _DATES | values}))
        | draw(POSITIONS),
    }


@st.composite
def worlds(draw: st.DrawFn) -> oracle.Rows:
    def many(size: int, *parts: st.SearchStrategy[Any]) -> list[Any]:
        return list(enumerate(draw(st.lists(st.tuples(*parts), max_size=size)), start=1))

    ages = st.tuples(AGES, NUDGES).map(lambda pair: NOW - timedelta(days=pair[0]) + pair[1])
    sent = many(4, PEOPLE_IDS, st.sampled_from(["spring", "autumn"]), st.booleans())
    return oracle.World(
        {
            profile: [profile_row(number, **draw(people())) for number in range(1, PEOPLE + 1)],
            customer_event: [
                event_row(number, who, name, when, **properties)
                for number, (who, name, when, properties) in many(
                    12, st.one_of(PEOPLE_IDS, st.none()), EVENTS, ages, st.dictionaries(PROPERTIES, values)
                )
            ],
            identity: [
                identity_row(number, who, kind, f"{kind}-{address}-{who}")
                for number, (who, kind, address) in enumerate(
                    draw(st.lists(st.tuples(PEOPLE_IDS, _KINDS, st.integers(1, 2)), max_size=6, unique=True)), start=1
                )
            ],
            consent_entry: [
                consent_row(
                    number, f"{kind}-{address}-{who}", "email" if kind == "email" else "sms", topic, status, when
                )
                for number, (who, kind, address, topic, status, when) in many(
                    8,
                    PEOPLE_IDS,
                    _KINDS,
                    st.integers(1, 2),
                    st.sampled_from(["marketing", "*", "other"]),
                    _STATUSES,
                    ages,
                )
            ],
            message: [
                message_row(number, who, origin, bounced_at=NOW if bounced else None)
                for number, (who, origin, bounced) in sent
            ],
            engagement_event: [
                engagement_row(number, of, sent[of - 1][1][0], kind, probability)
                for number, (of, kind, probability) in (
                    many(4, st.integers(1, len(sent)), _ACTS, _PROBABILITIES) if sent else []
                )
            ],
            task: [
                task_row(number, who, kind, status)
                for number, (who, kind, status) in many(
                    6,
                    st.one_of(PEOPLE_IDS, st.none()),
                    st.sampled_from(["to_do", "complaint", "service_request"]),
                    st.sampled_from(STATUSES),
                )
            ],
            score: [
                score_row(name, who, value, draw(ages))
                for name, who, value in draw(
                    st.lists(st.tuples(_SCORES, PEOPLE_IDS, numbers), max_size=5, unique_by=lambda row: row[:2])
                )
            ],
            static_list_member: [
                {"list": "vips", "profile_id": who, "added_at": NOW} for who in draw(st.sets(PEOPLE_IDS, max_size=3))
            ],
            **draw(longer_rows(PEOPLE_IDS, ages, st.dictionaries(PROPERTIES, values))),
        }
    )


_DATES = st.sampled_from(["2026-03-01", "2026-06-10", "2025-12-31", "2026-02-30"])
_ACTS = st.sampled_from(["opened", "clicked"])
_KINDS = st.sampled_from(["email", "phone"])
_STATUSES = st.sampled_from(["granted", "withdrawn"])
_PROBABILITIES = st.sampled_from([0.0, 0.49, 0.5, 1.0])


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rows=worlds(), asked=st.lists(rules(), min_size=4, max_size=6), nested=rules(depth=1))
def test_members_are_the_same_on_every_engine_when_rules_and_rows_are_random(
    engines: Engines, rows: oracle.Rows, asked: list[Any], nested: Any
) -> None:
    engines.load(rows)
    segments = {"nested": parse(nested)}
    for data in [*asked, {"any": [{"segment": "nested"}, {"not": {"segment": "nested"}}]}, {"segment": "nested"}]:
        rule = parse(data)
        expected = oracle.members(data, rows, NOW, {"nested": nested})
        found = engines.select(rule, segments=segments)
        assert found == dict.fromkeys(found, expected), data
        some = engines.select(rule, segments=segments, batch=[1, 3])
        assert some == {engine: [one for one in expected if one in (1, 3)] for engine in found}, data
