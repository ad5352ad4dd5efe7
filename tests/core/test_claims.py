"""Work is claimed by one only, and is anybody's again when its claimer is gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert

from core.claims import claim_rows, release_lease, take_lease
from core.database import Database
from customers.tables import import_batch

NOW = datetime(2026, 6, 10, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_no_row_is_claimed_twice_when_four_claimers_race(database: Database) -> None:
    with database.transaction() as connection:
        rows = [
            {"key": str(number), "kind": "orders", "file": "f", "status": "due", "started_at": NOW}
            for number in range(200)
        ]
        connection.execute(insert(import_batch), rows)

    def claim(_number: int) -> list[int]:
        mine: list[int] = []
        while True:
            with database.transaction() as connection:
                got = claim_rows(
                    connection,
                    import_batch,
                    where=[import_batch.c.status == "due"],
                    order_by=[import_batch.c.id],
                    limit=7,
                    values={"status": "claimed"},
                )
            if not got:
                return mine
            mine += [row.id for row in got]

    with ThreadPoolExecutor(4) as pool:
        claimed = [number for part in pool.map(claim, range(4)) for number in part]
    assert len(claimed) == len(set(claimed)) == 200


def test_lease_passes_on_when_it_has_run_out(database: Database) -> None:
    with database.transaction() as connection:
        assert take_lease(connection, "tick", "first", NOW, MINUTE)
        assert not take_lease(connection, "tick", "second", NOW, MINUTE)
        assert take_lease(connection, "tick", "first", NOW + MINUTE / 2, MINUTE)  # renewed
        assert not take_lease(connection, "tick", "second", NOW + MINUTE, MINUTE)
        assert take_lease(connection, "tick", "second", NOW + 2 * MINUTE, MINUTE)
        release_lease(connection, "tick", "first", NOW + 2 * MINUTE)  # no longer the holder: nothing happens
        assert not take_lease(connection, "tick", "first", NOW + 2 * MINUTE, MINUTE)
