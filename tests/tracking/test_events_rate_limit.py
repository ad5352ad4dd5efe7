"""Who posts too much is told how long to wait, and nobody else is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.runtime import Runtime
from tests.tracking.conftest import TestClient
from tests.tracking.server import make_app
from tracking.events.rate_limit import Buckets
from tracking.events.write_keys import create_write_key


@pytest.fixture
def limited(runtime: Runtime) -> Iterator[TestClient]:
    settings = replace(runtime.settings, events_per_key="3", events_per_network="1", trusted_proxies="*")
    with TestClient(make_app(replace(runtime, settings=settings)), base_url="https://links.shop.example") as running:
        yield running


def _post(client: TestClient, key: str, count: int, address: str = "192.0.2.1") -> int:
    batch = [{"type": "track", "event": "Tea", "userId": f"u{number}"} for number in range(count)]
    headers = {"x-write-key": key, "x-forwarded-for": address}
    answer = client.post("/v1/batch", json={"batch": batch}, headers=headers)
    if answer.status_code == 429:
        assert int(answer.headers["retry-after"]) >= 1
    return int(answer.status_code)


def test_a_key_waits_when_it_has_posted_more_than_its_share(limited: TestClient, secret_key: str) -> None:
    assert [_post(limited, secret_key, 29), _post(limited, secret_key, 90), _post(limited, secret_key, 1)] == [
        200,
        200,
        429,
    ]


def test_one_network_waits_and_others_do_not_when_a_public_key_floods(
    limited: TestClient, public_key: str, secret_key: str
) -> None:
    assert [_post(limited, public_key, 25) for _ in range(2)] == [200, 429]
    assert _post(limited, public_key, 1, address="198.51.100.7") == 200
    assert _post(limited, secret_key, 1) == 200


def test_whoever_guesses_keys_waits_when_many_were_wrong(limited: TestClient) -> None:
    statuses = [_post(limited, f"secret_{number}", 1) for number in range(40)]
    assert (statuses[0], statuses[-1]) == (401, 429)


def test_a_keys_own_limit_goes_before_the_setting_when_it_has_one(limited: TestClient, runtime: Runtime) -> None:
    with runtime.database.transaction() as connection:
        free, slow = (
            create_write_key(
                connection,
                runtime.vault,
                kind="secret",
                name=f"of{limit}",
                now=runtime.clock.now(),
                events_per_second=limit,
            )
            for limit in (0, 1)
        )
    assert [_post(limited, free, 50) for _ in range(3)] == [200, 200, 200]
    assert [_post(limited, slow, 90) for _ in range(2)] == [200, 429]


def test_the_wait_is_long_enough_when_it_is_kept() -> None:
    buckets = Buckets(2.0)
    assert buckets.take("web", 25, 0.0) == 0  # more than a bucket holds passes, and the next one waits for it
    wait_s = buckets.take("web", 1, 0.0)
    assert wait_s == 3
    assert buckets.take("web", 1, wait_s - 1.0) == 1
    assert buckets.take("web", 1, float(wait_s)) == 0


def test_the_memory_is_bounded_when_many_names_come() -> None:
    buckets = Buckets(1.0, remembered=10)
    for number in range(1_000):
        buckets.take(str(number), 1, float(number))
    assert len(buckets._filled) == 10


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(1, 8)), max_size=60), st.integers(1, 5))
def test_no_more_passes_than_the_rate_allows_when_anything_is_asked(asked: list[tuple[float, int]], rate: int) -> None:
    buckets, now_s, passed = Buckets(float(rate)), 0.0, 0
    for gap_s, count in asked:
        now_s += gap_s
        passed += count if buckets.take("web", count, now_s) == 0 else 0
        assert passed <= rate * (now_s + 10) + 8 + 1e-6
