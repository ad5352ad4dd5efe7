"""The law of the one compiler: random rules over random rows have the same members wherever they are asked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.tables import consent_entry, customer_event, identity, profile, static_list_member
from customers.task_tables import task
from delivery.tables import message
from tests.segments import oracle
from tests.segments.engines import Engines
from tests.segments.parsing import parse
from tests.segments.people import (
    NOW,
    consent_row,
    engagement_row,
    event_row,
    identity_row,
    message_row,
    profile_row,
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
        st.sampled_from(["attribute", "column", "event", "event", "event", "consent", "message", "list", "case"])
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
        case "case":
            asked = {"status": draw(_of(STATUSES)), "kind": draw(_of(["complaint", "service_request"]))}
            return {"case": {word: asked[word] for word in draw(st.sets(st.sampled_from(sorted(asked)), min_size=1))}}
    return {"list": "vips"}


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
        "birth_month": draw(st.sampled_from([None, 1, 2])),
        "attributes": draw(st.dictionaries(st.sampled_from(["tier", "tags", "it's 100%"]), values)),
    }


@st.composite
def worlds(draw: st.DrawFn) -> oracle.Rows:
    def many(size: int, *parts: st.SearchStrategy[Any]) -> list[Any]:
        return list(enumerate(draw(st.lists(st.tuples(*parts), max_size=size)), start=1))

    ages = st.tuples(AGES, NUDGES).map(lambda pair: NOW - timedelta(days=pair[0]) + pair[1])
    sent = many(4, PEOPLE_IDS, st.sampled_from(["spring", "autumn"]), st.booleans())
    return {
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
            consent_row(number, f"{kind}-{address}-{who}", "email" if kind == "email" else "sms", topic, status, when)
            for number, (who, kind, address, topic, status, when) in many(
                8, PEOPLE_IDS, _KINDS, st.integers(1, 2), st.sampled_from(["marketing", "*", "other"]), _STATUSES, ages
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
        static_list_member: [
            {"list": "vips", "profile_id": who, "added_at": NOW} for who in draw(st.sets(PEOPLE_IDS, max_size=3))
        ],
    }


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
