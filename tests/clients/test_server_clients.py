"""Clients of other products that run on servers, unmodified: only their host and key are set."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.clients.conftest import FOLDER, Shop, missing

MODULES = {"segment.py": "segment.analytics", "rudderstack.py": "rudderstack", "posthog.py": "posthog"}
PYTHON = list(MODULES)
NODE = ["segment-node.cjs", "analytics-node.cjs", "rudderstack-node.cjs", "posthog-node.cjs", "jitsu.cjs"]
NEVER_TRIES_AGAIN = {"jitsu.cjs"}


def _run(program: Sequence[str], driver: str, shop: Shop, tmp_path: Path) -> None:
    environment = {
        "HOST": shop.host,
        "KEY": shop.secret,
        "NODE_PATH": str(FOLDER / "node_modules"),
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
    }
    if driver in MODULES and find_spec(MODULES[driver].partition(".")[0]) is None:
        missing(f"{MODULES[driver]} is not installed; run: make setup")
    # A copy elsewhere, because a script's folder is where Python looks for modules first.
    script = tmp_path / f"drive_{driver.replace('-', '_')}"
    script.write_text((FOLDER / "drivers" / driver).read_text())
    done = subprocess.run(
        [*program, str(script)],
        check=False,
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    assert not shop.faulty.faults, f"nothing was tried again: {done.stderr}"


def _check(shop: Shop, driver: str) -> None:
    shop.wait_for("product_viewed", "page_viewed")
    alice = shop.alice()
    assert alice.email.value == "alice@shop.example"
    assert dict(alice.attributes) == {"tier": "gold", "first_name": "Alice"}
    assert shop.owner_of_visitor("v1") == alice.id
    events = {event.name: event for event in shop.events()}
    assert len(shop.events()) == 2
    assert {event.profile_id for event in events.values()} == {alice.id}
    assert events["product_viewed"].properties == {"product_id": "TEA-1", "price": 4.5}
    assert events["page_viewed"].properties == {"path": "/tea"}
    assert {event.source for event in events.values()} == {"backend"}


@pytest.mark.parametrize("driver", PYTHON)
def test_a_python_client_is_understood_when_only_its_host_is_changed(driver: str, shop: Shop, tmp_path: Path) -> None:
    _run([sys.executable], driver, shop, tmp_path)
    _check(shop, driver)


@pytest.mark.parametrize("driver", NODE)
def test_a_node_client_is_understood_when_only_its_host_is_changed(
    driver: str, node: str, shop: Shop, tmp_path: Path
) -> None:
    _run([node], driver, shop, tmp_path)
    _check(shop, driver)


@pytest.mark.parametrize("fault", [500, 429])
@pytest.mark.parametrize("driver", [one for one in (*PYTHON, *NODE) if one not in NEVER_TRIES_AGAIN])
def test_nothing_is_doubled_when_a_client_sends_again_what_was_stored(
    driver: str, fault: int, request: pytest.FixtureRequest, shop: Shop, tmp_path: Path
) -> None:
    program = sys.executable if driver in PYTHON else request.getfixturevalue("node")
    shop.faulty.faults = [fault]
    _run([program], driver, shop, tmp_path)
    statuses = [status for _, _, status in shop.faulty.seen]
    assert len(statuses) >= 2
    assert set(statuses) == {200}  # all were stored, the first one's answer was lost
    _check(shop, driver)
