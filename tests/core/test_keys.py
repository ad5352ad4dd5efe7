"""The key file: plain or wrapped by KMS, with a version that is pending, and never half-written."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import EnvironmentFaultError
from core.keys import create_key, load_key, read_key_file, write_key_file
from core.kms import KmsWrapping, wrapping_of
from core.settings import Settings
from sandbox.options import SandboxOptions
from sandbox.server import SandboxServer
from sandbox.wire.kms import ALIAS, OTHER_KEY_ID


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[Settings]:
    """Settings whose KMS is a sandbox."""
    with SandboxServer(SandboxOptions()) as sandbox:
        yield Settings(aws_endpoint_url=sandbox.url, kms_key_id=ALIAS, key_file=str(tmp_path / "shop.key"))


def test_a_pending_version_is_refused_until_it_is_finished(tmp_path: Path) -> None:
    path = tmp_path / "shop.key"
    first = create_key(path)
    begun = read_key_file(path).begun(None)
    write_key_file(path, begun)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["shop.key"]
    with pytest.raises(EnvironmentFaultError, match="run `postilion keys rotate`"):
        load_key(path)
    again = read_key_file(path)
    assert again.begun(None) == again == begun
    write_key_file(path, again.finished())
    assert load_key(path).versions == (*first.versions, begun.key_to_come.versions[1])
    assert load_key(path).fingerprint(1) == first.fingerprint(1) != load_key(path).fingerprint(2)


@pytest.mark.parametrize(
    "text",
    [
        "2 {key}\n",
        "1 {key} pending\n",
        "1 {key} pending\n2 {key}\n",
        "1 {key} soon\n",
        "1 {key}\n3 {key}\n",
        "1 c2hvcnQ=\n",
        "1 {key} pending more\n",
    ],
)
def test_says_that_the_file_is_damaged_when_its_lines_do_not_fit(tmp_path: Path, text: str) -> None:
    path = tmp_path / "shop.key"
    create_key(path)
    key = path.read_text().split()[-1]
    path.write_text(text.format(key=key))
    with pytest.raises(EnvironmentFaultError, match="is damaged: restore the file"):
        load_key(path)


def test_the_file_opens_only_through_kms_when_kms_wraps_it(kms: Settings) -> None:
    path = kms.key_path("shop")
    key = create_key(path, wrapping_of(kms, "shop"))
    text = path.read_text()
    assert "1 kms:" in text
    assert load_key(path, lambda: wrapping_of(kms, "shop")) == key
    with pytest.raises(EnvironmentFaultError, match="set POSTILION_KMS_KEY_ID"):
        load_key(path)
    plain = read_key_file(path, lambda: wrapping_of(kms, "shop")).rewrapped(None)
    write_key_file(path, plain)
    assert load_key(path) == key


def test_a_new_version_is_wrapped_and_an_old_one_stays_as_it_was(kms: Settings) -> None:
    path = kms.key_path("shop")
    create_key(path, wrapping_of(kms, "shop"))
    before = path.read_text().splitlines()[1]
    file = read_key_file(path, lambda: wrapping_of(kms, "shop")).begun(wrapping_of(kms, "shop"))
    write_key_file(path, file)
    lines = path.read_text().splitlines()
    assert lines[1] == before
    assert lines[2].startswith("2 kms:")
    assert lines[2].endswith(" pending")


@pytest.mark.parametrize(
    ("workspace", "changes", "message"),
    [
        ("other", {}, r"InvalidCiphertextException.*another workspace"),
        ("shop", {"kms_key_id": OTHER_KEY_ID}, r"IncorrectKeyException.*postilion keys wrap"),
        ("shop", {"kms_key_id": "alias/nothing"}, r"NotFoundException.*POSTILION_KMS_KEY_ID"),
        ("shop", {"aws_endpoint_url": "http://127.0.0.1:9"}, r"EndpointConnectionError.*network"),
    ],
)
def test_says_the_way_out_when_kms_refuses(
    kms: Settings, workspace: str, changes: dict[str, str], message: str
) -> None:
    path = kms.key_path("shop")
    create_key(path, wrapping_of(kms, "shop"))
    others = replace(kms, **changes)
    with pytest.raises(EnvironmentFaultError, match=message):
        load_key(path, lambda: wrapping_of(others, workspace))


def test_the_wrapping_key_is_exchanged_when_any_key_may_open(kms: Settings) -> None:
    path = kms.key_path("shop")
    key = create_key(path, wrapping_of(kms, "shop"))
    new = replace(kms, kms_key_id=OTHER_KEY_ID)
    file = read_key_file(path, lambda: KmsWrapping(new, "shop", any_key=True))
    write_key_file(path, file.rewrapped(wrapping_of(new, "shop")))
    assert load_key(path, lambda: wrapping_of(new, "shop")) == key
