from __future__ import annotations

import re

from core.database import Database
from segments.compiling.compiler import compile_rule
from segments.preview.sql_text import sql_of
from tests.segments.parsing import parse
from tests.segments.people import NOW, SHOP

RULE = [
    {"consent": "email.marketing", "is": "granted"},
    {"attribute": "tags", "is": {"in": ["a (b,  c SELECT", "d''%"]}},
    {"event": "cart_updated", "last": {"of": "sku", "is": "x"}},
    {"any": [{"message": "spring", "was": "clicked"}, {"event": "order_placed", "within": "30d", "count": {"gte": 2}}]},
    {"not": {"event": "order_placed", "within": "7d"}},
]


def test_only_white_space_differs_when_a_query_is_broken_into_lines(database: Database) -> None:
    query = compile_rule(parse(RULE), now=NOW, workspace=SHOP, segments={})
    with database.read() as connection:
        text = sql_of(connection, query)
        plain = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    plain = plain if database.is_sqlite else plain.replace("%%", "%")
    assert re.sub(r"\s", "", text) == re.sub(r"\s", "", plain)
    assert "'a (b,  c SELECT'" in text


def test_the_text_can_be_run_as_it_stands_when_it_is_shown(database: Database) -> None:
    query = compile_rule(parse(RULE), now=NOW, workspace=SHOP, segments={})
    with database.read() as connection:
        text = sql_of(connection, query)
        cursor = connection.connection.cursor()
        cursor.execute(text)
        assert cursor.fetchall() == []
        cursor.close()


def test_each_condition_has_its_line_when_a_query_is_shown(database: Database) -> None:
    query = compile_rule(parse({"event": "order_placed", "within": "30d"}), now=NOW, workspace=SHOP, segments={})
    with database.read() as connection:
        lines = sql_of(connection, query).splitlines()
    assert "FROM profile" in lines
    assert "  AND profile.objected_at IS NULL" in lines
    assert lines[-1] == "ORDER BY profile.id"
