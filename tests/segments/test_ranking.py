"""Rankings are stored and dated: places, exact shares, what is written and who is touched when they are renewed."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, create_engine, delete, func, insert, literal, select, update

from core.database import Database
from core.definitions import publish, withdraw
from customers.tables import customer_event, profile, profile_touch
from segments.compiling.leaves.rank import lies_in
from segments.explaining.explain import explain
from segments.language.rules import RankRule, Share, ShareKind
from segments.membership import matching
from segments.ranks.bases import find_ranks, name_of
from segments.ranks.ranking import RankRun, missing_ranks, refresh_missing_ranks, refresh_ranks
from segments.refresh import refresh_segments
from segments.tables import segment_rank, segment_rank_run
from tests.segments.parsing import parse
from tests.segments.people import DAY, NOW, SHOP, event_row, profile_row

SPENDING = {"event": "order_placed", "within": "365d", "sum": "total"}
BEST = {"rank": {"by": SPENDING, "top": "25%"}}
_ENGINE = create_engine("sqlite://")  # for whole numbers alone


def rank_of(data: Any) -> RankRule:
    rule = parse(data)
    assert isinstance(rule, RankRule)
    return rule


def publish_document(database: Database, kind: str, slug: str, document: dict[str, Any]) -> None:
    with database.transaction() as connection:
        publish(connection, kind, slug, document=document, source="", file=f"{slug}.yaml", now=NOW)


def rank(database: Database, now: Any = NOW) -> list[RankRun]:
    with database.transaction() as connection:
        return refresh_ranks(connection, SHOP, now)


def holders(database: Database, data: Any) -> list[int]:
    with database.read() as connection:
        return sorted(matching(connection, parse(data), list(range(1, 20)), NOW, SHOP))


def places(database: Database) -> dict[int, int]:
    with database.read() as connection:
        return dict(connection.execute(select(segment_rank.c.profile_id, segment_rank.c.place)).tuples().all())


def touched(database: Database) -> list[tuple[int, int]]:
    with database.read() as connection:
        query = select(profile_touch.c.first_id, profile_touch.c.last_id).order_by(profile_touch.c.id)
        return [(first, last) for first, last in connection.execute(query)]


@pytest.fixture(autouse=True)
def people(database: Database) -> None:
    """Eight people; 1 to 6 spent 100, 200, 300, 300, 500 and 600, 7 looked around, and 8 is erased."""
    with database.transaction() as connection:
        rows = [profile_row(number, status="erased" if number == 8 else "active") for number in range(1, 9)]
        connection.execute(insert(profile), rows)
        spent = {1: 100, 2: 200, 3: 300, 4: 300, 5: 500, 6: 600, 8: 900}
        events = [
            event_row(number, who, "order_placed", NOW - DAY, total=total)
            for number, (who, total) in enumerate(spent.items(), start=101)
        ]
        connection.execute(insert(customer_event), [*events, event_row(200, 7, "cart_updated", NOW - DAY, total=9999)])


def test_the_highest_is_first_and_the_lower_id_wins_when_people_are_ranked(database: Database) -> None:
    publish_document(database, "segment", "best", {"segment": "best", "who": BEST})
    [run] = rank(database)
    assert (run.words, run.counted) == ("sum of total of order_placed within 365d", 6)
    assert places(database) == {6: 1, 5: 2, 3: 3, 4: 4, 2: 5, 1: 6}


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        ({"top": 0}, []),
        ({"top": "16.66%"}, []),
        ({"top": "16.67%"}, [6]),
        ({"top": 50}, [3, 5, 6]),
        ({"bottom": 50}, [1, 2, 4]),
        ({"bottom": "17%"}, [1]),
        ({"top": 100}, [1, 2, 3, 4, 5, 6]),
        ({"quintile": 5}, [5, 6]),
        ({"quintile": 4}, [3]),
        ({"quintile": 1}, [1]),
    ],
)
def test_a_share_is_exact_when_it_does_not_divide_the_people(
    database: Database, share: dict[str, Any], expected: list[int]
) -> None:
    condition = {"rank": {"by": SPENDING, **share}}
    publish_document(database, "segment", "some", {"segment": "some", "who": condition})
    rank(database)
    assert holders(database, condition) == expected
    assert holders(database, {"not": condition}) == [one for one in range(1, 8) if one not in expected]


def test_only_those_who_cross_a_border_are_touched_when_everybody_moves(database: Database) -> None:
    publish_document(database, "segment", "best", {"segment": "best", "who": BEST})
    rank(database)
    assert touched(database) == [(6, 6)]
    with database.transaction() as connection:
        connection.execute(insert(customer_event), [event_row(300, 7, "order_placed", NOW - DAY, total=1000)])
    rank(database)
    assert places(database) == {7: 1, 6: 2, 5: 3, 3: 4, 4: 5, 2: 6, 1: 7}
    assert touched(database) == [(6, 6), (6, 7)]
    assert holders(database, BEST) == [7]


def test_somebody_comes_in_without_moving_when_more_people_are_counted(database: Database) -> None:
    publish_document(database, "segment", "best", {"segment": "best", "who": BEST})
    rank(database)
    with database.transaction() as connection:
        connection.execute(insert(profile), [profile_row(number) for number in (11, 12)])
        few = [event_row(300 + who, who, "order_placed", NOW - DAY, total=1) for who in (11, 12)]
        connection.execute(insert(customer_event), few)
    [run] = rank(database)
    assert (run.counted, run.touched) == (8, 1)
    assert holders(database, BEST) == [5, 6]
    assert touched(database)[-1] == (5, 5)


def test_who_has_no_value_any_more_loses_the_place_when_people_are_ranked_again(database: Database) -> None:
    publish_document(database, "segment", "best", {"segment": "best", "who": BEST})
    rank(database)
    with database.transaction() as connection:
        connection.execute(delete(customer_event).where(customer_event.c.profile_id == 6))
        connection.execute(update(profile).where(profile.c.id == 1).values(status="merged"))
    [run] = rank(database)
    assert places(database) == {5: 1, 3: 2, 4: 3, 2: 4}
    assert touched(database)[-1] == (5, 6)
    assert (run.counted, run.touched) == (4, 2)


def test_nothing_is_written_or_touched_when_nothing_moved(database: Database) -> None:
    publish_document(database, "segment", "best", {"segment": "best", "who": BEST})
    rank(database)
    before, said = places(database), touched(database)
    [run] = rank(database, NOW + DAY)
    assert run.touched == 0
    assert (places(database), touched(database)) == (before, said)
    with database.read() as connection:
        assert connection.scalar(select(segment_rank_run.c.computed_at)) == NOW + DAY


def test_files_share_a_ranking_when_they_ask_for_the_same_in_other_words(database: Database) -> None:
    first = {"by": {"event": ["a", "b"], "where": {"x": {"gte": 1, "lt": 5}, "y": "z"}, "within": "1w", "count": True}}
    second = {"by": {"count": True, "within": "7d", "where": {"y": "z", "x": {"lt": 5, "gte": 1}}, "event": ["b", "a"]}}
    publish_document(database, "segment", "one", {"segment": "one", "who": [{"rank": first | {"top": 10}}]})
    steps = [{"if": {"any": [{"rank": second | {"quintile": 5}}]}, "emit": "x"}]
    publish_document(database, "journey", "two", {"journey": "two", "steps": steps})
    assert [run.words for run in rank(database)] == ["number of a or b where x gte 1 and lt 5 and y eq z within 7d"]


def test_a_version_that_people_are_still_in_keeps_its_ranking_when_the_journey_changes(database: Database) -> None:
    publish_document(database, "journey", "two", {"journey": "two", "steps": [{"if": BEST, "emit": "x"}]})
    publish_document(database, "journey", "two", {"journey": "two", "steps": [{"emit": "x"}]})
    assert len(rank(database)) == 1
    with database.transaction() as connection:
        withdraw(connection, "journey", "two", NOW)


def test_a_ranking_is_forgotten_when_nobody_asks_for_it_any_more(database: Database) -> None:
    publish_document(database, "segment", "best", {"segment": "best", "who": BEST})
    rank(database)
    publish_document(database, "segment", "best", {"segment": "best", "who": {"rank": {"by": "points", "top": 10}}})
    with database.read() as connection:
        assert missing_ranks(connection) == [name_of("points")]
    rank(database)
    assert places(database) == {}
    with database.read() as connection:
        assert list(connection.scalars(select(segment_rank_run.c.words))) == ["points"]
        assert missing_ranks(connection) == []


def test_new_rankings_come_first_when_segments_are_refreshed(database: Database) -> None:
    publish_document(database, "segment", "best", {"segment": "best", "who": BEST})
    with database.transaction() as connection:
        [result] = refresh_segments(connection, SHOP, NOW)
        assert result.member_count == 1
        assert refresh_missing_ranks(connection, SHOP, NOW) == []


def test_the_place_and_its_date_are_told_when_a_rank_is_explained(database: Database) -> None:
    def told(profile_id: int) -> list[tuple[str, bool, Any]]:
        with database.read() as connection:
            found = explain(connection, parse(BEST), profile_id, NOW, SHOP, segments={})
        return [(one.condition, one.holds, one.found) for one in found]

    words = "rank by sum of total of order_placed within 365d: top 25%"
    assert told(6) == [(words, False, "not ranked yet: run `postilion segments rank`")]
    publish_document(database, "segment", "best", {"segment": "best", "who": BEST})
    rank(database)
    assert told(6) == [(words, True, "place 1 of 6, as of 2026-06-10 08:00 UTC")]
    assert told(7) == [(words, False, "no place among 6, as of 2026-06-10 08:00 UTC")]


@given(st.integers(1, 200), st.integers(0, 10_000))
def test_top_and_bottom_and_quintiles_divide_people_when_they_are_any_number(count: int, hundredths: int) -> None:
    everybody = range(1, count + 1)

    places = func.json_each(json.dumps(list(everybody))).table_valued("value").c.value

    def share(kind: ShareKind, amount: int) -> set[int]:
        inside = lies_in(Share(kind, amount), places, literal(count, BigInteger()))
        with _ENGINE.connect() as connection:
            return set(connection.scalars(select(places).where(inside)))

    top, bottom = share(ShareKind.TOP, hundredths), share(ShareKind.BOTTOM, hundredths)
    assert len(top) == len(bottom) == Fraction(count * hundredths, 10_000) // 1
    assert top == set(range(1, len(top) + 1))
    assert bottom == set(range(count - len(bottom) + 1, count + 1))
    quintiles = [share(ShareKind.QUINTILE, number) for number in (5, 4, 3, 2, 1)]
    assert [place for some in quintiles for place in sorted(some)] == list(everybody)
    assert max(map(len, quintiles)) - min(map(len, quintiles)) <= 1


def test_other_data_is_no_rank_when_it_only_looks_like_one() -> None:
    documents = [{"rank": 3}, {"rank": {"by": 5, "top": 1}}, {"rank": {"by": "points"}}, {"content": [{"rank": {}}]}]
    assert list(find_ranks(documents)) == []
    assert [one.share for one in find_ranks([{"a": [BEST]}])] == [Share(ShareKind.TOP, 2500)]
    assert rank_of(BEST).basis == next(find_ranks(BEST)).basis
