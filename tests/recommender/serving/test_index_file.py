from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.database import Database
from recommender.publish import refresh_rules
from recommender.published import empty_ranking, find_published, get_index, index_path
from recommender.ranking import NOTHING, Ranking
from recommender.serving.index_file import DamagedIndexError, StoredIndex, drop_older, read_index, write_index
from tests.recommender.shop import NOW, add_orders, add_products, planted_orders

SELLERS = {"*": ["tea", "søap"], "*Tea": ["tea"]}


def an_index() -> StoredIndex:
    companion = np.array([[1, 2, NOTHING], [0, NOTHING, NOTHING], [1, 0, NOTHING]], dtype=np.int32)
    return StoredIndex(Ranking(("mug", "søap", "tea"), companion, companion / 7), SELLERS)


def test_an_index_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "rules" / "1-5.rules"
    write_index(path, an_index())
    ranking, sellers = read_index(path)
    assert (ranking.skus, sellers) == (("mug", "søap", "tea"), SELLERS)
    np.testing.assert_array_equal(ranking.companion, an_index().ranking.companion)
    np.testing.assert_array_equal(ranking.score, an_index().ranking.score)
    assert [file.name for file in path.parent.iterdir()] == ["1-5.rules"]
    assert path.stat().st_mode & 0o077 == 0


def test_an_index_without_rules_is_read_when_only_best_sellers_are_known(tmp_path: Path) -> None:
    write_index(tmp_path / "1-5.rules", StoredIndex(empty_ranking(), SELLERS))
    assert read_index(tmp_path / "1-5.rules").sellers == SELLERS


def _cut(content: bytes) -> bytes:
    return content[:-8]


def _bend(content: bytes) -> bytes:
    return content[:-3] + b"\x01" + content[-2:]


def _foreign(content: bytes) -> bytes:
    return b"SOMEBODY" + content[8:]


def _empty(_content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("harm", [_cut, _bend, _foreign, _empty])
def test_damage_is_noticed_when_a_file_is_opened(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "1-5.rules"
    write_index(path, an_index())
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(DamagedIndexError):
        read_index(path)


def test_what_is_mapped_stays_when_its_file_is_replaced_and_dropped(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}-5.rules" for number in range(4)]
    write_index(paths[0], an_index())
    mapped = read_index(paths[0])
    for path in paths:
        write_index(path, an_index())
        drop_older(path)
    assert [path.exists() for path in paths] == [False, False, True, True]
    assert mapped.ranking.companion.tolist() == an_index().ranking.companion.tolist()


def test_the_file_is_made_where_it_is_missing_and_made_anew_where_it_is_damaged(
    database: Database, tmp_path: Path
) -> None:
    with database.transaction() as connection:
        add_products(connection)
        add_orders(connection, planted_orders())
        assert refresh_rules(connection, NOW).is_published
        from_rows = get_index(connection)

    def opened() -> tuple[Path, list[list[int]]]:
        process = Database(database.url.render_as_string(hide_password=False))
        with process.read() as connection:
            row = find_published(connection)
            index = get_index(connection, tmp_path)
        process.close()
        assert row is not None
        assert index.rule_set_id == from_rows.rule_set_id
        assert dict(index.sellers) == dict(from_rows.sellers)
        assert index.ranking.score.tolist() == from_rows.ranking.score.tolist()
        return index_path(tmp_path, row.id, row.mined_at), index.ranking.companion.tolist()

    path, companions = opened()
    assert companions == from_rows.ranking.companion.tolist()
    whole = path.read_bytes()
    assert opened()[1] == companions
    path.write_bytes(whole[:1000])
    assert opened()[1] == companions
    assert path.read_bytes() == whole


def test_rules_are_read_from_the_database_when_no_file_can_be_made(database: Database, tmp_path: Path) -> None:
    (tmp_path / "rules").write_text("in the way")
    with database.transaction() as connection:
        add_products(connection)
        add_orders(connection, planted_orders())
        assert refresh_rules(connection, NOW).is_published
    with database.read() as connection:
        assert len(get_index(connection, tmp_path / "rules").positions) > 0
